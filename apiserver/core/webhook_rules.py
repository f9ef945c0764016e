"""Webhooks of admission: what both kinds of configurations say of them.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.match_rules import (
    FAILURE_POLICIES,
    MATCH_POLICIES,
    REINVOCATION_POLICIES,
    CheckExpression,
    condition_causes,
    default_rules,
    rule_causes,
)
from apiserver.core.rules import Rules, Validate, content_changed
from apiserver.core.table import admission as table
from apiserver.core.table.table import Table
from apiserver.core.values import Json
from apiserver.core.webhook_clients import PORT, client_causes
from machinery.model import names
from machinery.model.errors import Cause

_SIDE_EFFECTS: Final = frozenset({"None", "NoneOnDryRun"})
_ANY_SIDE_EFFECTS: Final = _SIDE_EFFECTS | {"Some", "Unknown"}
_VERSIONS: Final = ("v1", "v1beta1")
_TIMEOUT_S: Final = 10
_LONGEST_TIMEOUT_S: Final = 30


def webhook_rules(check: CheckExpression, table_: Table, *, mutating: bool) -> Rules:
    """Return the rules of one kind of configurations; `check` compiles the expressions of conditions."""

    def validate(obj: Json) -> list[Cause]:
        return _causes(obj, check)

    def validate_update(new: Json, old: Json) -> list[Cause]:
        return _causes(new, check, old)

    def default(obj: Json) -> Json:
        for hook in obj.get("webhooks") or ():
            _default_webhook(hook)
            if mutating:
                hook.setdefault("reinvocationPolicy", "Never")
        return obj

    return Rules(
        default=default,
        validate=Validate(create=validate, update=validate_update),
        counts_generation=True,
        is_next_generation=content_changed,
        unconditional_update=False,
        table=table_,
    )


def _default_webhook(hook: Json) -> None:
    hook.setdefault("failurePolicy", "Fail")
    hook.setdefault("matchPolicy", "Equivalent")
    hook.setdefault("namespaceSelector", {})
    hook.setdefault("objectSelector", {})
    hook.setdefault("timeoutSeconds", _TIMEOUT_S)
    default_rules(hook.get("rules"))
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", PORT)


def _causes(obj: Json, check: CheckExpression, old: Json | None = None) -> list[Cause]:
    """Check webhooks; what was wrong with the old ones may go on being so."""
    hooks, before = obj.get("webhooks") or [], (old or {}).get("webhooks") or []
    effects = (
        _SIDE_EFFECTS
        if all(each.get("sideEffects") in _SIDE_EFFECTS for each in before)
        else _ANY_SIDE_EFFECTS
    )
    needs_version = all(
        set(_VERSIONS) & set(each.get("admissionReviewVersions") or ["v1"]) for each in before
    )
    known = frozenset(
        condition.get("expression", "").strip()
        for each in before
        for condition in each.get("matchConditions") or []
    )
    given = [each.get("name", "") for each in hooks]
    again = set(field_errors.repeated(given))
    if field_errors.repeated(each.get("name", "") for each in before):
        again = set()
    found: list[Cause] = []
    for index, hook in enumerate(hooks):
        path = f"webhooks[{index}]"
        found += _webhook_causes(hook, path, effects)
        found += condition_causes(
            hook.get("matchConditions") or [], f"{path}.matchConditions", check, known=known
        )
        reviews = hook.get("admissionReviewVersions") or []
        found += _version_causes(reviews, f"{path}.admissionReviewVersions", needs_one=needs_version)
        if index in again and given[index]:
            found.append(field_errors.duplicate(f"{path}.name", given[index]))
    return found


def _webhook_causes(hook: Json, path: str, effects: frozenset[str]) -> list[Cause]:
    found = _name_causes(hook.get("name", ""), f"{path}.name")
    for index, rule in enumerate(hook.get("rules") or []):
        found += rule_causes(rule, f"{path}.rules[{index}]")
    found += field_errors.one_of(f"{path}.failurePolicy", hook["failurePolicy"], FAILURE_POLICIES)
    found += field_errors.one_of(f"{path}.matchPolicy", hook["matchPolicy"], MATCH_POLICIES)
    text = f"must specify one of {', '.join(sorted(effects))}"
    found += field_errors.required_one_of(f"{path}.sideEffects", hook.get("sideEffects", ""), effects, text)
    if not 1 <= hook["timeoutSeconds"] <= _LONGEST_TIMEOUT_S:
        text = f"the timeout value must be between 1 and {_LONGEST_TIMEOUT_S} seconds"
        found.append(field_errors.invalid(f"{path}.timeoutSeconds", hook["timeoutSeconds"], text))
    for name in ("namespaceSelector", "objectSelector"):
        found += labelselector.validate(hook[name], f"{path}.{name}")
    if "reinvocationPolicy" in hook:
        policy = hook["reinvocationPolicy"]
        found += field_errors.one_of(f"{path}.reinvocationPolicy", policy, REINVOCATION_POLICIES)
    return found + client_causes(hook.get("clientConfig") or {}, f"{path}.clientConfig")


def _name_causes(name: str, path: str) -> list[Cause]:
    """Check a name, which has to be a domain of three labels at least."""
    if not name:
        return [field_errors.required(path)]
    if errors := names.dns_subdomain_errors(name):
        return [field_errors.invalid(path, name, ",".join(errors))]
    if name.count(".") < 2:
        text = "should be a domain with at least three segments separated by dots"
        return [field_errors.invalid(path, name, text)]
    return []


def _version_causes(versions: list[str], path: str, *, needs_one: bool) -> list[Cause]:
    if not versions:
        return [field_errors.required(path, f"must specify one of {', '.join(_VERSIONS)}")]
    again = set(field_errors.repeated(versions))
    found: list[Cause] = []
    for index, version in enumerate(versions):
        where = f"{path}[{index}]"
        if index in again:
            found.append(field_errors.invalid(where, version, "duplicate version"))
            continue
        found += field_errors.each_invalid(where, version, names.dns_1035_label_errors(version))
    if needs_one and not set(_VERSIONS) & set(versions):
        text = f"must include at least one of {', '.join(_VERSIONS)}"
        found.append(field_errors.invalid(path, versions, text))
    return found


def validating(check: CheckExpression) -> Rules:
    """Return the rules of ValidatingWebhookConfigurations."""
    return webhook_rules(check, table.VALIDATING_WEBHOOK_CONFIGURATIONS, mutating=False)


def mutating(check: CheckExpression) -> Rules:
    """Return the rules of MutatingWebhookConfigurations."""
    return webhook_rules(check, table.MUTATING_WEBHOOK_CONFIGURATIONS, mutating=True)

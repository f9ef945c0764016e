"""What policies of admission, and their bindings, say alike: of validating ones and of mutating ones.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.match_rules import (
    FAILURE_POLICIES,
    CheckExpression,
    Expression,
    condition_causes,
    default_match,
    expression_causes,
    match_causes,
)
from apiserver.core.rules import Validate
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_ACTIONS: Final = ["Deny", "Allow"]
_IDENTIFIER: Final = re.compile("[_a-zA-Z][_a-zA-Z0-9]*")
_RESERVED: Final = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    }
)


def default_policy(own: Json) -> Json:
    """Fill in the spec of a policy."""
    own.setdefault("failurePolicy", "Fail")
    if "matchConstraints" in own:
        default_match(own["matchConstraints"])
    return own


def default_binding(own: Json) -> Json:
    """Fill in the spec of a binding."""
    if "paramRef" in own:
        own["paramRef"].setdefault("parameterNotFoundAction", "Deny")
    if "matchResources" in own:
        default_match(own["matchResources"])
    return own


def head_causes(own: Json, path: str, check: CheckExpression, old: Json) -> list[Cause]:
    """Check what a policy says before its rules: `old` is the spec that is there."""
    found = field_errors.one_of(f"{path}.failurePolicy", own["failurePolicy"], FAILURE_POLICIES)
    if "paramKind" in own:
        found += _param_kind_causes(own["paramKind"], f"{path}.paramKind")
    where = f"{path}.matchConstraints"
    if "matchConstraints" not in own:
        found.append(field_errors.required(where))
    else:
        found += match_causes(own["matchConstraints"], where)
        if not own["matchConstraints"].get("resourceRules"):
            found.append(field_errors.required(f"{where}.resourceRules"))
    conditions = own.get("matchConditions") or []
    same = ("matchConditions", "paramKind")
    if not old or any(own.get(name) != old.get(name) for name in same):
        found += condition_causes(
            conditions,
            f"{path}.matchConditions",
            check,
            has_params="paramKind" in own,
            known=expressions_of(old, "matchConditions")
            if own.get("paramKind") == old.get("paramKind")
            else frozenset(),
        )
    return found + _variable_causes(own, f"{path}.variables", check, expressions_of(old, "variables"))


def expressions_of(own: Json, field: str, name: str = "expression") -> frozenset[str]:
    """Return the expressions of a list."""
    return frozenset(each.get(name, "").strip() for each in own.get(field) or [])


def variables_of(own: Json) -> tuple[tuple[str, str], ...]:
    """Return names and expressions of the variables of a policy."""
    return tuple((each.get("name", ""), each.get("expression", "")) for each in own.get("variables") or [])


def _variable_causes(own: Json, path: str, check: CheckExpression, known: frozenset[str]) -> list[Cause]:
    variables, has_params = variables_of(own), "paramKind" in own
    found: list[Cause] = []
    for index, (name, text) in enumerate(variables):
        where = f"{path}[{index}]"
        if not name.strip():
            found.append(field_errors.required(f"{where}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
            text_ = "name is not a valid CEL identifier"
            found.append(field_errors.invalid(f"{where}.name", name, text_))
        if not text.strip():
            found.append(field_errors.required(f"{where}.expression", "expression is not specified"))
        elif text.strip() not in known:
            expression = Expression(text, has_params, variables=variables[:index], returns="any")
            found += expression_causes(expression, f"{where}.expression", check)
    return found


def _param_kind_causes(kind: Json, path: str) -> list[Cause]:
    version, name = kind.get("apiVersion", ""), kind.get("kind", "")
    found = _version_causes(version, f"{path}.apiVersion")
    if not name:
        return [*found, field_errors.required(f"{path}.kind")]
    if errors := names.dns_1035_label_errors(name.lower()):
        text = f"may have mixed case, but should otherwise match: {','.join(errors)}"
        found.append(field_errors.invalid(f"{path}.kind", name, text))
    return found


def _version_causes(text: str, path: str) -> list[Cause]:
    if not text:
        return [field_errors.required(path)]
    if text.count("/") > 1:
        return [field_errors.invalid(path, text, f"unexpected GroupVersion string: {text}")]
    group, _, version = text.rpartition("/")
    found: list[Cause] = []
    if group and (errors := names.dns_subdomain_errors(group)):
        found.append(field_errors.invalid(path, group, ",".join(errors)))
    if not version:
        found.append(field_errors.invalid(path, text, "version must be specified"))
    elif errors := names.dns_1035_label_errors(version):
        found.append(field_errors.invalid(path, version, ",".join(errors)))
    return found


def binding_causes(own: Json, path: str) -> list[Cause]:
    """Check which policy a binding is about, with which parameters, for what."""
    policy = own.get("policyName", "")
    found = (
        field_errors.each_invalid(f"{path}.policyName", policy, names.dns_subdomain_errors(policy))
        if policy
        else [field_errors.required(f"{path}.policyName")]
    )
    if "paramRef" in own:
        found += _param_causes(own["paramRef"], f"{path}.paramRef")
    if "matchResources" in own:
        found += match_causes(own["matchResources"], f"{path}.matchResouces")  # so Kubernetes spells it
    return found


def _param_causes(reference: Json, path: str) -> list[Cause]:
    name, selector = reference.get("name", ""), reference.get("selector")
    both = "name and selector are mutually exclusive"
    found = field_errors.each_invalid(f"{path}.name", name, names.path_segment_errors(name))
    if name and selector is not None:
        found.append(field_errors.forbidden(f"{path}.name", both))
    if selector is not None:
        found += labelselector.validate(selector, f"{path}.selector")
        if name:
            found.append(field_errors.forbidden(f"{path}.selector", both))
    if not name and selector is None:
        found.append(field_errors.required(path, "one of name or selector must be specified"))
    action, where = reference["parameterNotFoundAction"], f"{path}.parameterNotFoundAction"
    return found + field_errors.required_one_of(where, action, _ACTIONS)


def validate_by(
    causes: Callable[[Json, CheckExpression, Json], list[Cause]], check: CheckExpression
) -> Validate:
    """Return what validates policies, by a function of a policy, what compiles its expressions, and its spec before."""

    def create(obj: Json) -> list[Cause]:
        return causes(obj, check, {})

    def update(new: Json, old: Json) -> list[Cause]:
        return causes(new, check, spec(old))

    return Validate(create=create, update=update)

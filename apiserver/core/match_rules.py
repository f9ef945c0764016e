"""Which requests a webhook or a policy of admission is about: rules, and conditions beside them.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-rules
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from apiserver.core import field_errors, labelselector
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

FAILURE_POLICIES: Final = frozenset({"Fail", "Ignore"})
MATCH_POLICIES: Final = frozenset({"Equivalent", "Exact"})
REINVOCATION_POLICIES: Final = frozenset({"IfNeeded", "Never"})
_OPERATIONS: Final = frozenset({"*", "CONNECT", "CREATE", "DELETE", "UPDATE"})
_SCOPES: Final = frozenset({"*", "Cluster", "Namespaced"})
_MOST_CONDITIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression in CEL that a user wrote, and what it may speak of."""

    text: str
    has_params: bool = False
    has_authorizer: bool = True
    variables: tuple[tuple[str, str], ...] = ()  # names and expressions of those before it
    returns: str = "bool"  # "bool", "string", "annotation", "any", "applyConfiguration", "jsonPatch"


CheckExpression: TypeAlias = Callable[[Expression], str]
"""Returns what keeps an expression from being compiled, in the compiler's words; "" where nothing does."""


def default_rules(rules: Iterable[Json] | None) -> None:
    """Fill rules in."""
    for rule in rules or ():
        rule.setdefault("scope", "*")


def rule_causes(rule: Json, path: str) -> list[Cause]:
    """Check which operations on which resources a rule is about."""
    operations = rule.get("operations") or []
    found = _star_causes(operations, f"{path}.operations", "operations")
    for index, operation in enumerate(operations):
        found += field_errors.one_of(f"{path}.operations[{index}]", operation, _OPERATIONS)
    found += _star_causes(rule.get("apiGroups") or [], f"{path}.apiGroups", "API groups")
    versions = rule.get("apiVersions") or []
    found += _star_causes(versions, f"{path}.apiVersions", "API versions")
    found += [
        field_errors.required(f"{path}.apiVersions[{index}]")
        for index, version in enumerate(versions)
        if not version
    ]
    found += _resource_causes(rule.get("resources") or [], f"{path}.resources")
    return found + field_errors.one_of(f"{path}.scope", rule.get("scope", "*"), _SCOPES)


def _star_causes(values: list[str], path: str, others: str) -> list[Cause]:
    """Check that something is listed, and that a star stands alone."""
    if not values:
        return [field_errors.required(path)]
    if "*" in values and len(values) > 1:
        return [field_errors.invalid(path, values, f"if '*' is present, must not specify other {others}")]
    return []


def _resource_causes(resources: list[str], path: str) -> list[Cause]:
    if not resources:
        return [field_errors.required(path)]
    found = _overlap_causes(resources, path)
    if "*/*" in resources and len(resources) > 1:
        text = "if '*/*' is present, must not specify other resources"
        found.append(field_errors.invalid(path, resources, text))
    plain = [each for each in resources if each and "/" not in each]
    if "*" in plain and plain[-1] != "*":
        text = "if '*' is present, must not specify other resources without subresources"
        found.append(field_errors.invalid(path, resources, text))
    return found


def _overlap_causes(resources: list[str], path: str) -> list[Cause]:
    """Check that no resource stands behind one that means it as well."""
    whole: set[str] = set()  # x of x/*
    everywhere: set[str] = set()  # y of */y
    found: list[Cause] = []
    for index, each in enumerate(resources):
        where, (resource, slash, part) = f"{path}[{index}]", each.partition("/")
        if not each:
            found.append(field_errors.required(where))
        if not slash:
            continue
        before = [f"{resource}/*"] if resource in whole else []
        before += [f"*/{part}"] if part in everywhere else []
        found += [
            field_errors.invalid(where, each, f"if '{other}' is present, must not specify {each}")
            for other in before
        ]
        if part == "*":
            whole.add(resource)
        if resource == "*":
            everywhere.add(part)
    return found


def condition_causes(
    conditions: list[Json],
    path: str,
    check: CheckExpression,
    *,
    has_params: bool = False,
    known: frozenset[str] = frozenset(),
) -> list[Cause]:
    """Check conditions; expressions that are `known` were taken before, and are not compiled again."""
    found: list[Cause] = []
    if len(conditions) > _MOST_CONDITIONS:
        found.append(field_errors.too_many(path, len(conditions), _MOST_CONDITIONS))
    given = [each.get("name", "") for each in conditions]
    again = set(field_errors.repeated(given))
    for index, condition in enumerate(conditions):
        where, text, name = f"{path}[{index}]", condition.get("expression", "").strip(), given[index]
        if not text:
            found.append(field_errors.required(f"{where}.expression"))
        elif text not in known:
            found += expression_causes(Expression(text, has_params), f"{where}.expression", check)
        if not name:
            found.append(field_errors.required(f"{where}.name"))
            continue
        found += field_errors.each_invalid(f"{where}.name", name, names.label_key_errors(name))
        if index in again:
            found.append(field_errors.duplicate(f"{where}.name", name))
    return found


def expression_causes(expression: Expression, path: str, check: CheckExpression) -> list[Cause]:
    """Check one expression."""
    problem = check(expression)
    return [field_errors.invalid(path, expression.text, problem)] if problem else []


def default_match(match: Json) -> Json:
    """Fill in which resources a policy is about."""
    match.setdefault("matchPolicy", "Equivalent")
    match.setdefault("namespaceSelector", {})
    match.setdefault("objectSelector", {})
    default_rules(match.get("resourceRules"))
    default_rules(match.get("excludeResourceRules"))
    return match


def match_causes(match: Json, path: str) -> list[Cause]:
    """Check which resources a policy is about; the defaults are in."""
    found = field_errors.one_of(f"{path}.matchPolicy", match["matchPolicy"], MATCH_POLICIES)
    for name in ("namespaceSelector", "objectSelector"):
        found += labelselector.validate(match[name], f"{path}.{name}")
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(field) or []):
            found += _named_rule_causes(rule, f"{path}.{field}[{index}]")
    return found


def _named_rule_causes(rule: Json, path: str) -> list[Cause]:
    given = rule.get("resourceNames") or []
    again = set(field_errors.repeated(given))
    found: list[Cause] = []
    for index, name in enumerate(given):
        where = f"{path}.resourceNames[{index}]"
        found += field_errors.each_invalid(where, name, names.path_segment_errors(name))
        if index in again:
            found.append(field_errors.duplicate(where, name))
    return found + rule_causes(rule, path)

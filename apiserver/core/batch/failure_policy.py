"""What becomes of a Job's pod that failed.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_MOST_RULES: Final = 20
_MOST_CODES: Final = 255
_MOST_CONDITIONS: Final = 20
_ACTIONS: Final = ["Count", "FailIndex", "FailJob", "Ignore"]
_OPERATORS: Final = ["In", "NotIn"]
_STATUSES: Final = ["False", "True", "Unknown"]


def default_failure_policy(own: Json) -> None:
    """Fill the failure policy of a Job's spec: a condition that is named is one that holds."""
    for rule in (own.get("podFailurePolicy") or {}).get("rules") or []:
        for pattern in rule.get("onPodConditions") or []:
            pattern["status"] = pattern.get("status") or "True"


def failure_policy_causes(own: Json, path: str) -> list[Cause]:
    """Check the failure policy of a Job's spec."""
    if "podFailurePolicy" not in own:
        return []
    rules, path = own["podFailurePolicy"].get("rules") or [], f"{path}.podFailurePolicy.rules"
    found = [field_errors.too_many(path, len(rules), _MOST_RULES)] if len(rules) > _MOST_RULES else []
    for index, rule in enumerate(rules):
        found += _rule_causes(rule, own, f"{path}[{index}]")
    return found


def replacement_causes(own: Json, path: str) -> list[Cause]:
    """Check when pods are replaced; with a failure policy it is known only when they have ended."""
    if "podReplacementPolicy" not in own:
        return []
    supported = ["Failed"] if "podFailurePolicy" in own else ["Failed", "TerminatingOrFailed"]
    return field_errors.one_of(f"{path}.podReplacementPolicy", own["podReplacementPolicy"], supported)


def _rule_causes(rule: Json, own: Json, path: str) -> list[Cause]:
    action, codes, conditions = rule.get("action", ""), rule.get("onExitCodes"), rule.get("onPodConditions")
    found = field_errors.required_one_of(f"{path}.action", action, _ACTIONS, _valid(_ACTIONS))
    if action == "FailIndex" and "backoffLimitPerIndex" not in own:
        text = "requires the backoffLimitPerIndex to be set"
        found.append(field_errors.invalid(f"{path}.action", action, text))
    if codes is not None:
        found += _code_causes(codes, own, f"{path}.onExitCodes")
    found += _condition_causes(conditions or [], f"{path}.onPodConditions")
    if codes is not None and conditions:
        text = "specifying both OnExitCodes and OnPodConditions is not supported"
        found.append(field_errors.invalid_without_value(path, text))
    if codes is None and not conditions:
        text = "specifying one of OnExitCodes and OnPodConditions is required"
        found.append(field_errors.invalid_without_value(path, text))
    return found


def _condition_causes(conditions: list[Json], path: str) -> list[Cause]:
    found: list[Cause] = []
    if len(conditions) > _MOST_CONDITIONS:
        found.append(field_errors.too_many(path, len(conditions), _MOST_CONDITIONS))
    for index, pattern in enumerate(conditions):
        type_, where = pattern.get("type", ""), f"{path}[{index}]"
        found += field_errors.each_invalid(f"{where}.type", type_, names.label_key_errors(type_))
        found += field_errors.required_one_of(
            f"{where}.status", pattern.get("status", ""), _STATUSES, _valid(_STATUSES)
        )
    return found


def _code_causes(codes: Json, own: Json, path: str) -> list[Cause]:
    operator = codes.get("operator", "")
    found = field_errors.required_one_of(f"{path}.operator", operator, _OPERATORS, _valid(_OPERATORS))
    name = codes.get("containerName")
    if name is not None and name not in _container_names(own):
        text = "must be one of the container or initContainer names in the pod template"
        found.append(field_errors.invalid(f"{path}.containerName", name, text))
    return found + _value_causes(codes.get("values") or [], operator, f"{path}.values")


def _value_causes(values: list[int], operator: str, path: str) -> list[Cause]:
    found: list[Cause] = []
    if not values:
        found.append(field_errors.invalid(path, values, "at least one value is required"))
    elif len(values) > _MOST_CODES:
        found.append(field_errors.too_many(path, len(values), _MOST_CODES))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if operator == "In" and value == 0:
            text = "must not be 0 for the In operator"
            found.append(field_errors.invalid(f"{path}[{index}]", value, text))
        if value in seen:
            found.append(field_errors.duplicate(f"{path}[{index}]", value))
        seen.add(value)
    if values != sorted(values):
        found.append(field_errors.invalid(path, values, "must be ordered"))
    return found


def _container_names(own: Json) -> set[str]:
    pod = spec(own.get("template") or {})
    return {
        each.get("name", "") for field in ("containers", "initContainers") for each in pod.get(field) or []
    }


def _valid(values: list[str]) -> str:
    quoted = " ".join(f'"{value}"' for value in values)
    return f"valid values: [{quoted}]"

"""When a container runs again that has ended: its own policy, and rules by its exit code, in the place of the pod's.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restart-rules
What comes of it on a node is decided by `kubelet.core.restart`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model.errors import Cause

_POLICIES: Final = frozenset({"Always", "Never", "OnFailure"})
_ACTIONS: Final = frozenset({"Restart", "RestartAllContainers"})
_OPERATORS: Final = frozenset({"In", "NotIn"})
_MOST_RULES: Final = 20
_MOST_CODES: Final = 255


def restart_causes(container: Json, path: str) -> list[Cause]:
    """Check a container's own policy and rules."""
    policy, rules = container.get("restartPolicy"), container.get("restartPolicyRules") or []
    found: list[Cause] = []
    if policy is not None:
        found += field_errors.one_of(f"{path}.restartPolicy", policy, _POLICIES)
    elif rules:
        text = "must specify restartPolicy when restart rules are used"
        found.append(field_errors.required(f"{path}.restartPolicy", text))
    if len(rules) > _MOST_RULES:
        found.append(field_errors.too_many(f"{path}.restartPolicyRules", len(rules), _MOST_RULES))
    for index, rule in enumerate(rules):
        found += _rule_causes(rule, f"{path}.restartPolicyRules[{index}]")
    return found


def _rule_causes(rule: Json, path: str) -> Iterator[Cause]:
    yield from field_errors.one_of(f"{path}.action", rule.get("action", ""), _ACTIONS)
    codes = rule.get("exitCodes")
    if codes is None:
        yield field_errors.required(f"{path}.exitCodes", "must be specified")
        return
    yield from field_errors.one_of(f"{path}.exitCodes.operator", codes.get("operator", ""), _OPERATORS)
    values = codes.get("values") or []
    if len(values) > _MOST_CODES:
        yield field_errors.too_many(f"{path}.exitCodes.values", len(values), _MOST_CODES)


def may_run_again(container: Json, pod_policy: str, exit_code: int) -> bool:
    """Whether a container that ended may be seen running again."""
    if any(
        _matches(rule.get("exitCodes") or {}, exit_code) for rule in container.get("restartPolicyRules") or ()
    ):
        return True
    policy = container.get("restartPolicy") or pod_policy
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def all_may_restart(containers: Iterable[Json]) -> bool:
    """Whether one of a pod's containers has a rule by which all of them run again."""
    return any(
        rule.get("action") == "RestartAllContainers"
        for container in containers
        for rule in container.get("restartPolicyRules") or ()
    )


def _matches(codes: Json, exit_code: int) -> bool:
    is_listed = exit_code in (codes.get("values") or ())
    return is_listed if codes.get("operator") == "In" else not is_listed

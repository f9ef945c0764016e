"""The rules of topology spread.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.podspec.labelkeys import label_key_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_WHEN: Final = frozenset({"DoNotSchedule", "ScheduleAnyway"})
_POLICIES: Final = frozenset({"Honor", "Ignore"})


def spread_causes(constraints: list[Json], path: str) -> list[Cause]:
    """Check constraints, and that no two are about the same."""
    found: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        where = f"{path}[{index}]"
        found += _one_causes(constraint, where)
        both = (constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", ""))
        if both in seen:
            text = f"{{{both[0]}, {both[1]}}}"
            found.append(field_errors.duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", text))
        seen.add(both)
    return found


def _one_causes(constraint: Json, path: str) -> list[Cause]:
    skew, key = constraint.get("maxSkew", 0), constraint.get("topologyKey", "")
    when = constraint.get("whenUnsatisfiable", "")
    found = [] if skew > 0 else [field_errors.invalid(f"{path}.maxSkew", skew, "must be greater than zero")]
    if key:
        found += field_errors.each_invalid(f"{path}.topologyKey", key, names.label_key_errors(key))
    else:
        found.append(field_errors.required(f"{path}.topologyKey", "can not be empty"))
    found += field_errors.one_of(f"{path}.whenUnsatisfiable", when, _WHEN)
    found += _domain_causes(constraint, when, path)
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if name in constraint:
            found += field_errors.one_of(f"{path}.{name}", constraint[name], _POLICIES)
    found += label_key_causes(constraint, path)
    if "labelSelector" in constraint:
        found += labelselector.validate(constraint["labelSelector"], f"{path}.labelSelector")
    return found


def _domain_causes(constraint: Json, when: str, path: str) -> list[Cause]:
    least = constraint.get("minDomains")
    if least is None:
        return []
    found = (
        [] if least > 0 else [field_errors.invalid(f"{path}.minDomains", least, "must be greater than zero")]
    )
    if when != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"
        found.append(field_errors.invalid(f"{path}.minDomains", least, text))
    return found

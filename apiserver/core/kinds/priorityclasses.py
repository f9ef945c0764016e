"""PriorityClasses.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import policy as table
from apiserver.core.values import Json, metadata
from machinery.model.errors import Cause

HIGHEST: Final = 1_000_000_000  # of a class that is not the system's
_SYSTEM: Final = "system-"
_SYSTEM_VALUES: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_POLICIES: Final = ["PreemptLowerPriority", "Never"]


def _default(obj: Json) -> Json:
    obj.setdefault("value", 0)
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")
    return obj


def _validate(obj: Json) -> list[Cause]:
    name, value = metadata(obj).get("name", ""), obj["value"]
    found: list[Cause] = []
    if name.startswith(_SYSTEM):
        if fault := _system_fault(obj, name):
            text = f"priority class names with '{_SYSTEM}' prefix are reserved for system use only. error: {fault}"
            found.append(field_errors.forbidden("metadata.name", text))
    elif value > HIGHEST:
        text = f"maximum allowed value of a user defined priority is {HIGHEST}"
        found.append(field_errors.forbidden("value", text))
    policy = obj.get("preemptionPolicy", "")
    return found + field_errors.required_one_of("preemptionPolicy", policy, _POLICIES)


def _system_fault(obj: Json, name: str) -> str:
    """Return what keeps a class from being the one of the system that its name names; "": nothing."""
    if name not in _SYSTEM_VALUES:
        return f"{name} is not a known system priority class"
    if obj["value"] != _SYSTEM_VALUES[name]:
        return f"value of {name} PriorityClass must be {_SYSTEM_VALUES[name]}"
    if obj.get("globalDefault"):
        return f"globalDefault of {name} PriorityClass must be false"
    return ""


def _validate_update(new: Json, old: Json) -> list[Cause]:
    found: list[Cause] = []
    if new["value"] != old.get("value", 0):
        found.append(field_errors.forbidden("value", "may not be changed in an update."))
    policies = new.get("preemptionPolicy"), old.get("preemptionPolicy")
    return found + field_errors.unchanged("preemptionPolicy", *policies)


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    counts_generation=True,
    is_next_generation=lambda _new, _old: False,  # what matters of it does not change
    table=table.PRIORITY_CLASSES,
)

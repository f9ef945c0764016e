"""Status conditions: one entry per type, and a transition time that only a change of status moves.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from machinery.model.k8s import apps_v1, core_v1, meta_v1

C = TypeVar(
    "C",
    core_v1.NodeCondition,
    core_v1.PodCondition,
    core_v1.NamespaceCondition,
    apps_v1.DeploymentCondition,
    apps_v1.ReplicaSetCondition,
    meta_v1.Condition,
)


def find(conditions: Iterable[C], type_: str) -> C | None:
    """Return the condition of a type."""
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Iterable[C], type_: str) -> bool:
    """Whether the condition of a type is there and "True"."""
    return any(condition.type == type_ and condition.status == "True" for condition in conditions)


def set_condition(conditions: Sequence[C], new: C, *, now_text: str) -> list[C]:
    """Return the conditions with `new` in place of the one of its type, or at the end.

    lastTransitionTime: of the old one where the status stays, else the new one's own, else `now_text`.
    """
    old = find(conditions, new.type)
    dated = msgspec.structs.replace(new, lastTransitionTime=_transition_time(old, new, now_text))
    if old is None:
        result = list(conditions)
        result.append(dated)
        return result
    return [dated if condition.type == new.type else condition for condition in conditions]


def remove(conditions: Iterable[C], type_: str) -> list[C]:
    """Return the conditions without the one of a type."""
    return [condition for condition in conditions if condition.type != type_]


def _transition_time(old: C | None, new: C, now_text: str) -> str:
    if old is not None and old.status == new.status and old.lastTransitionTime:
        return old.lastTransitionTime
    return new.lastTransitionTime or now_text

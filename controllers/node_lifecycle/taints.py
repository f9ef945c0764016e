"""Which taints a node has by its conditions.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
"""

from __future__ import annotations

from typing import Final

from controllers.core.moment import Moment
from controllers.core.nodes import UNHEALTHY_TAINTS
from machinery.model.conditions import find, is_true
from machinery.model.k8s.core_v1 import Node, Taint
from machinery.model.taints import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NO_EXECUTE,
    NO_SCHEDULE,
    NOT_READY,
    PID_PRESSURE,
    UNREACHABLE,
    UNSCHEDULABLE,
)

_PRESSURES: Final = {
    "MemoryPressure": MEMORY_PRESSURE,
    "DiskPressure": DISK_PRESSURE,
    "PIDPressure": PID_PRESSURE,
    "NetworkUnavailable": NETWORK_UNAVAILABLE,
}
_BY_READINESS: Final = {"False": NOT_READY, "Unknown": UNREACHABLE}
OUR_NO_SCHEDULE: Final = frozenset({*_PRESSURES.values(), NOT_READY, UNREACHABLE, UNSCHEDULABLE})


def readiness_taint(node: Node) -> str:
    """Return the key for the state of the Ready condition, "" where the node is Ready or has never said anything."""
    ready = find(node.status.conditions, "Ready")
    return _BY_READINESS.get(ready.status, "") if ready else ""


def no_schedule_keys(node: Node) -> list[str]:
    """Return the keys of the NoSchedule taints that the conditions ask for.

    A node that has not reported its condition yet keeps the not-ready taint that admission gave it.
    """
    keys = [key for type_, key in _PRESSURES.items() if is_true(node.status.conditions, type_)]
    if key := readiness_taint(node):
        keys.append(key)
    if find(node.status.conditions, "Ready") is None and has(node, NOT_READY, NO_SCHEDULE):
        keys.append(NOT_READY)
    if node.spec.unschedulable:
        keys.append(UNSCHEDULABLE)
    return keys


def has(node: Node, key: str, effect: str) -> bool:
    """Whether a node has a taint."""
    return any((taint.key, taint.effect) == (key, effect) for taint in node.spec.taints)


def executing(node: Node) -> str:
    """Return the key of the NoExecute taint that the node has from us, "" for none."""
    ours = (taint.key for taint in node.spec.taints if taint.effect == NO_EXECUTE)
    return next((key for key in ours if key in UNHEALTHY_TAINTS), "")


def with_keys(node: Node, no_schedule: list[str], no_execute: str, moment: Moment) -> list[Taint]:
    """Return the node's taints with ours as they should be; all others, and those that stay, as they are."""
    wanted = [(key, NO_SCHEDULE) for key in no_schedule]
    if no_execute:
        wanted.append((no_execute, NO_EXECUTE))
    kept = [taint for taint in node.spec.taints if not _is_ours(taint) or (taint.key, taint.effect) in wanted]
    there = {(taint.key, taint.effect) for taint in kept}
    added = [
        Taint(key=key, effect=effect, timeAdded=moment.text)
        for key, effect in wanted
        if (key, effect) not in there
    ]
    return [*kept, *added]


def _is_ours(taint: Taint) -> bool:
    if taint.effect == NO_EXECUTE:
        return taint.key in UNHEALTHY_TAINTS
    return taint.effect == NO_SCHEDULE and taint.key in OUR_NO_SCHEDULE

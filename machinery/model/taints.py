"""Taints and tolerations: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from machinery.model.k8s.core_v1 import Taint, Toleration

NO_SCHEDULE: Final = "NoSchedule"
PREFER_NO_SCHEDULE: Final = "PreferNoSchedule"
NO_EXECUTE: Final = "NoExecute"
EFFECTS: Final = (NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE)

NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
MEMORY_PRESSURE: Final = "node.kubernetes.io/memory-pressure"
DISK_PRESSURE: Final = "node.kubernetes.io/disk-pressure"
PID_PRESSURE: Final = "node.kubernetes.io/pid-pressure"
NETWORK_UNAVAILABLE: Final = "node.kubernetes.io/network-unavailable"
OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"


def tolerates(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Whether one of the tolerations matches the taint."""
    return any(matches(toleration, taint) for toleration in tolerations)


def matches(toleration: Toleration, taint: Taint) -> bool:
    """Whether a toleration matches a taint: effect, key and value, each free where it is left out.

    The numeric operators Lt and Gt (an alpha feature) are not built: they match nothing.
    """
    if toleration.effect not in {"", taint.effect} or toleration.key not in {"", taint.key}:
        return False
    if toleration.operator == "Exists":
        return True
    return toleration.operator in {"", "Equal"} and toleration.value == taint.value


def untolerated(
    taints: Iterable[Taint], tolerations: Collection[Toleration], effects: Collection[str]
) -> list[Taint]:
    """Return the taints of these effects that no toleration matches, in order."""
    return [taint for taint in taints if taint.effect in effects and not tolerates(tolerations, taint)]

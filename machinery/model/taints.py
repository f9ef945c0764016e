"""Taints and tolerations: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from machinery.model.k8s.core_v1 import Taint, Toleration
from machinery.model.names import label_key_errors, label_value_errors

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


def read_taint(text: str) -> Taint:
    """Read a taint as kubectl writes it: key=value:Effect, or key:Effect.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    pair, colon, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    if not colon or effect not in EFFECTS:
        raise ValueError(f"{text!r} is no taint: key=value:Effect, with an effect of {', '.join(EFFECTS)}")
    if wrong := [*label_key_errors(key), *label_value_errors(value)]:
        raise ValueError(f"{text!r} is no taint: {wrong[0]}")
    return Taint(effect=effect, key=key, value=value)


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

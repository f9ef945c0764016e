"""SchedulingGates: a pod waits until its gates are gone (KEP-3521).

The apiserver has written the condition SchedulingGated by then; nothing but an update of the pod itself helps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scheduler.core.framework import Plugin
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot

NAME: Final = "SchedulingGates"


def is_open(gates: Sequence[str]) -> bool:
    """Whether the pod may be scheduled."""
    return not gates


def message(gates: Sequence[str]) -> str:
    """Say what the pod waits for."""
    return f"waiting for scheduling gates: [{' '.join(gates)}]"


class SchedulingGates(Plugin):
    """Holds back pods with gates."""

    name = NAME

    def gate(self, pod: PodInfo, snapshot: Snapshot) -> str:
        """Return which gates there are."""
        del snapshot
        return "" if is_open(pod.gates) else message(pod.gates)

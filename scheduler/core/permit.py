"""Permit: pods that have a node and are not bound yet, since a plugin has them wait.

    Permit says Wait ─▶ waiting, its place is counted ─▶ all who had it wait allow it ─▶ PreBind, Bind
                                 └─▶ one rejects it, or the time of one is over ─▶ it does not get the node

Plugins see the pods that wait, and allow or reject them. The shell is told by a callback that a pod's fate is known, and
says what time it is.

https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/#permit
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from machinery.model.go_numbers import format_duration
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot

LONGEST_S: Final = 15 * 60.0  # cluster seconds that a pod waits at most, whatever a plugin says


@dataclass(frozen=True, slots=True)
class Wait:
    """The pod waits until somebody allows or rejects it; so many cluster seconds at most."""

    within_s: float


class WaitingPod:
    """A pod with a node that is not bound yet. `settled` is called once, when it is known whether it will be."""

    def __init__(
        self, pod: PodInfo, node: str, waits: Mapping[str, Wait], now_s: float, settled: Callable[[], None]
    ) -> None:
        self.pod = pod
        self.node = node
        self.is_settled = False
        self.rejected: Stopped | None = None
        self._waits = {plugin: min(wait.within_s, LONGEST_S) for plugin, wait in waits.items()}
        self._begun_s = now_s
        self._settled = settled

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The names of the plugins that have not allowed it yet."""
        return tuple(self._waits)

    @property
    def due_s(self) -> float:
        """When the first plugin's time is over; in monotonic cluster seconds."""
        return self._begun_s + min(self._waits.values(), default=LONGEST_S)

    def allow(self, plugin: str) -> None:
        """Allow a pod to go on, as far as a plugin is concerned."""
        self._waits.pop(plugin, None)
        if not self._waits:
            self._settle(None)

    def reject(self, plugin: str, message: str) -> None:
        """Reject a pod in a plugin's name: it does not get its node."""
        self._settle(Stopped(plugin, message))

    def expire(self, now_s: float) -> None:
        """Reject it where a plugin's time is over."""
        for plugin, within_s in list(self._waits.items()):
            if self._begun_s + within_s <= now_s:
                text = f"rejected due to timeout after waiting {format_duration(within_s)} at plugin {plugin}"
                self.reject(plugin, text)

    def _settle(self, rejected: Stopped | None) -> None:
        if not self.is_settled:
            self.is_settled = True
            self.rejected = rejected
            self._settled()


class WaitingPods:
    """The pods that wait, by uid; those whose fate is known are not among them."""

    def __init__(self) -> None:
        self._pods: dict[str, WaitingPod] = {}

    def __iter__(self) -> Iterator[WaitingPod]:
        return iter([each for each in self._pods.values() if not each.is_settled])

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, uid: str) -> WaitingPod | None:
        """Return a pod that waits."""
        return self._pods.get(uid)

    def add(self, waiting: WaitingPod) -> None:
        """Note that a pod waits."""
        self._pods[waiting.pod.uid] = waiting

    def remove(self, uid: str) -> None:
        """Forget a pod, whose fate is known or does not matter any more."""
        self._pods.pop(uid, None)

    def reject(self, uid: str, plugin: str, message: str) -> None:
        """Reject a pod, if it waits."""
        if (found := self._pods.get(uid)) is not None:
            found.reject(plugin, message)


@dataclass(frozen=True, slots=True)
class Handle:
    """What a plugin gets to see and to steer beside the pod that it is asked about."""

    snapshot: Snapshot
    waiting: WaitingPods

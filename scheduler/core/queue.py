"""The pods that wait for a node, and when each is tried.

           gates are gone                      pop
    GATED ───────────────▶ ACTIVE ───────────────────▶ in flight ──▶ bound: leaves the queue
                             ▲ ▲                         │    │
                time is over │ └──────────┐              │    │ the binding failed
                           BACKOFF ◀──────┼──────────────┼────┘
                             ▲            │ no backoff   ▼ no node fits
                             └────────────┴──────── UNSCHEDULABLE
                              an event that may help, or 5 minutes

ACTIVE pods come out by priority, then by the time at which they came in. The backoff is 1 s after the first attempt
and doubles up to 10 s; it counts from the last attempt, so that it is mostly over when an event comes. All times
are monotonic cluster seconds, passed in.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count, takewhile
from typing import Final

from machinery.model.backoff import Backoff
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.pod import PodInfo
from scheduler.core.registry import helps

BACKOFF: Final = Backoff(initial_s=1.0, cap_s=10.0)
STUCK_S: Final = 300.0  # an unschedulable pod is tried again after so long even if nothing has happened


class Where(Enum):
    """The part of the queue that a pod is in."""

    GATED = auto()
    ACTIVE = auto()
    BACKOFF = auto()
    IN_FLIGHT = auto()
    UNSCHEDULABLE = auto()


@dataclass(slots=True)
class QueuedPod:
    """A pod and its history in the queue."""

    pod: PodInfo
    added_s: float
    where: Where = Where.ACTIVE
    attempts: int = 0
    tried_s: float = 0.0
    plugins: frozenset[str] = frozenset()  # that rejected it last
    ticket: int = 0  # of its valid entry in a heap


def _has_no_gates(pod: PodInfo) -> bool:
    return not pod.gates


class SchedulingQueue:
    """Pods by uid. Pods that `enters` says no to are gated, until `look_again` is called."""

    def __init__(self, enters: Callable[[PodInfo], bool] = _has_no_gates, backoff: Backoff = BACKOFF) -> None:
        self._backoff_of = backoff
        self._enters = enters
        self._pods: dict[str, QueuedPod] = {}
        self._counts = dict.fromkeys(Where, 0)
        self._active: list[tuple[int, float, int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        # by the plugins that rejected them; in each group by uid, in the order of their last attempts
        self._unschedulable: dict[frozenset[str], dict[str, QueuedPod]] = {}
        self._tickets = count(1)

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def where(self, uid: str) -> Where | None:
        """Return where a pod is."""
        item = self._pods.get(uid)
        return item.where if item else None

    def counts(self) -> dict[Where, int]:
        """Return how many pods there are in each part."""
        return dict(self._counts)

    def put(self, pod: PodInfo, now_s: float) -> None:
        """Add a pod, or take its new state; a change that may let it fit wakes it."""
        item = self._pods.get(pod.uid)
        if item is None:
            item = self._pods[pod.uid] = QueuedPod(pod, now_s)
            self._counts[item.where] += 1
            self._open(item)
            return
        same, item.pod = item.pod.asks_as(pod), pod
        if item.where is Where.GATED:
            self._open(item)
        elif item.where is Where.UNSCHEDULABLE and not same:
            self._wake(item, now_s)

    def look_again(self, uid: str) -> None:
        """Activate a gated pod, if it may enter by now."""
        item = self._pods.get(uid)
        if item is not None and item.where is Where.GATED:
            self._open(item)

    def remove(self, uid: str) -> None:
        """Remove a pod, wherever it is; entries in heaps are skipped later."""
        item = self._pods.pop(uid, None)
        if item is not None:
            self._counts[item.where] -= 1
            self._leave(item)

    def pop(self, now_s: float) -> QueuedPod | None:
        """Return the next pod to try; None when none is due. It is in flight until one of the methods below."""
        self._end_backoffs(now_s)
        while self._active:
            _, _, ticket, uid = heapq.heappop(self._active)
            item = self._valid(uid, ticket, Where.ACTIVE)
            if item is not None:
                self._move(item, Where.IN_FLIGHT)
                item.attempts += 1
                item.tried_s = now_s
                return item
        return None

    def set_unschedulable(self, item: QueuedPod, plugins: frozenset[str]) -> None:
        """Put back a pod that fits nowhere: it waits for an event that helps."""
        if self._pods.get(item.pod.uid) is not item:
            return
        item.plugins = plugins
        self._move(item, Where.UNSCHEDULABLE)
        self._unschedulable.setdefault(plugins, {})[item.pod.uid] = item

    def set_failed(self, item: QueuedPod) -> None:
        """Put back a pod whose binding failed: it is tried again after its backoff."""
        if self._pods.get(item.pod.uid) is item:
            self._back_off(item)

    def happened(
        self, event: ClusterEvent, now_s: float, concerns: Callable[[PodInfo], bool] = lambda _pod: True
    ) -> None:
        """Wake the pods that an event may help, of those that it concerns."""
        for plugins in [plugins for plugins in self._unschedulable if helps(event, plugins)]:
            for item in [each for each in self._unschedulable[plugins].values() if concerns(each.pod)]:
                self._wake(item, now_s)

    def next_due_s(self) -> float | None:
        """Return when `pop` may return something that it does not return now; None: only after a change."""
        while self._backoff and self._valid(self._backoff[0][2], self._backoff[0][1], Where.BACKOFF) is None:
            heapq.heappop(self._backoff)
        due = [self._backoff[0][0]] if self._backoff else []
        due += [next(iter(group.values())).tried_s + STUCK_S for group in self._unschedulable.values()]
        return min(due, default=None)

    def _open(self, item: QueuedPod) -> None:
        if self._enters(item.pod):
            self._activate(item)
        else:
            self._move(item, Where.GATED)

    def _move(self, item: QueuedPod, where: Where) -> None:
        self._counts[item.where] -= 1
        self._counts[where] += 1
        item.where = where

    def _activate(self, item: QueuedPod) -> None:
        self._move(item, Where.ACTIVE)
        item.ticket = next(self._tickets)
        heapq.heappush(self._active, (-item.pod.priority, item.added_s, item.ticket, item.pod.uid))

    def _back_off(self, item: QueuedPod) -> None:
        self._move(item, Where.BACKOFF)
        item.ticket = next(self._tickets)
        heapq.heappush(self._backoff, (self._ready_s(item), item.ticket, item.pod.uid))

    def _ready_s(self, item: QueuedPod) -> float:
        """Return when the backoff of a pod is over."""
        return item.tried_s + self._backoff_of.delay(item.attempts)

    def _wake(self, item: QueuedPod, now_s: float) -> None:
        self._leave(item)
        if self._ready_s(item) > now_s:
            self._back_off(item)
        else:
            self._activate(item)

    def _leave(self, item: QueuedPod) -> None:
        group = self._unschedulable.get(item.plugins, {})
        group.pop(item.pod.uid, None)
        if not group:
            self._unschedulable.pop(item.plugins, None)

    def _end_backoffs(self, now_s: float) -> None:
        while self._backoff and self._backoff[0][0] <= now_s:
            _, ticket, uid = heapq.heappop(self._backoff)
            item = self._valid(uid, ticket, Where.BACKOFF)
            if item is not None:
                self._activate(item)
        for group in list(self._unschedulable.values()):
            for item in list(takewhile(lambda item: item.tried_s + STUCK_S <= now_s, group.values())):
                self._wake(item, now_s)

    def _valid(self, uid: str, ticket: int, where: Where) -> QueuedPod | None:
        item = self._pods.get(uid)
        return item if item is not None and item.where is where and item.ticket == ticket else None

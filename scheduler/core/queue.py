"""The pods that wait for a node, and when each is tried.

           gates are gone                      pop
    GATED ───────────────▶ ACTIVE ───────────────────▶ in flight ──▶ bound: leaves the queue
                             ▲ ▲                         │    │
                time is over │ └──────────┐              │    │ the binding failed
                           BACKOFF ◀──────┼──────────────┼────┘
                             ▲            │ no backoff   ▼ no node fits
                             └────────────┴──────── UNSCHEDULABLE
                              an event that may help, or 5 minutes

ACTIVE pods come out by priority, then by the time at which they came in, where no plugin says otherwise. A pod is GATED by a
plugin; what may change that one's mind has it asked again. What may help a pod and happens while it is in flight counts, too. The backoff is 1 s after the first attempt
and doubles up to 10 s; it counts from the last attempt, so that it is mostly over when an event comes. All times
are monotonic cluster seconds, passed in.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count, takewhile
from typing import Final

from machinery.model.backoff import Backoff
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.plugins.scheduling_gates import SchedulingGates
from scheduler.core.pod import PodInfo
from scheduler.core.registry import HELPING, Helping

BACKOFF: Final = Backoff(initial_s=1.0, cap_s=10.0)
_FAILURE: Final = "ScheduleAttemptFailure"
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
    first_tried_s: float = 0.0
    plugins: frozenset[str] = frozenset()  # that rejected it last
    ticket: int = 0  # of its valid entry in a heap
    gated_by: str = ""  # the plugin that holds it back
    seen: int = 0  # how many events there had been when it was tried


class _Rejected:
    """The pods that the same plugins have rejected."""

    def __init__(self) -> None:
        self.pods: dict[str, QueuedPod] = {}  # by uid, in the order of their last attempts
        self._kinds: dict[Hashable, dict[str, QueuedPod]] = {}
        self._kind_of: dict[str, Hashable] = {}  # as it was when the pod came

    @property
    def tried_first_s(self) -> float:
        """When the pod was tried that has not been tried for longest."""
        return next(iter(self.pods.values())).tried_s

    def add(self, item: QueuedPod) -> None:
        uid, kind = item.pod.uid, item.pod.kind
        self.pods[uid] = item
        self._kind_of[uid] = kind
        self._kinds.setdefault(kind, {})[uid] = item

    def remove(self, item: QueuedPod) -> None:
        uid = item.pod.uid
        if self.pods.pop(uid, None) is None:
            return
        kind = self._kind_of.pop(uid)
        del self._kinds[kind][uid]
        if not self._kinds[kind]:
            del self._kinds[kind]

    def concerned(self, concerns: Callable[[PodInfo], bool], *, of_kinds: bool) -> list[QueuedPod]:
        """Return the pods that something concerns; `of_kinds`: one of each kind is asked about."""
        if not of_kinds:
            return [each for each in self.pods.values() if concerns(each.pod)]
        found: list[QueuedPod] = []
        for pods in self._kinds.values():
            if concerns(next(iter(pods.values())).pod):
                found += pods.values()
        return found


def _held_by(pod: PodInfo) -> str:
    return SchedulingGates.name if pod.gates else ""


def by_priority(pod: PodInfo, added_s: float) -> tuple[float, ...]:
    """Return the key of PrioritySort."""
    return (-pod.priority, added_s)


class SchedulingQueue:
    """Pods by uid. Pods that a plugin holds back (`held_by` says which) are gated, until `look_again` is called or something opens.

    `key` has numbers by which the pods that are due are in order; for equal ones it is the order in which they became due.
    """

    def __init__(
        self,
        held_by: Callable[[PodInfo], str] = _held_by,
        backoff: Backoff = BACKOFF,
        *,
        helping: Helping = HELPING,
        key: Callable[[PodInfo, float], tuple[float, ...]] = by_priority,
    ) -> None:
        self._backoff_of = backoff
        self._held_by = held_by
        self._helping = helping
        self._key = key
        self._pods: dict[str, QueuedPod] = {}
        self._counts = dict.fromkeys(Where, 0)
        self._into_gated: Counter[str] = Counter()
        self._into_active: Counter[str] = Counter()
        self._into_backoff: Counter[str] = Counter()
        self._into_unschedulable: Counter[str] = Counter()
        self._active: list[tuple[tuple[float, ...], int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._unschedulable: dict[frozenset[str], _Rejected] = {}  # by the plugins that rejected them
        self._gated: dict[str, dict[str, QueuedPod]] = {}  # by the plugin that holds them back
        self._tickets = count(1)
        self._events = 0  # that have happened
        self._last: dict[ClusterEvent, int] = {}  # which of them was the last of its kind

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, uid: str) -> bool:
        return uid in self._pods

    def where(self, uid: str) -> Where | None:
        """Return where a pod is."""
        item = self._pods.get(uid)
        return item.where if item else None

    def is_in_flight(self, item: QueuedPod) -> bool:
        """Whether a pod is being tried, and still to be."""
        return self._pods.get(item.pod.uid) is item and item.where is Where.IN_FLIGHT

    def pod(self, uid: str) -> PodInfo | None:
        """Return a pod as it was put in last."""
        item = self._pods.get(uid)
        return item.pod if item else None

    def counts(self) -> dict[Where, int]:
        """Return how many pods there are in each part."""
        return dict(self._counts)

    def incoming(self) -> Mapping[Where, Mapping[str, int]]:
        """Return how many pods came into each part so far, by what brought them, in the words of kube-scheduler's metrics."""
        return {
            Where.GATED: self._into_gated,
            Where.ACTIVE: self._into_active,
            Where.BACKOFF: self._into_backoff,
            Where.UNSCHEDULABLE: self._into_unschedulable,
        }

    def put(self, pod: PodInfo, now_s: float) -> None:
        """Add a pod, or take its new state; a change that may let it fit wakes it."""
        item = self._pods.get(pod.uid)
        if item is None:
            item = self._pods[pod.uid] = QueuedPod(pod, now_s)
            self._counts[item.where] += 1
            self._open(item, "UnscheduledPodAdd")
            return
        same, item.pod = item.pod.asks_as(pod) and item.pod.kind == pod.kind, pod
        if item.where is Where.GATED:
            self._open(item, "UnscheduledPodUpdate")
        elif item.where is Where.UNSCHEDULABLE and not same:
            self._wake(item, now_s, "UnscheduledPodUpdate")

    def look_again(self, uid: str) -> None:
        """Activate a gated pod, if it may enter by now."""
        item = self._pods.get(uid)
        if item is not None and item.where is Where.GATED:
            self._open(item, "UnscheduledPodUpdate")

    def wake(self, uid: str, now_s: float) -> None:
        """Try a pod again that fitted nowhere, once its backoff is over."""
        item = self._pods.get(uid)
        if item is not None and item.where is Where.UNSCHEDULABLE:
            self._wake(item, now_s, "ForceActivate")

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
            _, ticket, uid = heapq.heappop(self._active)
            item = self._valid(uid, ticket, Where.ACTIVE)
            if item is not None:
                self._move(item, Where.IN_FLIGHT)
                item.attempts += 1
                item.tried_s = now_s
                if item.attempts == 1:
                    item.first_tried_s = now_s
                item.seen = self._events
                return item
        return None

    def set_unschedulable(self, item: QueuedPod, plugins: frozenset[str]) -> None:
        """Put back a pod that fits nowhere: it waits for an event that helps, or tries again where one has happened meanwhile."""
        if self._pods.get(item.pod.uid) is not item:
            return
        item.plugins = plugins
        if item.seen < self._events and any(
            number > item.seen and self._helping.helps(event, plugins) for event, number in self._last.items()
        ):
            self._back_off(item, _FAILURE)
            return
        self._move(item, Where.UNSCHEDULABLE)
        self._into_unschedulable[_FAILURE] += 1
        self._unschedulable.setdefault(plugins, _Rejected()).add(item)

    def set_failed(self, item: QueuedPod) -> None:
        """Put back a pod whose binding failed: it is tried again after its backoff."""
        if self._pods.get(item.pod.uid) is item:
            self._back_off(item, _FAILURE)

    def happened(
        self,
        event: ClusterEvent,
        now_s: float,
        concerns: Callable[[PodInfo], bool] = lambda _pod: True,
        *,
        of_kinds: bool = False,
    ) -> None:
        """Wake the pods that an event may help, of those that it concerns; `of_kinds`: it concerns all pods of a kind, or none."""
        self._events += 1
        self._last[event] = self._events
        for plugins in [each for each in self._unschedulable if self._helping.helps(event, each)]:
            for item in self._unschedulable[plugins].concerned(concerns, of_kinds=of_kinds):
                self._wake(item, now_s, event.value)
        for plugin in [each for each in self._gated if self._helping.opens(event, each)]:
            for item in [each for each in self._gated[plugin].values() if concerns(each.pod)]:
                self._open(item, event.value)

    def next_due_s(self) -> float | None:
        """Return when `pop` may return something that it does not return now; None: only after a change."""
        while self._backoff and self._valid(self._backoff[0][2], self._backoff[0][1], Where.BACKOFF) is None:
            heapq.heappop(self._backoff)
        due = [self._backoff[0][0]] if self._backoff else []
        due += [group.tried_first_s + STUCK_S for group in self._unschedulable.values()]
        return min(due, default=None)

    def _open(self, item: QueuedPod, event: str) -> None:
        plugin = self._held_by(item.pod)
        if plugin != item.gated_by:
            self._ungate(item)
            item.gated_by = plugin
            if plugin:
                self._gated.setdefault(plugin, {})[item.pod.uid] = item
        if not plugin:
            self._activate(item, event)
        elif item.where is not Where.GATED:
            self._move(item, Where.GATED)
            self._into_gated[event] += 1

    def _move(self, item: QueuedPod, where: Where) -> None:
        self._counts[item.where] -= 1
        self._counts[where] += 1
        item.where = where

    def _activate(self, item: QueuedPod, event: str) -> None:
        self._move(item, Where.ACTIVE)
        self._into_active[event] += 1
        item.ticket = next(self._tickets)
        heapq.heappush(self._active, (self._key(item.pod, item.added_s), item.ticket, item.pod.uid))

    def _back_off(self, item: QueuedPod, event: str) -> None:
        self._move(item, Where.BACKOFF)
        self._into_backoff[event] += 1
        item.ticket = next(self._tickets)
        heapq.heappush(self._backoff, (self._ready_s(item), item.ticket, item.pod.uid))

    def _ready_s(self, item: QueuedPod) -> float:
        """Return when the backoff of a pod is over."""
        return item.tried_s + self._backoff_of.delay(item.attempts)

    def _wake(self, item: QueuedPod, now_s: float, event: str) -> None:
        self._leave(item)
        if self._ready_s(item) > now_s:
            self._back_off(item, event)
        else:
            self._activate(item, event)

    def _leave(self, item: QueuedPod) -> None:
        group = self._unschedulable.get(item.plugins)
        if group is not None:
            group.remove(item)
            if not group.pods:
                del self._unschedulable[item.plugins]
        self._ungate(item)

    def _ungate(self, item: QueuedPod) -> None:
        group = self._gated.get(item.gated_by, {})
        group.pop(item.pod.uid, None)
        if not group:
            self._gated.pop(item.gated_by, None)

    def _end_backoffs(self, now_s: float) -> None:
        while self._backoff and self._backoff[0][0] <= now_s:
            _, ticket, uid = heapq.heappop(self._backoff)
            item = self._valid(uid, ticket, Where.BACKOFF)
            if item is not None:
                self._activate(item, "BackoffComplete")
        for group in list(self._unschedulable.values()):
            for item in list(takewhile(lambda item: item.tried_s + STUCK_S <= now_s, group.pods.values())):
                self._wake(item, now_s, "UnschedulableTimeout")

    def _valid(self, uid: str, ticket: int, where: Where) -> QueuedPod | None:
        item = self._pods.get(uid)
        return item if item is not None and item.where is where and item.ticket == ticket else None

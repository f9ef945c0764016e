"""Pods that wait get their nodes, one decision after the other, as the scheduler's loop has it.

    waiting ─▶ SchedulingQueue ─▶ schedule() ─▶ Bind: counted at once, pods that it may help are tried again
                                             └▶ Unschedulable: waits for that; what still waits in the end stays
                                                └─ pods of lower priority make room? ─▶ they are gone at once, and it is tried again

A binding takes no time and never fails, nor does the end of a pod. Time passes only where nobody is due: then the shortest backoff is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.evaluations import Evaluations
from scheduler.core.framework import Nomination
from scheduler.core.guarded import PluginFailed
from scheduler.core.messages import fault
from scheduler.core.pod import PodInfo
from scheduler.core.profile import Profile
from scheduler.core.queue import QueuedPod, SchedulingQueue, Where
from scheduler.core.registry import Helping
from scheduler.core.schedule import Bind, Unschedulable, schedule
from scheduler.core.simulation.world import Member, World

_FEWEST_KINDS: Final = 64  # of pods whose evaluation is kept, as the scheduler's process keeps them
_VERDICTS: Final = 1_000_000  # about 200 bytes each: pods of many templates in turns are decided on without judging all nodes afresh

Profiles: TypeAlias = Mapping[str, Profile]


@dataclass(frozen=True, slots=True)
class Placed:
    """The pod goes to a node."""

    member: Member
    order: int  # of the decision, from 1
    decision: Bind


@dataclass(frozen=True, slots=True)
class Left:
    """The pod stays without a node."""

    member: Member
    reason: str  # Unschedulable, SchedulingGated, SchedulerError, OtherScheduler, Preempted
    message: str
    plugins: tuple[str, ...] = ()


Result: TypeAlias = Placed | Left


@dataclass(frozen=True, slots=True)
class Evicted:
    """A pod that had a node, and made room for one of higher priority."""

    pod: PodInfo
    by: PodInfo


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of all."""

    results: list[Result]  # in the order of `World.waiting`
    evicted: list[Evicted]  # in the order in which they went


def place(world: World, profiles: Profiles, tie_breaks: Callable[[], float]) -> Outcome:
    """Decide on every pod that waits.

    The world's snapshot has the placed pods on their nodes afterwards. `tie_breaks` draws a number in [0, 1) for each decision.
    """
    waiting = world.waiting()
    placing = Placing(world, profiles, tie_breaks)
    found = placing.run(waiting)
    return Outcome([found[each.info.uid] for each in waiting], placing.evicted)


class Placing:
    """Decides on pods of a world; evaluations are kept from run to run. With `preempts`, pods of lower priority make room."""

    def __init__(
        self,
        world: World,
        profiles: Profiles,
        tie_breaks: Callable[[], float],
        *,
        preempts: bool = True,
    ) -> None:
        self.evicted: list[Evicted] = []
        self._noted = 0
        self._snapshot = world.snapshot
        self._profiles = profiles
        self._tie_breaks = tie_breaks
        self._evaluations = self._fresh()
        self._helping = Helping([plugin for each in profiles.values() for plugin in each.plugins])
        self._preempts = preempts
        self._decided = 0

    def run(self, waiting: Iterable[Member]) -> dict[str, Result]:
        """Decide on some pods; returned by uid."""
        results: dict[str, Result] = {}
        queue, now_s = SchedulingQueue(lambda pod: self._gate(pod)[0], helping=self._helping), 0.0
        members = {each.info.uid: each for each in waiting}
        for each in members.values():
            if each.info.scheduler_name in self._profiles:
                queue.put(each.info, now_s)
            else:
                results[each.info.uid] = _other_scheduler(each)
        while True:
            item = queue.pop(now_s)
            if item is not None:
                member = members[item.pod.uid]
                results[item.pod.uid] = self._try(member, item, queue, now_s)
                self._note_evicted(results)
            elif queue.counts()[Where.BACKOFF] and (due_s := queue.next_due_s()) is not None:
                now_s = due_s
            else:
                break
        for uid, each in members.items():
            if uid not in results:
                results[uid] = Left(each, "SchedulingGated", self._gate(each.info)[1])
        return results

    def undo(self, placed: Placed) -> None:
        """Remove a pod that was placed from its node again."""
        for plugin, what in placed.decision.reserved:
            plugin.release(what, self._snapshot)
        self._snapshot.remove_pod(placed.member.info.uid)

    def _fresh(self) -> dict[str, Evaluations]:
        limit = max(_FEWEST_KINDS, _VERDICTS // max(1, self._snapshot.node_count))
        return {name: Evaluations(self._snapshot, each, limit) for name, each in self._profiles.items()}

    def _gate(self, pod: PodInfo) -> tuple[str, str]:
        """Return the plugin that holds a pod back before it is looked at, and what the pod has to wait for."""
        for each in self._profiles[pod.scheduler_name].gates:
            try:
                said = each.gate(pod, self._snapshot)
            except PluginFailed as failed:
                said = str(failed)
            if said:
                return each.name, said
        return "", ""

    def _try(self, member: Member, item: QueuedPod, queue: SchedulingQueue, now_s: float) -> Result:
        pod, snapshot = item.pod, self._snapshot
        try:
            evaluations = self._evaluations[pod.scheduler_name]
            decision = schedule(pod, snapshot, evaluations, tie_break=self._tie_breaks())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this pod only
            self._evaluations = self._fresh()
            queue.remove(pod.uid)
            return Left(member, "SchedulerError", fault(error))
        if isinstance(decision, Unschedulable):
            queue.set_unschedulable(item, decision.plugins)
            if decision.nomination is not None and self._preempts:
                self._nominate(pod, decision.nomination, queue, now_s)
            return Left(member, "Unschedulable", decision.message, tuple(sorted(decision.plugins)))
        self._keep(pod, decision)
        queue.remove(pod.uid)
        queue.happened(
            ClusterEvent.POD_ARRIVED,
            now_s,
            lambda waiting: self._helping.is_helped(waiting, pod, snapshot),
            of_kinds=self._helping.helps_kinds,
        )
        self._decided += 1
        return Placed(member, self._decided, decision)

    def _nominate(self, pod: PodInfo, nomination: Nomination, queue: SchedulingQueue, now_s: float) -> None:
        """Keep a node for a pod, and let those go that are in its way."""
        snapshot = self._snapshot
        if nomination.node:
            snapshot.nominate(pod, nomination.node)
        else:
            snapshot.withdraw(pod.uid)
        for each in nomination.displaced:
            snapshot.withdraw(each.uid)
            queue.wake(each.uid, now_s)
        for each in nomination.leaving:
            snapshot.remove_pod(each.uid)
            self.evicted.append(Evicted(each, pod))
        if nomination.leaving:
            queue.happened(ClusterEvent.POD_GONE, now_s)

    def _note_evicted(self, results: dict[str, Result]) -> None:
        """Change the results of pods that were placed and had to go again."""
        for each in self.evicted[self._noted :]:
            before = results.get(each.pod.uid)
            if before is not None:
                results[each.pod.uid] = Left(
                    before.member, "Preempted", f"{each.by.key} took its place on {each.pod.node}"
                )
        self._noted = len(self.evicted)

    def _keep(self, pod: PodInfo, decision: Bind) -> None:
        self._snapshot.set_pod(pod.on(decision.node))
        for plugin, what in decision.reserved:
            plugin.keep(what, decision.node, self._snapshot)


def _other_scheduler(member: Member) -> Left:
    name = member.info.scheduler_name
    return Left(member, "OtherScheduler", f'spec.schedulerName is "{name}", which no profile here has')

"""The scheduling loop: one decision at a time, any number of bindings under way (scheduler/binding_cycle.py).

queue ─▶ decide ─▶ bind, in the background
           │ └─▶ extenders are asked, in the background: about nodes that fit, about pods to be taken away; then decide
           └─▶ unschedulable: event, condition, wait for a change that helps
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Final, TypeVar

from machinery.client.waiting import event_within
from machinery.model.k8s.core_v1 import Pod
from machinery.wire.cause_headers import acting
from scheduler.binder import Outcome, outcome_of
from scheduler.binding_cycle import BindingCycle
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.evaluations import Evaluations
from scheduler.core.extended_preemption import Offers, cheapest
from scheduler.core.extending import Extended
from scheduler.core.framework import Nomination, Plugin
from scheduler.core.guarded import Limited, PluginFailed
from scheduler.core.messages import fault
from scheduler.core.plugins.default_preemption import NAME as _PREEMPTS
from scheduler.core.pod import PodInfo
from scheduler.core.queue import QueuedPod
from scheduler.core.schedule import Bind, Decision, Unschedulable, feasible, preemptable, schedule
from scheduler.parts import SchedulingParts
from scheduler.reports import cause_of_pod

T = TypeVar("T")
_ASKING: Final = 16  # pods about which extenders are asked at once
_LOOK_S: Final = 1.0  # cluster seconds between two looks for pods that nothing confirms


class SchedulingLoop:
    """Decides and has bound what it decided, while this process leads."""

    def __init__(
        self,
        parts: SchedulingParts,
        *,
        confirm_s: float,
        limited: Limited,
        random: Callable[[], float],
    ) -> None:
        self._watch = parts.watch
        self._binder = parts.binder
        self._profiles = parts.profiles
        self._pre_binders = parts.pre_binders
        self._reports = parts.reports
        self._extenders = parts.extenders
        self._asking = asyncio.Semaphore(_ASKING)
        self._clock = parts.clock
        self._woken = parts.woken
        self._slots = parts.slots
        self._confirm_s = confirm_s
        self._limited = limited  # of what plugins that are not Kubarium's take
        self._random = random
        self._log = parts.log
        self._evaluations = self._fresh_evaluations()
        self._is_running = False
        self._numbers = parts.numbers
        self._cycle = BindingCycle(parts)

    def _fresh_evaluations(self) -> dict[str, Evaluations]:
        snapshot = self._watch.snapshot
        return {name: Evaluations(snapshot, profile) for name, profile in self._profiles.items()}

    async def run(self) -> None:
        """Schedule until cancelled; bindings under way are given up then, and found out by the next leader."""
        self._is_running = True
        for pod, error in list(self._watch.unreadable.values()):
            self.tell_unreadable(pod, error)
        async with asyncio.TaskGroup() as tasks:
            self._binder.send_together(tasks)
            tasks.create_task(self._confirm(), name="confirm")
            while True:
                await self._slots.acquire()
                item = await self._next()
                self._try(item, tasks)
                await self._clock.sleep(0)  # let bindings and watch events have their turn

    async def _next(self) -> QueuedPod:
        queue = self._watch.queue
        while True:
            now_s = self._clock.monotonic()
            if (item := queue.pop(now_s)) is not None:
                return item
            self._woken.clear()
            due_s = queue.next_due_s()
            await event_within(self._woken, self._clock, None if due_s is None else max(0.0, due_s - now_s))

    def _try(
        self,
        item: QueuedPod,
        tasks: asyncio.TaskGroup,
        extended: Extended | None = None,
        offers: Offers | None = None,
    ) -> None:
        """Decide on one pod, which extenders may have to be asked about. The slot for its binding is held already."""
        watch, pod = self._watch, item.pod
        try:
            evaluations = self._evaluations[pod.scheduler_name]
            if extended is None and self._extenders.concern(pod):
                with self._limited() if evaluations.profile.is_extended else nullcontext():
                    fitting = feasible(pod, watch.snapshot, evaluations)
                if fitting:
                    self._slots.release()
                    asking = self._extenders.ask(pod, fitting)
                    tasks.create_task(self._ask(item, asking, tasks), name=f"ask-{pod.key}")
                    return
            mark = self._numbers.sampled(pod.scheduler_name)
            with self._limited() if evaluations.profile.is_extended else nullcontext():
                decision = schedule(
                    pod,
                    watch.snapshot,
                    evaluations,
                    tie_break=self._random(),
                    extended=extended,
                    offers=offers,
                    mark=mark,
                )
                found = self._to_be_asked_about(pod, decision, evaluations, extended, offers)
            if found:
                self._slots.release()
                working = self._ask_about_victims(item, found, extended, tasks)
                tasks.create_task(working, name=f"ask-{pod.key}")
                return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this pod only
            self._slots.release()
            self._give_up(item, error)
            return
        match decision:
            case Bind():
                self._reports.drop(pod)
                if (rest := self._cycle.begin(item, decision, mark)) is not None:
                    tasks.create_task(rest, name=f"bind-{pod.key}")
            case Unschedulable():
                self._slots.release()
                self._numbers.attempted(item, "unschedulable")
                nominated = self._nominate(pod, decision.nomination)
                watch.queue.set_unschedulable(item, decision.plugins)
                self._log.info("pod_unschedulable", pod=pod.key, message=decision.message)
                self._reports.unschedulable(pod, decision.message, nominated=nominated)
                for plugin, action in decision.actions:
                    tasks.create_task(self._act(pod, plugin, action))

    def _nominate(self, pod: PodInfo, nomination: Nomination | None) -> str | None:
        """Have a node kept for a pod; return what is to be written into its status of that, None for nothing."""
        if _PREEMPTS in self._profiles[pod.scheduler_name].remedying:
            self._numbers.preempts()
        if nomination is None:
            return None
        self._watch.nominate(pod, nomination)
        for each in nomination.displaced:
            self._reports.not_nominated(each)
        return nomination.node

    async def _act(self, pod: PodInfo, plugin: Plugin, action: object) -> None:
        """Do what a plugin wants done for a pod that fits nowhere."""
        with acting((cause_of_pod(pod),)):
            await self._pre_binders[plugin.name].act(action)

    def _to_be_asked_about(
        self,
        pod: PodInfo,
        decision: Decision,
        evaluations: Evaluations,
        extended: Extended | None,
        offers: Offers | None,
    ) -> Offers:
        """Return whom a decision might take away, where extenders have a say in that and were not asked; else nobody."""
        if (
            offers is not None
            or not isinstance(decision, Unschedulable)
            or decision.nomination is None
            or not decision.nomination.node
            or not self._extenders.concern_victims(pod)
        ):
            return {}
        snapshot = self._watch.snapshot
        return cheapest(preemptable(pod, snapshot, evaluations, extended), snapshot.node_count)

    async def _ask(
        self, item: QueuedPod, asking: Awaitable[Extended | None], tasks: asyncio.TaskGroup
    ) -> None:
        """Ask extenders about the nodes that fit a pod, and decide on it then."""
        if (extended := await self._asked(item, asking)) is not None:
            self._try(item, tasks, extended)

    async def _ask_about_victims(
        self, item: QueuedPod, offers: Offers, extended: Extended | None, tasks: asyncio.TaskGroup
    ) -> None:
        """Ask extenders about the pods that might be taken away for one, and decide on it then."""
        left = await self._asked(item, self._extenders.ask_about_victims(item.pod, offers))
        if left is not None:
            self._try(item, tasks, extended, left)

    async def _asked(self, item: QueuedPod, asking: Awaitable[T | None]) -> T | None:
        """Return what extenders answer, with a slot for the binding held; None where the pod is not decided on now."""
        try:
            with acting((cause_of_pod(item.pod),)):
                async with self._asking:
                    answer = await asking
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this pod only
            self._give_up(item, error)
            return None
        await self._slots.acquire()
        if answer is not None and self._watch.queue.is_in_flight(item):
            return answer
        self._slots.release()
        self._watch.queue.set_failed(item)  # if it is gone, the watch takes it out before it is due
        return None

    def _give_up(self, item: QueuedPod, error: Exception) -> None:
        """Report to a pod that a plugin failed on it, and try it again later; the others go on."""
        self._evaluations = self._fresh_evaluations()  # what the plugin left half done is dropped
        self._numbers.attempted(item, "error")
        self._watch.queue.set_failed(item)
        self._log.error("pod_not_judged", pod=item.pod.key, error=error)
        text = str(error) if isinstance(error, PluginFailed) else fault(error)
        self._reports.fault(item.pod, text)

    def tell_unreadable(self, pod: Pod, error: Exception) -> None:
        """Report to a pod that it cannot be read, and so not be scheduled; whoever does not lead says nothing."""
        if self._is_running:
            self._reports.unreadable(pod, fault(error))

    def tell_held(self, pod: PodInfo, failed: PluginFailed) -> None:
        """Report to a pod that a plugin failed on it before it was looked at; whoever does not lead says nothing."""
        self._log.error("plugin_failed", pod=pod.key, error=failed)
        if self._is_running:
            self._reports.fault(pod, str(failed))

    async def _confirm(self) -> None:
        """Ask about pods that were bound and that the watch has not shown on their node since."""
        while True:
            await self._clock.sleep(_LOOK_S)
            for pod in self._watch.snapshot.unconfirmed(self._clock.monotonic() - self._confirm_s):
                result = outcome_of(await self._binder.look(pod), pod, pod.node)
                if result is not None and result.outcome is Outcome.BOUND:
                    self._watch.snapshot.finish_binding(pod.uid, self._clock.monotonic())
                elif self._watch.snapshot.forget(pod.uid) is not None:
                    self._log.warning("binding_not_confirmed", pod=pod.key, node=pod.node)
                    self._watch.happened(ClusterEvent.POD_GONE)

"""The scheduling loop: one decision at a time, any number of bindings under way.

queue ─▶ decide ─▶ assume ─▶ have claims bound, bind (in the background) ─▶ bound: the watch confirms it
             │                         └──────────────────────────────────▶ failed: forget, back off
             └─▶ unschedulable: event, condition, wait for a change that helps
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.client.waiting import event_within
from machinery.model.causes import CauseRef, cause_of
from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import ObjectReference, Pod
from machinery.model.log import EventLog
from machinery.model.resources import PODS
from machinery.process.metrics import Metrics
from machinery.wire.cause_headers import acting
from scheduler.binder import Binder, Outcome, Result, outcome_of
from scheduler.cluster_watch import ClusterWatch
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.condition import FAULT, UNSCHEDULABLE
from scheduler.core.evaluations import Evaluations
from scheduler.core.messages import fault
from scheduler.core.pod import PodInfo
from scheduler.core.profile import Profile
from scheduler.core.queue import QueuedPod
from scheduler.core.schedule import Bind, Reserved, Unschedulable, schedule
from scheduler.pre_bind import NotReady, PreBinder
from scheduler.status_writer import StatusWriter

_LOOK_S: Final = 1.0  # cluster seconds between two looks for pods that nothing confirms


class SchedulingLoop:
    """Decides and has bound what it decided, while this process leads."""

    def __init__(
        self,
        watch: ClusterWatch,
        binder: Binder,
        profiles: Mapping[str, Profile],
        pre_binders: Mapping[str, PreBinder],
        conditions: StatusWriter,
        events: EventRecorder,
        *,
        clock: Clock,
        woken: asyncio.Event,
        bindings: int,
        confirm_s: float,
        random: Callable[[], float],
        metrics: Metrics,
        log: EventLog,
    ) -> None:
        self._watch = watch
        self._binder = binder
        self._profiles = profiles
        self._pre_binders = pre_binders  # by the plugins that reserve what they write
        self._conditions = conditions
        self._events = events
        self._clock = clock
        self._woken = woken
        self._slots = asyncio.Semaphore(bindings)
        self._confirm_s = confirm_s
        self._random = random
        self._log = log
        self._evaluations = self._fresh_evaluations()
        self._is_running = False
        self._attempts = metrics.counter(
            "scheduler_schedule_attempts_total", "Attempts to schedule a pod", ("result",)
        )
        self._waiting = metrics.gauge("scheduler_pending_pods", "Pods that wait for a node", ("queue",))

    def _fresh_evaluations(self) -> dict[str, Evaluations]:
        snapshot = self._watch.snapshot
        return {name: Evaluations(snapshot, profile) for name, profile in self._profiles.items()}

    async def run(self) -> None:
        """Schedule until cancelled; bindings under way are given up then, and found out by the next leader."""
        self._is_running = True
        for pod, error in list(self._watch.unreadable.values()):
            self.tell_unreadable(pod, error)
        async with asyncio.TaskGroup() as tasks:
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
            for where, number in queue.counts().items():
                self._waiting.set(number, where.name.lower())
            self._woken.clear()
            due_s = queue.next_due_s()
            await event_within(self._woken, self._clock, None if due_s is None else max(0.0, due_s - now_s))

    def _try(self, item: QueuedPod, tasks: asyncio.TaskGroup) -> None:
        """Decide on one pod. The slot for its binding is held already."""
        watch, pod = self._watch, item.pod
        try:
            evaluations = self._evaluations[pod.scheduler_name]
            decision = schedule(pod, watch.snapshot, evaluations, tie_break=self._random())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this pod only
            self._give_up(item, error)
            return
        match decision:
            case Bind():
                self._conditions.drop(pod)
                watch.snapshot.assume(pod, decision.node)
                if decision.reserved:
                    self._slots.release()
                    for plugin, what in decision.reserved:
                        plugin.keep(what, decision.node, watch.snapshot)
                    bind = self._bind_with_reserved(item, decision)
                else:
                    bind = self._bind(item, decision)
                tasks.create_task(bind, name=f"bind-{pod.key}")
            case Unschedulable():
                self._slots.release()
                self._attempts.add(1, "unschedulable")
                watch.queue.set_unschedulable(item, decision.plugins)
                self._log.info("pod_unschedulable", pod=pod.key, message=decision.message)
                self._tell(_cause(pod), UNSCHEDULABLE, decision.message)
                for plugin, action in decision.actions:
                    tasks.create_task(self._pre_binders[plugin.name].act(action))

    def _give_up(self, item: QueuedPod, error: Exception) -> None:
        """Report to a pod that a plugin failed on it, and try it again later; the others go on."""
        self._slots.release()
        self._evaluations = self._fresh_evaluations()  # what the plugin left half done is dropped
        self._attempts.add(1, "error")
        self._watch.queue.set_failed(item)
        self._log.error("pod_not_judged", pod=item.pod.key, error=error)
        self._tell(_cause(item.pod), FAULT, fault(error))

    def tell_unreadable(self, pod: Pod, error: Exception) -> None:
        """Report to a pod that it cannot be read, and so not be scheduled; whoever does not lead says nothing."""
        if self._is_running:
            self._tell(cause_of(PODS, pod), FAULT, fault(error))

    def _tell(self, about: CauseRef, reason: str, message: str) -> None:
        with acting((about,)):
            self._events.record(_reference(about), WARNING, "FailedScheduling", message)
        self._conditions.set_unschedulable(about, reason, message)

    async def _bind(self, item: QueuedPod, decision: Bind) -> None:
        try:
            with acting((_cause(item.pod),)):
                await self._bind_pod(item, decision, self._clock.monotonic())
        finally:
            self._slots.release()

    async def _bind_pod(self, item: QueuedPod, decision: Bind, begun_s: float) -> Outcome:
        result = await self._binder.bind(item.pod, decision.node)
        self._take(item, decision, result, begun_s)
        return result.outcome

    async def _bind_with_reserved(self, item: QueuedPod, decision: Bind) -> None:
        """Have written what was reserved for a pod, then have it bound; what may take minutes holds no slot."""
        pod, begun_s = item.pod, self._clock.monotonic()
        with acting((_cause(pod),)):
            for reserved in decision.reserved:
                try:
                    await self._pre_binders[reserved.plugin.name].bind(pod, reserved.what, decision.node)
                except NotReady as problem:
                    self._tell_not_bound(item, decision, reserved, str(problem))
                    return
            outcome = await self._bind_pod(item, decision, begun_s)
            if outcome is Outcome.REFUSED:
                for plugin, what in decision.reserved:
                    await self._pre_binders[plugin.name].undo(pod, what)

    def _tell_not_bound(self, item: QueuedPod, decision: Bind, reserved: Reserved, problem: str) -> None:
        pod, plugin = item.pod, reserved.plugin.name
        self._log.warning("claims_not_bound", pod=pod.key, node=decision.node, plugin=plugin, problem=problem)
        self._attempts.add(1, "error")
        self._give_back(item, decision)
        if self._watch.is_there(pod):
            self._tell(_cause(pod), FAULT, f'running PreBind plugin "{plugin}": {problem}')

    def _take(self, item: QueuedPod, decision: Bind, result: Result, begun_s: float) -> None:
        watch, pod, now_s = self._watch, item.pod, self._clock.monotonic()
        if result.outcome is Outcome.BOUND:
            self._attempts.add(1, "scheduled")
            watch.queue.remove(pod.uid)
            watch.snapshot.finish_binding(pod.uid, now_s)
            text = f"Successfully assigned {pod.key} to {decision.node}"
            self._events.record(_reference(_cause(pod)), NORMAL, "Scheduled", text)
            elapsed_ms = round(self._clock.timescale.wall(now_s - begun_s) * 1000, 1)
            self._log.info("pod_bound", pod=pod.key, node=decision.node, elapsed_ms=elapsed_ms)
            return
        self._attempts.add(1, "error")
        self._log.warning(
            "pod_not_bound",
            pod=pod.key,
            node=decision.node,
            outcome=result.outcome.name.lower(),
            error=result.error,
        )
        self._give_back(item, decision)

    def _give_back(self, item: QueuedPod, decision: Bind) -> None:
        """Count a pod nowhere, and its volumes as free; it is tried again later."""
        watch = self._watch
        self._release(decision)
        if watch.snapshot.forget(item.pod.uid) is not None:
            watch.happened(ClusterEvent.POD_GONE)
        watch.queue.set_failed(
            item
        )  # if it is gone or somewhere else, the watch takes it out before it is due
        self._woken.set()

    def _release(self, decision: Bind) -> None:
        """Count as free what was reserved for a pod and has not been written."""
        for plugin, what in decision.reserved:
            plugin.release(what, self._watch.snapshot)
            for event in plugin.releases:
                self._watch.happened(event)

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


def _cause(pod: PodInfo) -> CauseRef:
    return CauseRef(str(PODS), pod.namespace, pod.name, pod.uid, pod.revision)


def _reference(about: CauseRef) -> ObjectReference:
    return ObjectReference(
        apiVersion="v1",
        kind="Pod",
        namespace=about.namespace,
        name=about.name,
        uid=about.uid,
        resourceVersion=str(about.revision),
    )

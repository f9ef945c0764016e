"""From a decision to a bound pod, or to a pod that has given its node back.

assume, Reserve ─▶ Permit ─┬─▶ PreBind ─▶ Bind ─▶ bound, PostBind: the watch confirms it
                   │       │       └────────┴───▶ failed: Unreserve, forget, back off
                   │       └ allowed
                   └─▶ waits, and holds its place ─▶ rejected, or its time is over: Unreserve, forget, wait for a change that helps
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from machinery.client.waiting import event_within
from machinery.wire.cause_headers import acting
from scheduler.binder import Outcome, Result, outcome_of
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Plugin
from scheduler.core.guarded import PluginFailed
from scheduler.core.messages import not_permitted
from scheduler.core.permit import Handle, Wait, WaitingPod
from scheduler.core.pod import PodInfo
from scheduler.core.profile import Profile
from scheduler.core.queue import QueuedPod
from scheduler.core.registry import EXTENDER
from scheduler.core.rejection import Stopped
from scheduler.core.schedule import Bind, Mark
from scheduler.parts import SchedulingParts
from scheduler.pre_bind import NotReady
from scheduler.reports import cause_of_pod


class Placed(NamedTuple):
    """A pod with the node that was chosen for it, and since when it has that (monotonic cluster seconds)."""

    item: QueuedPod
    decision: Bind
    begun_s: float
    is_expected: bool = False  # which node that is, is written into the pod's status before it is bound

    @property
    def pod(self) -> PodInfo:
        """The pod."""
        return self.item.pod

    @property
    def node(self) -> str:
        """The name of the node."""
        return self.decision.node


class BindingCycle:
    """Has bound what was decided. `numbers` counts how an attempt ended, `woken` wakes who looks for pods to decide on."""

    def __init__(self, parts: SchedulingParts) -> None:
        self._watch = parts.watch
        self._binder = parts.binder
        self._profiles = parts.profiles
        self._pre_binders = parts.pre_binders
        self._reports = parts.reports
        self._extenders = parts.extenders
        self._api = parts.api
        self._handle = Handle(parts.watch.snapshot, parts.waiting)
        self._clock = parts.clock
        self._slots = parts.slots
        self._woken = parts.woken
        self._plugin_timeout_s = parts.plugin_timeout_s
        self._numbers = parts.numbers
        self._log = parts.log

    def begin(self, item: QueuedPod, decision: Bind, mark: Mark) -> Coroutine[Any, Any, None] | None:
        """Count a pod on its node; return what is left to be done, None where it does not get the node.

        The slot that is held for the binding is given back by then, or at the end of what is left. `mark` is
        told when Reserve and Permit have ended.
        """
        placed = Placed(item, decision, self._clock.monotonic())
        try:
            waits = self._reserve(placed, mark)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this pod only
            self._slots.release()
            self._fail(placed, str(error) if isinstance(error, PluginFailed) else repr(error))
            return None
        if isinstance(waits, Stopped):
            self._slots.release()
            self._turn_down(placed, waits)
            return None
        profile = self._profile(placed)
        if not waits and not decision.reserved and not profile.pre_binds and not self._binds(placed):
            return self._bind_soon(placed)
        self._slots.release()  # what may take minutes holds none
        if waits or self._has_to_be_prepared(placed):
            placed = placed._replace(is_expected=True)
        if not waits:
            return self._bind_slowly(placed)
        news = asyncio.Event()
        waiting = WaitingPod(placed.pod, placed.node, waits, placed.begun_s, news.set)
        self._handle.waiting.add(waiting)
        self._log.info("pod_waits", pod=placed.pod.key, node=placed.node, plugins=",".join(waits))
        return self._wait(placed, waiting, news)

    # -- before the binding --

    def _profile(self, placed: Placed) -> Profile:
        return self._profiles[placed.pod.scheduler_name]

    def _has_to_be_prepared(self, placed: Placed) -> bool:
        """Whether something is done before the pod can be bound: volumes, devices, plugins of one's own."""
        kept = (plugin.name in self._pre_binders for plugin, _ in placed.decision.reserved)
        return any(kept) or bool(self._profile(placed).pre_binds)

    async def _expect(self, placed: Placed) -> None:
        """Write down where a pod is about to go, so that others can heed it, and the next scheduler go on with it (KEP-5278)."""
        if placed.is_expected and placed.pod.nominated != placed.node:
            with acting((cause_of_pod(placed.pod),)):
                await self._reports.expect(placed.pod, placed.node, timeout_s=self._plugin_timeout_s)

    def _binds(self, placed: Placed) -> list[Plugin]:
        """Return who is asked to bind a pod before DefaultBinder is."""
        return [*self._extenders.binders(placed.pod), *self._profile(placed).binds]

    def _reserve(self, placed: Placed, mark: Mark) -> dict[str, Wait] | Stopped:
        """Count a pod and what it gets on its node; return who has it wait, or that it does not get the node."""
        snapshot = self._watch.snapshot
        self._watch.withdraw(placed.pod.uid, placed.node)
        snapshot.assume(placed.pod, placed.node)
        for plugin, what in placed.decision.reserved:
            plugin.keep(what, placed.node, snapshot)
        mark("Reserve", "Success")
        permits, node = self._profile(placed).permits, snapshot.node(placed.node)
        waits: dict[str, Wait] = {}
        if permits and node is not None:
            for plugin in permits:
                said = plugin.permit(placed.pod, node, self._handle)
                if isinstance(said, Stopped):
                    mark("Permit", "Unschedulable")
                    return said
                if said is not None:
                    waits[plugin.name] = said
            mark("Permit", "Wait" if waits else "Success")
        return waits

    async def _wait(self, placed: Placed, waiting: WaitingPod, news: asyncio.Event) -> None:
        try:
            await self._expect(placed)
            while not waiting.is_settled:
                left_s = waiting.due_s - self._clock.monotonic()
                if left_s > 0:
                    await event_within(news, self._clock, left_s)
                else:
                    waiting.expire(self._clock.monotonic())
        except asyncio.CancelledError:
            # this process schedules no more; the next may go on
            self._release(placed._replace(is_expected=False))
            raise
        finally:
            self._handle.waiting.remove(placed.pod.uid)
        if waiting.rejected is not None:
            self._turn_down(placed, waiting.rejected)
        else:
            await self._bind_prepared(placed)

    # -- the binding --

    async def _bind_soon(self, placed: Placed) -> None:
        try:
            with acting((cause_of_pod(placed.pod),)):
                await self._bind(placed)
        finally:
            self._slots.release()

    async def _bind_slowly(self, placed: Placed) -> None:
        await self._expect(placed)
        await self._bind_prepared(placed)

    async def _bind_prepared(self, placed: Placed) -> None:
        """Do what comes before a binding and may take minutes, then have the pod bound."""
        pod, node, mark = placed.pod, placed.node, self._numbers.stopwatch(placed.pod.scheduler_name)
        with acting((cause_of_pod(pod),)):
            for plugin, what in placed.decision.reserved:
                if plugin.name in self._pre_binders:
                    try:
                        await self._pre_binders[plugin.name].bind(pod, what, node)
                    except NotReady as not_ready:
                        mark("PreBind", "Error")
                        self._fail(placed, f'running PreBind plugin "{plugin.name}": {not_ready}')
                        return
            for plugin in self._profile(placed).pre_binds:
                if (
                    problem := await self._run(plugin, "PreBind", plugin.pre_bind(pod, node, self._api))
                ) is not None:
                    mark("PreBind", "Error")
                    self._fail(placed, problem)
                    return
            mark("PreBind", "Success")
            outcome = await self._bind(placed)
            if outcome is Outcome.REFUSED:
                for plugin, what in placed.decision.reserved:
                    if plugin.name in self._pre_binders:
                        await self._pre_binders[plugin.name].undo(pod, what)

    async def _run(self, plugin: Plugin, point: str, work: Coroutine[Any, Any, object]) -> str | None:
        """Do what a plugin does; return what is wrong with that."""
        try:
            async with self._clock.timeout_wall(None if plugin.name == EXTENDER else self._plugin_timeout_s):
                await work
        except TimeoutError:
            return f'running {point} plugin "{plugin.name}": it took longer than {self._plugin_timeout_s:g} s'
        except PluginFailed as failed:
            return str(failed)
        return None

    async def _bind(self, placed: Placed) -> Outcome:
        pod, node, mark = placed.pod, placed.node, self._numbers.stopwatch(placed.pod.scheduler_name)
        for plugin in self._binds(placed):
            did: list[bool] = []
            problem = await self._run(plugin, "Bind", _noting(plugin.bind(pod, node, self._api), did))
            if problem is None and not any(did):
                continue
            result = outcome_of(await self._binder.look(pod), pod, node) or Result(Outcome.REFUSED)
            if result.outcome is Outcome.REFUSED:
                mark("Bind", "Error")
                said = (
                    problem
                    or f'running Bind plugin "{plugin.name}": it said that the pod was bound, and it is not'
                )
                self._fail(placed, said)
                return result.outcome
            break
        else:
            result = await self._binder.bind(pod, node)
        mark("Bind", "Success" if result.outcome is Outcome.BOUND else "Error")
        self._take(placed, result)
        if result.outcome is Outcome.BOUND and self._profile(placed).post_binds:
            await self._post_bind(placed)
            mark("PostBind", "Success")
        return result.outcome

    async def _post_bind(self, placed: Placed) -> None:
        for plugin in self._profile(placed).post_binds:
            work = plugin.post_bind(placed.pod, placed.node, self._api)
            if (problem := await self._run(plugin, "PostBind", work)) is not None:
                self._log.warning("post_bind_failed", pod=placed.pod.key, plugin=plugin.name, problem=problem)

    def _take(self, placed: Placed, result: Result) -> None:
        watch, pod, now_s = self._watch, placed.pod, self._clock.monotonic()
        if result.outcome is Outcome.BOUND:
            self._numbers.attempted(placed.item, "scheduled")
            watch.queue.remove(pod.uid)
            watch.snapshot.finish_binding(pod.uid, now_s)
            self._reports.bound(pod, placed.node)
            elapsed_ms = round(self._clock.timescale.wall(now_s - placed.begun_s) * 1000, 1)
            self._log.info("pod_bound", pod=pod.key, node=placed.node, elapsed_ms=elapsed_ms)
            return
        self._numbers.attempted(placed.item, "error")
        self._log.warning(
            "pod_not_bound",
            pod=pod.key,
            node=placed.node,
            outcome=result.outcome.name.lower(),
            error=result.error,
        )
        self._give_back(placed)

    # -- the node is given back --

    def _fail(self, placed: Placed, problem: str) -> None:
        """Free the node, since something before the binding has failed; the pod is told, and tried again later."""
        self._log.warning("pod_not_placed", pod=placed.pod.key, node=placed.node, problem=problem)
        self._numbers.attempted(placed.item, "error")
        self._give_back(placed)
        if self._watch.is_there(placed.pod):
            self._reports.fault(placed.pod, problem)

    def _turn_down(self, placed: Placed, rejected: Stopped) -> None:
        """Free the node, since a plugin does not permit it; the pod waits for what may change the plugin's mind."""
        pod = placed.pod
        self._numbers.attempted(placed.item, "unschedulable")
        self._release(placed)
        if self._watch.is_there(pod):
            self._watch.queue.set_unschedulable(placed.item, frozenset({rejected.plugin}))
            message = not_permitted(rejected.message)
            self._log.info("pod_unschedulable", pod=pod.key, message=message)
            self._reports.unschedulable(pod, message)
        self._woken.set()

    def _give_back(self, placed: Placed) -> None:
        """Count a pod nowhere, and its volumes as free; it is tried again later."""
        self._release(placed)
        # if it is gone or somewhere else, the watch takes it out before it is due
        self._watch.queue.set_failed(placed.item)
        self._woken.set()

    def _release(self, placed: Placed) -> None:
        """Count as free what was reserved for a pod and has not been written, in reverse order, and its place."""
        watch = self._watch
        for plugin, what in reversed(placed.decision.reserved):
            self._undo(placed, lambda plugin=plugin, what=what: plugin.release(what, watch.snapshot))  # type: ignore[misc]
            for event in plugin.releases:
                watch.happened(event)
        for plugin in self._profile(placed).unreserves:
            self._undo(placed, lambda plugin=plugin: plugin.unreserve(placed.pod, placed.node, self._handle))  # type: ignore[misc]
        if watch.snapshot.forget(placed.pod.uid) is not None:
            watch.happened(ClusterEvent.POD_GONE)
        if placed.is_expected:
            self._reports.not_nominated(placed.pod)
        else:
            watch.put_back(placed.pod)

    def _undo(self, placed: Placed, undo: Callable[[], None]) -> None:
        """Have a plugin undo something; one that fails at that keeps nobody else from it."""
        try:
            undo()
        except PluginFailed as failed:
            self._log.error("plugin_failed", pod=placed.pod.key, error=failed)


async def _noting(work: Coroutine[Any, Any, bool], did: list[bool]) -> None:
    did.append(await work)

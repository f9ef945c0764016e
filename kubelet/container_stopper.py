"""Stops containers: preStop, the stop signal, and SIGKILL when the grace period is over.

The time is kept here, in cluster seconds (see kubelet/core/termination.py); a deadline that is shortened on the way
takes effect at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubelet.core.actions import ActionKey, KillContainer, key_of
from kubelet.core.references import container_reference
from kubelet.core.termination import Deadline, runtime_timeout_s
from kubelet.hooks import HookProblem, Hooks
from kubelet.runtime import Runtime
from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import NotFound
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import EventLog


@dataclass(slots=True)
class _Stopping:
    deadline: Deadline
    shortened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class ContainerStopper:
    """The kills that are on their way."""

    runtime: Runtime
    hooks: Hooks
    events: EventRecorder
    clock: Clock
    log: EventLog
    _stopping: dict[ActionKey, _Stopping] = field(init=False, default_factory=dict)

    async def stop(self, pod: Pod, action: KillContainer) -> None:
        """Bring a container to its end; returns when it is over.

        Raises:
            ApiError: the runtime could not stop it.
        """
        self.events.record(container_reference(pod, action.kill.name), NORMAL, "Killing", action.kill.message)
        key = key_of(action)
        stopping = self._stopping[key] = _Stopping(action.deadline)
        try:
            if action.pre_stop is not None:
                await self._run_pre_stop(pod, action, stopping)
            await self._signal_and_kill(pod, action.kill.id, stopping)
        except NotFound:
            self.log.debug("container_gone", container=action.kill.id)
        finally:
            if self._stopping.get(key) is stopping:
                del self._stopping[key]

    def shorten(self, key: ActionKey, deadline: Deadline) -> None:
        """Shorten the grace period of a kill that is under way."""
        if stopping := self._stopping.get(key):
            stopping.deadline = deadline
            stopping.shortened.set()

    async def _run_pre_stop(self, pod: Pod, action: KillContainer, stopping: _Stopping) -> None:
        hook = asyncio.ensure_future(self._run_hook(pod, action, stopping))
        try:
            if not await self._wait(hook, stopping, lambda: stopping.deadline.end_s):
                self.log.info("pre_stop_cut_short", pod=_name(pod), container=action.kill.name)
        finally:
            hook.cancel()
            await asyncio.gather(hook, return_exceptions=True)

    async def _run_hook(self, pod: Pod, action: KillContainer, stopping: _Stopping) -> None:
        limit_s = stopping.deadline.pre_stop_limit_s(self.clock.now())
        if action.pre_stop is None or limit_s <= 0:
            return
        try:
            await self.hooks.run(
                action.pre_stop,
                container_id=action.kill.id,
                ports=action.ports,
                pod_ip=action.pod_ip,
                limit_s=limit_s,
            )
        except HookProblem as problem:
            self.log.info("pre_stop_failed", pod=_name(pod), container=action.kill.name, problem=problem)
            about = container_reference(pod, action.kill.name)
            self.events.record(about, WARNING, "FailedPreStopHook", "PreStopHook failed")

    async def _signal_and_kill(self, pod: Pod, container_id: str, stopping: _Stopping) -> None:
        signalled_s = self.clock.now()
        window_s = stopping.deadline.kill_at(signalled_s) - signalled_s
        timeout_s = runtime_timeout_s(window_s, self.clock.timescale)
        stop = asyncio.ensure_future(self.runtime.stop_container(container_id, timeout_s))
        try:
            if await self._wait(stop, stopping, lambda: stopping.deadline.kill_at(signalled_s)):
                await stop
                return
            self.log.info("grace_period_over", pod=_name(pod), container=container_id)
            await self.runtime.stop_container(container_id, 0)
        finally:
            stop.cancel()
            await asyncio.gather(stop, return_exceptions=True)

    async def _wait(self, work: asyncio.Future[Any], stopping: _Stopping, end_s: Callable[[], float]) -> bool:
        """Wait for some work until `end_s()`, which may come nearer; return whether the work is over."""
        while not work.done():
            left_s = end_s() - self.clock.now()
            if left_s <= 0:
                return False
            stopping.shortened.clear()
            others = [
                asyncio.ensure_future(stopping.shortened.wait()),
                asyncio.ensure_future(self.clock.sleep(left_s)),
            ]
            try:
                await asyncio.wait([work, *others], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for other in others:
                    other.cancel()
                await asyncio.gather(*others, return_exceptions=True)
        return True


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"

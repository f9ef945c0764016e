"""PreStop, the stop signal, SIGKILL: what is asked of the runtime, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubelet.container_stopper import ContainerStopper
from kubelet.core.actions import ActionKey, KillContainer, Verb
from kubelet.core.pod_actions import Kill
from kubelet.core.termination import Deadline
from kubelet.hooks import Hooks
from machinery.model.errors import Unavailable
from machinery.model.k8s.core_v1 import ExecAction, LifecycleHandler, SleepAction
from machinery.model.log import SILENT
from machinery.pb import cri_pb2 as cri
from tests.support.builders import pod
from tests.support.kubelet_node import KeptEvents
from tests.support.virtual_clock import START_S, VirtualClock

EXEC = LifecycleHandler(exec=ExecAction(command=["bye"]))


def sleeping(seconds: int) -> LifecycleHandler:
    return LifecycleHandler(sleep=SleepAction(seconds=seconds))


class FakeRuntime:
    """A container that ends `ends_after_s` after its stop signal, or never; notes what it is asked, and when."""

    def __init__(self, clock: VirtualClock, ends_after_s: float | None = 0.0, hook_s: float = 0.0) -> None:
        self.clock = clock
        self.ends_after_s = ends_after_s
        self.hook_s = hook_s
        self.exit_code = 0
        self.calls: list[tuple[float, Any]] = []
        self.over = asyncio.Event()

    async def stop_container(self, _id: str, timeout_s: int) -> None:
        self.calls.append((self.clock.now() - START_S, timeout_s))
        if timeout_s == 0:
            self.over.set()
        elif self.ends_after_s is not None:
            await self.clock.sleep(self.ends_after_s)
        else:
            await self.over.wait()

    async def exec_sync(self, _id: str, command: list[str], timeout_s: float) -> cri.ExecSyncResponse:
        self.calls.append((self.clock.now() - START_S, (*command, timeout_s)))
        await self.clock.sleep(self.hook_s)
        return cri.ExecSyncResponse(exit_code=self.exit_code)


class World:
    def __init__(self, ends_after_s: float | None = 0.0, hook_s: float = 0.0) -> None:
        self.clock = VirtualClock()
        self.runtime: Any = FakeRuntime(self.clock, ends_after_s, hook_s)
        self.events: Any = KeptEvents()
        hooks = Hooks(self.runtime, self.clock)
        self.stopper = ContainerStopper(self.runtime, hooks, self.events, self.clock, SILENT)

    async def stop(self, grace_s: float, hook: LifecycleHandler | None = None) -> float:
        kill = Kill("c1", "main", "Stopping container main", grace_s)
        action = KillContainer(kill, Deadline(self.clock.now(), grace_s), hook, (), "10.0.0.1")
        await self.stopper.stop(pod(), action)
        return self.clock.now() - START_S


async def test_a_container_that_listens_ends_at_once():
    """One stop, with a timeout that is longer than the grace period; no second one."""
    world = World()
    assert await world.stop(30) == 0
    assert world.runtime.calls == [(0, 31)]
    assert world.events.reasons == ["Killing"]


async def test_a_deaf_container_is_killed_at_the_end_of_its_grace_period():
    """The second stop, with timeout 0, is SIGKILL."""
    world = World(ends_after_s=None)
    assert await world.stop(30) == 30
    assert world.runtime.calls == [(0, 31), (30, 0)]


@pytest.mark.parametrize(("hook_s", "signalled_s", "killed_s"), [(10, 10, 30), (29, 29, 31), (60, 30, 32)])
async def test_the_hook_uses_up_the_grace_period(hook_s, signalled_s, killed_s):
    """The stop signal comes after the hook; two seconds always lie between it and SIGKILL."""
    world = World(ends_after_s=None)
    await world.stop(30, sleeping(hook_s))
    assert [at_s for at_s, _ in world.runtime.calls] == [signalled_s, killed_s]


async def test_an_exec_hook_runs_before_the_stop():
    """It gets what is left of the grace period as its timeout."""
    world = World(hook_s=4)
    await world.stop(30, EXEC)
    assert world.runtime.calls == [(0, ("bye", 30.0)), (4, 27)]


async def test_a_hook_that_fails_does_not_hold_up_the_stop():
    """FailedPreStopHook, then the stop signal."""
    world = World()
    world.runtime.exit_code = 1
    await world.stop(30, EXEC)
    assert [call for _, call in world.runtime.calls][-1] == 31
    assert world.events.reasons == ["Killing", "FailedPreStopHook"]


@pytest.mark.parametrize("hook", [None, sleeping(100)])
async def test_less_grace_takes_effect_at_once(hook):
    """During the hook as well as between signal and kill."""
    world = World(ends_after_s=None)
    stopping = asyncio.ensure_future(world.stop(600, hook))
    await world.clock.advance(5)
    world.stopper.shorten(ActionKey(Verb.KILL, "c1"), Deadline(world.clock.now(), 1))
    assert await stopping == (6 if hook is None else 8)


async def test_a_runtime_that_fails_is_reported():
    """The error goes to the caller, who tries again later."""
    world = World()

    async def refuse(*_: Any) -> None:
        raise Unavailable("gone")

    world.runtime.stop_container = refuse
    with pytest.raises(Unavailable):
        await world.stop(30)
    world.stopper.shorten(ActionKey(Verb.KILL, "c1"), Deadline(0, 1))  # nothing is left behind

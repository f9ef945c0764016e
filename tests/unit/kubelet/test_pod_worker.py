"""The shell of one pod's life: news, time, and what comes of them. The life itself is tested as a pure function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from kubelet.core.actions import Action, ActionKey, RunSandbox
from kubelet.core.containers import ProbeStates
from kubelet.core.instructions import Problem, Stimulus
from kubelet.core.life import Life, Surroundings
from kubelet.core.observed import NOTHING, ObservedContainer, ObservedPod
from kubelet.core.pod_lifecycle import begin, handle
from kubelet.core.termination import Deadline
from kubelet.pod_worker import PodWorker, Tools
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import Pod, PodStatus
from machinery.model.log import SILENT
from tests.support.builders import pod
from tests.support.pod_life import seen
from tests.support.virtual_clock import TimerClock

TICK_S = 0.001


class TickingClock(TimerClock):
    """A clock that moves with every look at it, and whose sleepers wake half a tick early."""

    @property
    def timescale(self) -> Timescale:
        """One to one."""
        return Timescale()

    def __init__(self) -> None:
        self._now_s = 1_767_225_600.0

    def now(self) -> float:
        """Return the time; the next look gives a later one."""
        seen_s, self._now_s = self._now_s, self._now_s + TICK_S
        return seen_s

    monotonic = now

    def call_later(self, within_s: float, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        """Make the time pass at once, counted from the last look at it, except for half a tick."""
        return asyncio.get_running_loop().call_soon(self._pass, within_s, callback, *args)

    def _pass(self, within_s: float, callback: Callable[..., object], *args: Any) -> None:
        self._now_s += max(0.0, within_s - 1.5 * TICK_S)
        callback(*args)


class Surface:
    """All that a worker talks to: no sandbox can be made, and nothing runs."""

    def __init__(self) -> None:
        self.attempts = 0
        self.enough = asyncio.Event()

    async def perform(self, _pod: Pod, action: Action) -> Problem | None:
        """Fail every sandbox."""
        self.attempts += isinstance(action, RunSandbox)
        if self.attempts >= 4:
            self.enough.set()
        return Problem("ContainerCreating", 'configmap "late" not found')

    async def refresh(self, _pod_uid: str) -> None:
        """Nothing to see."""

    def shorten(self, _key: ActionKey, _deadline: Deadline) -> None:
        """Nothing is being killed."""

    def observed(self, _uid: str) -> ObservedPod:
        """Nothing is there."""
        return NOTHING

    def watch(self, _pod: Pod, _running: Sequence[ObservedContainer], _pod_ip: str) -> None:
        """Nothing is probed."""

    def states(self, _pod: Pod, _observed: ObservedPod) -> ProbeStates:
        """Nothing is probed."""
        return {}

    def write(self, _pod: Pod, _status: PodStatus) -> None:
        """Nobody reads it."""

    def delete(self, _pod: Pod) -> None:
        """Nobody deletes it."""

    def record(self, *_: Any) -> None:
        """Nobody reads it."""


def worker_of(surface: Any, clock: TickingClock, *, checks_invariants: bool = False) -> PodWorker:
    """Return the worker of a new pod."""
    tools = Tools(
        executor=surface,
        pictures=surface,
        probes=surface,
        writer=surface,
        events=surface,
        clock=clock,
        log=SILENT,
        surroundings=Surroundings,
        is_draining=lambda: False,
        checks_invariants=checks_invariants,
    )
    return PodWorker(begin(pod("web"), NOTHING, clock.now()), tools)


async def test_a_retry_that_comes_due_between_two_looks_at_the_clock_is_not_slept_through() -> None:
    """Timers may fire a little early: what is not due in the step and due a moment after it is tried again."""
    surface = Surface()
    task = asyncio.create_task(worker_of(surface, TickingClock()).run())
    try:
        async with asyncio.timeout(15):
            await surface.enough.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert surface.attempts >= 4


@pytest.mark.parametrize("checks_invariants", [True, False])
async def test_a_worker_that_checks_ends_at_a_broken_life(monkeypatch, checks_invariants: bool) -> None:
    """With --check-invariants the kubelet ends, and says what is wrong; without it nothing is looked at."""
    broken = replace(begin(pod("web"), NOTHING, 0.0), is_known=False)
    monkeypatch.setattr("kubelet.pod_worker.handle", lambda *_: (broken, []))
    worker = worker_of(Surface(), TickingClock(), checks_invariants=checks_invariants)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if not checks_invariants:
        assert not running.done()
    running.cancel()
    [outcome] = await asyncio.gather(running, return_exceptions=True)
    if checks_invariants:
        assert isinstance(outcome, BaseExceptionGroup)
        assert "a_pod_is_gone_only_on_the_word_of_the_api" in str(outcome.exceptions[0])


class Runtime(Surface):
    """A runtime that makes the sandbox, tells of it before the action is over, and starts no container."""

    def __init__(self) -> None:
        super().__init__()
        self.tell: Callable[[], None] = lambda: None
        self.picture = NOTHING

    async def perform(self, _pod: Pod, action: Action) -> Problem | None:
        """Make the sandbox; a start takes for ever."""
        if not isinstance(action, RunSandbox):
            self.enough.set()
            await asyncio.get_running_loop().create_future()
        self.picture = seen(pod("web"))
        self.tell()
        return None

    def observed(self, _uid: str) -> ObservedPod:
        """Return what there is."""
        return self.picture


async def test_what_an_action_has_done_and_the_runtime_tells_as_well_is_one_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The news of it come just before its end: a life that is told of both looks once, and once more for nothing."""
    stimuli: list[str] = []

    def handling(life: Life, stimulus: Stimulus | None, *rest: Any) -> Any:
        stimuli.append(type(stimulus).__name__)
        return handle(life, stimulus, *rest)

    monkeypatch.setattr("kubelet.pod_worker.handle", handling)
    runtime = Runtime()
    worker = worker_of(runtime, TickingClock())
    runtime.tell = worker.runtime_changed
    running = asyncio.create_task(worker.run())
    await runtime.enough.wait()
    worker.runtime_changed()
    worker.probes_changed()
    for _ in range(9):
        await asyncio.sleep(0)
    assert stimuli == ["NoneType", "ActionEnded"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

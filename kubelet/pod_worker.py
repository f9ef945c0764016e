"""The worker of one pod: feeds what happens into its life, one stimulus at a time, and does what comes out.

A thin shell around kubelet/core/pod_lifecycle.py. Its mailbox is bounded: of each kind of news only the newest is
kept, and what the runtime and the probes say is read when its turn comes, so it is never old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, assert_never

from kubelet.containment import contained, fault_text, log_fault, tell_fault
from kubelet.core import instructions
from kubelet.core.actions import Action, ActionKey, StartContainer, key_of
from kubelet.core.containers import ProbeStates
from kubelet.core.life import Life, Stage, Surroundings
from kubelet.core.observed import ObservedContainer, ObservedPod
from kubelet.core.pod_invariants import BrokenLifeError, Step, check
from kubelet.core.pod_lifecycle import begin_again, handle, wake_at
from kubelet.core.pod_status import Verdict
from kubelet.core.references import container_reference
from kubelet.core.resizing import Pending
from kubelet.core.termination import Deadline
from machinery.client.events import EventRecorder
from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.causes import cause_of
from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import Pod, PodStatus
from machinery.model.log import EventLog
from machinery.model.resources import PODS
from machinery.wire.cause_headers import acting

_AGAIN: Final = Backoff(initial_s=1.0, cap_s=60.0)  # cluster seconds, after a step that failed
_FORGIVEN_S: Final = 300.0  # a life that went on for so long has come over its fault


class Executor(Protocol):
    """Carries out actions (kubelet/pod_executor.py)."""

    async def perform(self, pod: Pod, action: Action) -> instructions.Problem | None:
        """Carry out an action; the runtime's picture is up to date afterwards."""
        ...

    async def refresh(self, pod_uid: str) -> None:
        """Bring the runtime's picture up to date."""
        ...

    def shorten(self, key: ActionKey, deadline: Deadline) -> None:
        """Shorten the grace period of a kill that is under way."""
        ...


class PictureSource(Protocol):
    """What the runtime has (kubelet/relist.py)."""

    def observed(self, uid: str) -> ObservedPod:
        """Return the newest picture of a pod."""
        ...


class ProbeWatch(Protocol):
    """What the probes say (kubelet/probe_states.py)."""

    def watch(self, pod: Pod, running: Sequence[ObservedContainer], pod_ip: str) -> None:
        """Probe these containers of a pod, and no others."""
        ...

    def states(self, pod: Pod, observed: ObservedPod) -> ProbeStates:
        """Return what they say now."""
        ...


class Writer(Protocol):
    """Tells the apiserver (kubelet/status_writer.py)."""

    def write(self, pod: Pod, status: PodStatus) -> None:
        """Write a status, soon."""
        ...

    def delete(self, pod: Pod) -> None:
        """Delete the object, after its last status."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What all workers share."""

    executor: Executor
    pictures: PictureSource
    probes: ProbeWatch
    writer: Writer
    events: EventRecorder
    clock: Clock
    log: EventLog
    surroundings: Callable[[], Surroundings]
    is_draining: Callable[[], bool]
    checks_invariants: bool = False


@dataclass(slots=True)
class _Mailbox:
    api: instructions.PodSeen | instructions.PodGone | None = None
    runtime: bool = False
    probes: bool = False
    eviction: Verdict | None = None
    collected: frozenset[str] = frozenset()
    ended: list[tuple[ActionKey, instructions.Problem | None]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class PodWorker:
    """One pod on this node, until nothing is left of it."""

    def __init__(
        self, life: Life, tools: Tools, on_step: Callable[[Life], None] = lambda _life: None
    ) -> None:
        self.life = life
        self._tools = tools
        self._on_step = on_step
        self._mail = _Mailbox()
        self._actions: dict[ActionKey, asyncio.Task[instructions.Problem | None]] = {}
        self._stepped_s = 0.0  # the time that the life was told last
        self._failures = 0  # in a row, of the steps of this life

    # --- news; all of these are synchronous and cheap

    def pod_seen(self, pod: Pod, pending: Pending | None = None) -> None:
        """The API has this version, which is given with what is allocated; `pending` says why that is less."""
        self._mail.api = instructions.PodSeen(pod, pending)
        self._mail.news.set()

    def pod_gone(self, last: Pod) -> None:
        """The API has it no more."""
        self._mail.api = instructions.PodGone(last)
        self._mail.news.set()

    def runtime_changed(self) -> None:
        """The runtime's picture is another one."""
        self._mail.runtime = True
        self._mail.news.set()

    def probes_changed(self) -> None:
        """A probe says something else."""
        self._mail.probes = True
        self._mail.news.set()

    def evict(self, verdict: Verdict) -> None:
        """The node does not keep it; a pod that ends for another reason is left to that."""
        self._mail.eviction = verdict
        self._mail.news.set()

    def collect(self, ids: frozenset[str]) -> None:
        """The node has no use for these dead containers any more."""
        self._mail.collected |= ids
        self._mail.news.set()

    # --- work

    async def run(self) -> None:
        """Live until nothing is left, or cancelled; then containers go on running.

        What nobody foresaw in a step ends what is on its way for this pod, and after a pause its life goes on.

        Raises:
            BrokenLifeError: in an exception group, where invariants are checked and one does not hold.
        """
        while self.life.stage is not Stage.FINISHED:
            begun_s = self._tools.clock.monotonic()
            if (fault := await self._live()) is not None:
                is_forgiven = self._tools.clock.monotonic() - begun_s > _FORGIVEN_S
                self._failures = 1 if is_forgiven else self._failures + 1
                await self._recover(fault)

    async def _live(self) -> Exception | None:
        """Make step after step; return what ended them before the end of the life. No action is under way then."""
        async with asyncio.TaskGroup() as group:
            try:
                await self._follow(group)
            except BrokenLifeError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this pod's
                for action in self._actions.values():
                    action.cancel()
                return error
        return None

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        self._step(None, group)
        while self.life.stage is not Stage.FINISHED:
            if not await event_within(self._mail.news, self._tools.clock, self._patience_s()):
                self._step(instructions.TimePassed(), group)
            await self._tools.clock.sleep(0)  # an action's end comes just after the runtime's news of it
            self._mail.news.clear()
            for stimulus in self._stimuli():
                self._take(stimulus, group)

    def _take(self, stimulus: instructions.Stimulus, group: asyncio.TaskGroup) -> None:
        """Make a step; a version of the pod that it fails at is not lost."""
        try:
            self._step(stimulus, group)
        except Exception:
            if isinstance(stimulus, instructions.PodSeen | instructions.PodGone):
                self._mail.api = self._mail.api or stimulus
            raise

    async def _recover(self, fault: Exception) -> None:
        """Report a fault, wait, and bring the life to a state that it can go on from."""
        tools = self._tools
        log_fault(tools.log, "pod_worker_failed", fault, pod=self._name(), failures=self._failures)
        with contained(tools.log, "pod_event_failed", pod=self._name()):
            tell_fault(tools.events, self.life.pod, "syncing pod", fault)
        await tools.clock.sleep(_AGAIN.delay(self._failures))
        await self._look()
        self._mail.ended.clear()
        self.life = begin_again(self.life, tools.pictures.observed(self.life.uid))
        self.probes_changed()

    async def _look(self) -> None:
        with contained(self._tools.log, "pod_not_seen", pod=self._name()):
            await self._tools.executor.refresh(self.life.uid)

    def _patience_s(self) -> float | None:
        """Return how long to wait for news. What has come due since the last step is due now, not past."""
        at_s = wake_at(self.life, self._stepped_s, self._tools.surroundings())
        return None if at_s is None else max(0.0, at_s - self._tools.clock.now())

    def _stimuli(self) -> Iterator[instructions.Stimulus]:
        """Empty the mailbox: first what was done, then what is seen. What the life knows already is left out."""
        mail, uid = self._mail, self.life.uid
        while mail.ended:
            key, problem = mail.ended.pop(0)
            yield instructions.ActionEnded(key, self._tools.pictures.observed(uid), problem)
        if mail.runtime:
            mail.runtime = False
            if (observed := self._tools.pictures.observed(uid)) is not self.life.observed:
                yield instructions.RuntimeSeen(observed)
        if mail.probes:
            mail.probes = False
            states = self._tools.probes.states(self.life.pod, self.life.observed)
            if states != self.life.probes:
                yield instructions.ProbesSeen(states)
        if mail.eviction is not None:
            verdict, mail.eviction = mail.eviction, None
            yield instructions.Evicted(verdict)
        if mail.collected:
            ids, mail.collected = mail.collected, frozenset()
            yield instructions.Collected(ids)
        if mail.api is not None:
            news, mail.api = mail.api, None
            yield news

    def _step(self, stimulus: instructions.Stimulus | None, group: asyncio.TaskGroup) -> None:
        if self.life.stage is Stage.FINISHED:
            return
        tools, before = self._tools, self.life
        self._stepped_s = tools.clock.now()
        self.life, to_do = handle(before, stimulus, self._stepped_s, tools.surroundings())
        if tools.checks_invariants:
            check(Step(before, stimulus, self.life, to_do))
        self._on_step(self.life)
        if self.life.stage is not before.stage:
            self._log_stage()
        if to_do:
            with acting((cause_of(PODS, self.life.pod),)):
                for instruction in to_do:
                    self._execute(instruction, group)

    def _execute(self, instruction: instructions.Instruction, group: asyncio.TaskGroup) -> None:
        tools = self._tools
        match instruction:
            case instructions.Run(action):
                self._begin(action, group)
            case instructions.Cancel(key):
                if task := self._actions.get(key):
                    task.cancel()
            case instructions.Shorten(key, deadline):
                tools.executor.shorten(key, deadline)
            case instructions.WriteStatus(pod, status):
                tools.writer.write(pod, status)
            case instructions.DeletePod(pod):
                tools.writer.delete(pod)
            case instructions.Record():
                self._record(instruction)
            case instructions.WatchProbes(pod, running, pod_ip):
                tools.probes.watch(pod, running, pod_ip)
                self.probes_changed()
            case instructions.Forget():
                pass  # `run` ends by itself, and whoever runs it forgets the pod
            case _:
                assert_never(instruction)

    def _begin(self, action: Action, group: asyncio.TaskGroup) -> None:
        key = key_of(action)
        pod = self.life.pod  # as it was planned for
        task = group.create_task(self._perform(pod, action), name=f"{key}-{pod.metadata.name}")
        self._actions[key] = task
        task.add_done_callback(partial(self._ended, key))

    async def _perform(self, pod: Pod, action: Action) -> instructions.Problem | None:
        try:
            return await self._tools.executor.perform(pod, action)
        except asyncio.CancelledError:
            if not self._tools.is_draining():  # it was given up: what has come of it?
                await self._look()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this pod's
            log_fault(self._tools.log, "pod_action_failed", error, pod=self._name(), action=key_of(action))
            with contained(self._tools.log, "pod_event_failed", pod=self._name()):
                tell_fault(self._tools.events, self.life.pod, f"at {key_of(action)}", error)
            await self._look()
            return instructions.Problem(_reason(action), fault_text(error))

    def _ended(self, key: ActionKey, task: asyncio.Task[instructions.Problem | None]) -> None:
        self._actions.pop(key, None)
        if task.cancelled():
            self._mail.ended.append((key, instructions.Problem("Cancelled", "given up", cancelled=True)))
        elif task.exception() is None:
            self._mail.ended.append((key, task.result()))
        self._mail.news.set()

    def _record(self, record: instructions.Record) -> None:
        pod = self.life.pod
        about = container_reference(pod, record.container) if record.container else pod
        self._tools.events.record(about, record.type, record.reason, record.message)

    def _log_stage(self) -> None:
        life = self.life
        why = life.ending.verdict.reason if life.ending and life.ending.verdict else ""
        self._tools.log.info("pod_stage", pod=self._name(), stage=life.stage.value, uid=life.uid, reason=why)

    def _name(self) -> str:
        meta = self.life.pod.metadata
        return f"{meta.namespace}/{meta.name}"


def _reason(action: Action) -> str:
    """Return what a container waits for whose start failed in a way that nobody foresaw."""
    return "CreateContainerError" if isinstance(action, StartContainer) else "FailedSync"

"""A pod's life against a runtime that exists in the test only: every instruction has its effect, or fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kubelet.core import actions, instructions
from kubelet.core.labels import container_hash
from kubelet.core.life import Life, Stage, Surroundings
from kubelet.core.observed import (
    ContainerState,
    ObservedContainer,
    ObservedPod,
    ObservedSandbox,
    observe_pod,
)
from kubelet.core.pod_invariants import Step, check
from kubelet.core.pod_lifecycle import begin, begin_unknown, handle, wake_at
from kubelet.core.pod_status import Verdict
from machinery.model.k8s.core_v1 import Pod, PodStatus
from tests.support.builders import changed

AROUND = Surroundings(runtime="docker", host_ips=("192.0.2.7",))
START_S = 1_767_225_600.0


def run(name: str = "main", attempt: int = 0, **fields: Any) -> ObservedContainer:
    """Return a container that runs, unless told otherwise."""
    defaults: dict[str, Any] = {
        "id": f"{name}-{attempt}",
        "sandbox_id": "sandbox-0",
        "restart_count": attempt,
        "created_s": START_S,
        "started_s": START_S,
    }
    return ObservedContainer(name=name, attempt=attempt, **{**defaults, **fields})


def ended(
    name: str = "main", attempt: int = 0, code: int = 0, at_s: float = START_S, **fields: Any
) -> ObservedContainer:
    """Return a container that has ended."""
    return run(name, attempt, state=ContainerState.EXITED, exit_code=code, finished_s=at_s, **fields)


def sandbox(attempt: int = 0, **fields: Any) -> ObservedSandbox:
    """Return a sandbox that is ready."""
    return ObservedSandbox(**{"id": f"sandbox-{attempt}", "attempt": attempt, "ips": ("10.0.0.9",), **fields})


def seen(
    pod: Pod, *containers: ObservedContainer, sandboxes: tuple[ObservedSandbox, ...] | None = None
) -> ObservedPod:
    """Return what the runtime has of a pod: one ready sandbox, and these containers."""
    found = (sandbox(),) if sandboxes is None else sandboxes
    meta = pod.metadata
    return observe_pod(meta.uid, meta.namespace, meta.name, found, containers)


@dataclass(slots=True)
class PodRun:
    """One pod on one node: its life, the runtime, the API, and the time."""

    pod: Pod
    now_s: float = START_S
    sandboxes: dict[str, ObservedSandbox] = field(default_factory=dict)
    containers: dict[str, ObservedContainer] = field(default_factory=dict)
    pending: dict[str, actions.Action] = field(default_factory=dict)  # by the text of their keys
    cancelled: set[str] = field(default_factory=set)
    records: list[instructions.Record] = field(default_factory=list)
    killed: list[actions.KillContainer] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=dict)  # by name: how the last run ended
    log: list[str] = field(default_factory=list)
    statuses: list[PodStatus] = field(default_factory=list)
    deleted: bool = False
    in_api: bool = True
    clean: bool = False
    check: Callable[[PodRun], None] = lambda _: None
    life: Life = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    # --- what happens

    def start(self) -> None:
        """Start a kubelet with what there is; actions of the one before are lost."""
        self.pending.clear()
        self.cancelled.clear()
        observed = self.observed()
        self.life = (
            begin(self.pod, observed, self.now_s) if self.in_api else begin_unknown(observed, self.now_s)
        )
        self.feed(None)

    def feed(self, stimulus: instructions.Stimulus | None) -> None:
        """Apply a stimulus to the life, and note what comes out."""
        if self.life.stage is Stage.FINISHED:
            return
        before = self.life
        self.life, out = handle(before, stimulus, self.now_s, AROUND)
        check(Step(before, stimulus, self.life, out))
        for instruction in out:
            self._take(instruction)
        self.check(self)

    def sync(self) -> None:
        """Report the state of the runtime and of the API, as relist and watch do."""
        self.feed(instructions.RuntimeSeen(self.observed()))
        if self.in_api:
            self.feed(instructions.PodSeen(self.pod))

    def pass_time(self, seconds: float) -> None:
        """Advance the time."""
        self.now_s += seconds
        self.feed(instructions.TimePassed())

    def pass_until_wake(self) -> bool:
        """Advance the time until the life wants to be woken; return whether it does."""
        at_s = wake_at(self.life, self.now_s, AROUND)
        if at_s is not None:
            self.pass_time(at_s - self.now_s + 0.001)
        return at_s is not None

    def delete(self, grace_s: int = 30) -> None:
        """Ask for the pod's deletion."""
        meta = {
            "metadata__deletionTimestamp": "2026-01-01T00:00:30Z",
            "metadata__deletionGracePeriodSeconds": grace_s,
        }
        self.pod = changed(self.pod, **meta)
        self.feed(instructions.PodSeen(self.pod))

    def evict(self, grace_s: float = 1.0, *, is_disruption: bool = True) -> None:
        """Have the node be rid of the pod."""
        verdict = Verdict("Evicted", "The node was low on resource: memory. ", grace_s, is_disruption)
        self.feed(instructions.Evicted(verdict))

    def vanish(self) -> None:
        """Remove the pod from the API."""
        self.in_api = False
        self.feed(instructions.PodGone(self.pod))

    def exit(self, name: str, code: int = 0) -> None:
        """End a running container, as by itself."""
        for found in list(self.containers.values()):
            if found.name == name and found.is_running:
                self._end(found.id, code)
        self.feed(instructions.RuntimeSeen(self.observed()))

    def kill_sandbox(self) -> None:
        """Kill the sandboxes, and what runs in them."""
        for found in list(self.sandboxes.values()):
            self._stop_sandbox(found.id)
        self.feed(instructions.RuntimeSeen(self.observed()))

    def finish(self, key: str, *, fail: bool = False, effect: bool = True) -> None:
        """End an action: with its effect, or failed."""
        action = self.pending.pop(key)
        gave_up = key in self.cancelled
        self.cancelled.discard(key)
        problem: instructions.Problem | None = None
        if fail or (gave_up and not effect):
            problem = instructions.Problem("Broken", "it did not work", cancelled=gave_up)
        else:
            self._effect(action)
            problem = instructions.Problem("Cancelled", "given up", cancelled=True) if gave_up else None
        self.feed(instructions.ActionEnded(actions.key_of(action), self.observed(), problem))

    def settle(self, rounds: int = 60) -> None:
        """Complete all that is on its way, advance the time and answer for the API, until nothing happens."""
        for _ in range(rounds):
            self.sync()
            if self.pending:
                self.finish(next(iter(self.pending)))
            elif self.deleted and self.in_api:
                self.vanish()
            elif not self.pass_until_wake():
                return

    # --- how it is

    def observed(self) -> ObservedPod:
        """Return what the runtime has."""
        meta = self.pod.metadata
        return observe_pod(
            meta.uid, meta.namespace, meta.name, self.sandboxes.values(), self.containers.values()
        )

    def running(self) -> list[str]:
        """Return the names of the containers that run."""
        return sorted(found.name for found in self.containers.values() if found.is_running)

    # --- within

    def _take(self, instruction: instructions.Instruction) -> None:
        match instruction:
            case instructions.Run(action):
                self._begin(str(actions.key_of(action)), action)
            case instructions.Cancel(key):
                self.cancelled.add(str(key))
            case instructions.Shorten(key, deadline):
                action = self.pending[str(key)]
                assert isinstance(action, actions.KillContainer)
                self.pending[str(key)] = replace(action, deadline=deadline)
            case instructions.Record():
                self.records.append(instruction)
            case instructions.WriteStatus(_, status):
                self.statuses.append(status)
                self.pod = changed(self.pod, status=status)
            case instructions.DeletePod():
                self.deleted = True
                self.log.append("delete")
            case instructions.Forget():
                self.log.append("forget")

    def _begin(self, key: str, action: actions.Action) -> None:
        assert key not in self.pending, f"{key} is on its way already"
        self.pending[key] = action
        self.log.append(key)
        if isinstance(action, actions.StartContainer):
            self.starts.append(action.start.name)
        if isinstance(action, actions.KillContainer):
            self.killed.append(action)

    def _effect(self, action: actions.Action) -> None:
        match action:
            case actions.RunSandbox(attempt):
                id_ = f"sandbox-{attempt}"
                self.sandboxes.setdefault(id_, sandbox(attempt, created_s=self.now_s))
            case actions.StartContainer():
                self._start_container(action)
            case actions.KillContainer():
                self._end(action.kill.id, 137)
            case actions.StopSandbox(id_):
                self._stop_sandbox(id_)
            case actions.RemoveContainer(id_):
                self.containers.pop(id_, None)
            case actions.RemoveSandbox(id_):
                self.sandboxes.pop(id_, None)
            case actions.CleanUp():
                self.clean = True

    def _start_container(self, action: actions.StartContainer) -> None:
        start = action.start
        if action.sandbox_id not in self.sandboxes or not self.sandboxes[action.sandbox_id].is_ready:
            return
        id_ = f"{start.name}-{start.attempt}"
        if id_ in self.containers:
            return
        spec = next(
            each
            for each in (*self.pod.spec.initContainers, *self.pod.spec.containers)
            if each.name == start.name
        )
        self.containers[id_] = run(
            start.name,
            start.attempt,
            sandbox_id=action.sandbox_id,
            created_s=self.now_s,
            started_s=self.now_s,
            hash=container_hash(spec),
        )

    def _end(self, id_: str, code: int) -> None:
        found = self.containers.get(id_)
        if found is not None and found.is_running:
            self.ends[found.name] = code
            state = ContainerState.EXITED
            self.containers[id_] = replace(found, state=state, exit_code=code, finished_s=self.now_s)

    def _stop_sandbox(self, id_: str) -> None:
        if id_ in self.sandboxes:
            self.sandboxes[id_] = replace(self.sandboxes[id_], is_ready=False)
        for found in list(self.containers.values()):
            if found.sandbox_id == id_:
                self._end(found.id, 137)

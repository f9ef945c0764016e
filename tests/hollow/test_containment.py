"""What nobody foresaw in the work for one pod stays with that pod: faults are thrown wherever its work leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kubelet import pod_worker
from kubelet.core import actions, instructions
from kubelet.pod_executor import PodExecutor
from machinery.model.k8s.core_v1 import (
    Lifecycle,
    LifecycleHandler,
    Pod,
    Probe,
    ResourceRequirements,
    SleepAction,
    TCPSocketAction,
)
from machinery.model.resources import EVENTS
from tests.support.builders import container, pod
from tests.support.kubelet import Rig, rig
from tests.support.waiting import until

INSTRUCTIONS = tuple(each.__name__ for each in instructions.Instruction.__args__)
ACTIONS = tuple(each.__name__ for each in actions.Action.__args__)
STIMULI = tuple(each.__name__ for each in instructions.Stimulus.__args__)
OVERDUE = {"instruction-record", "stimulus-timepassed"}  # are told that their time is over
DEADLINE_S = (
    30  # cluster seconds after they are given it: nothing but the time passes then, on a slow machine too
)


def _errors() -> Iterator[Exception]:
    while True:
        yield OverflowError("int too large")
        yield RecursionError
        yield UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed")
        yield KeyError("\udc80")
        yield ExceptionGroup("several", [MemoryError()])


@dataclass
class Curses:
    """Throws once for each pod, where its name says: `instruction-run` at its first Run."""

    left: set[str] = field(default_factory=set)
    thrown: list[str] = field(default_factory=list)
    errors: Iterator[Exception] = field(default_factory=_errors)

    def strike(self, pod_name: str, place: str, what: object) -> None:
        """Throw, if the pod is cursed at this place."""
        if pod_name == _name(place, type(what).__name__) and pod_name in self.left:
            self.left.discard(pod_name)
            self.thrown.append(pod_name)
            raise next(self.errors)


def _name(place: str, what: str) -> str:
    return f"{place}-{what.lower()}"


@pytest.fixture
def curses(monkeypatch: pytest.MonkeyPatch) -> Curses:
    """Return what throws, in place around a worker's instructions, its actions and the steps of its life."""
    found = Curses()
    execute, perform, handle = pod_worker.PodWorker._execute, PodExecutor.perform, pod_worker.handle

    def executing(self: Any, instruction: Any, group: Any) -> None:
        found.strike(self.life.pod.metadata.name, "instruction", instruction)
        execute(self, instruction, group)

    async def performing(self: Any, one: Pod, action: Any) -> Any:
        found.strike(one.metadata.name, "action", action)
        return await perform(self, one, action)

    def handling(life: Any, stimulus: Any, *rest: Any) -> Any:
        found.strike(life.pod.metadata.name, "stimulus", stimulus)
        return handle(life, stimulus, *rest)

    monkeypatch.setattr(pod_worker.PodWorker, "_execute", executing)
    monkeypatch.setattr(PodExecutor, "perform", performing)
    monkeypatch.setattr(pod_worker, "handle", handling)
    return found


CURSED = [
    *(_name("instruction", each) for each in INSTRUCTIONS),
    *(_name("action", each) for each in ACTIONS),
    *(_name("stimulus", each) for each in STIMULI),
]


def _spec(name: str) -> Pod:
    """Return a pod that comes by the place where it is cursed."""
    fields: dict[str, Any]
    long = SleepAction(seconds=3600)
    match name:
        case "instruction-cancel":  # is deleted while it starts
            hook = Lifecycle(postStart=LifecycleHandler(sleep=long))
            fields = {"containers": [container(lifecycle=hook)], "terminationGracePeriodSeconds": 3601}
        case "instruction-shorten":  # is deleted twice
            hook = Lifecycle(preStop=LifecycleHandler(sleep=long))
            fields = {"containers": [container(lifecycle=hook)], "terminationGracePeriodSeconds": 3601}
        case "action-resizecontainer":
            fields = {"containers": [container(requests={"cpu": "1m"})]}
        case "action-resizepod":
            fields = {"resources": ResourceRequirements(requests={"cpu": "1m"})}
        case "stimulus-evicted":  # writes more than it may
            written = {"annotations": {"hollow.kubarium.dev/main.disk": "64Mi"}}
            limited = container(limits={"ephemeral-storage": "32Mi"})
            fields = {"containers": [limited], "meta_fields": written}
        case "stimulus-probesseen":
            fields = {"containers": [container(readinessProbe=Probe(tcpSocket=TCPSocketAction(port=80)))]}
        case _:
            fields = {}
    return pod(name, **fields)


@pytest.mark.deep
async def test_a_fault_at_any_instruction_action_or_step_stays_with_its_pod(tmp_path: Path, curses: Curses):
    """Each place throws for a pod of its own; all of them live and end as if nothing had been, and so do the others."""
    names = [*CURSED, "witness"]
    curses.left = set(CURSED)
    async with rig(tmp_path) as node:
        for name in names:
            await node.create(_spec(name))
        for name in names:
            await node.until(name, _has_started, limit_s=60)
        await node.resize("action-resizecontainer", {"cpu": "2m"})
        await node.until("action-resizecontainer", _is_resized, limit_s=60)
        await node.resize_whole("action-resizepod", {"cpu": "2m"})
        await node.until("action-resizepod", _is_resized_as_a_whole, limit_s=60)
        collected = (await node.pod("stimulus-collected")).metadata.uid
        node.running.workers.collect(collected, frozenset({"a-container-that-is-gone"}))
        for name in OVERDUE:
            await node.give_deadline(name, DEADLINE_S)
        for name in (*OVERDUE, "stimulus-evicted"):
            await node.until(name, lambda found: found.status.phase == "Failed", limit_s=60)
        for name in names:
            await node.delete(name, grace_s=3600 if name == "instruction-shorten" else 1)
        await _stop_sooner(node, "instruction-shorten")
        await node.until_true(
            lambda: all(("delete", "pods", name) in _calls(node) for name in names), limit_s=30
        )
        for name in names:
            await node.remove(name)
        await node.until_true(lambda: not list(node.running.workers.lives()), limit_s=60)
        await node.until_true(lambda: not node.world.containers and not node.world.sandboxes)
        assert sorted(curses.thrown) == sorted(CURSED)
        await until(partial(_are_told, node, set(CURSED)), what="each of them, and nobody else, is told")


async def _are_told(node: Rig, names: set[str]) -> bool:
    found = (await node.api.list(EVENTS)).items
    return {each.involvedObject.name for each in found if each.reason == "FailedSync"} == names


async def _stop_sooner(node: Rig, name: str) -> None:
    await node.until_true(lambda: any(_is_killing(life) for life in node.running.workers.lives()))
    await node.delete(name, grace_s=1)


def _is_killing(life: Any) -> bool:
    return life.pod.metadata.name == "instruction-shorten" and any(
        isinstance(action, actions.KillContainer) for action in life.actions.values()
    )


def _has_started(found: Pod) -> Any:
    if found.metadata.name == "instruction-cancel":  # its start is never over
        return any(
            each.type == "PodReadyToStartContainers" and each.status == "True"
            for each in found.status.conditions
        )
    if found.metadata.name == "stimulus-evicted":  # maybe so soon that nobody saw it run
        return found.status.phase in {"Running", "Failed"}
    return found.status.phase == "Running"


def _is_resized(found: Pod) -> bool:
    [status] = found.status.containerStatuses
    return status.resources is not None and status.resources.requests == {"cpu": "2m"}


def _is_resized_as_a_whole(found: Pod) -> bool:
    return found.status.resources is not None and found.status.resources.requests == {"cpu": "2m"}


def _calls(node: Rig) -> list[Any]:
    return list(node.kubelets_api.calls)


@pytest.mark.parametrize("where", ["begin", "admit"])
async def test_a_pod_whose_life_cannot_begin_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
):
    """It is refused, or tried again; the source of pods goes on."""
    from kubelet import pod_workers

    real: Callable[..., Any] = getattr(pod_workers, where)
    failed: list[str] = []

    def failing(one: Pod, *rest: Any) -> Any:
        if one.metadata.name == "odd" and not failed:
            failed.append(where)
            raise OverflowError("int too large")
        return real(one, *rest)

    monkeypatch.setattr(pod_workers, where, failing)
    async with rig(tmp_path) as node:
        await node.create(pod("odd"))
        await node.create(pod("web"))
        await node.until("web", lambda found: found.status.phase == "Running")
        odd = await node.until("odd", lambda found: found.status.phase in {"Running", "Failed"})
    assert failed == [where]
    expected = ("Failed", "UnexpectedAdmissionError") if where == "admit" else ("Running", "")
    assert (odd.status.phase, odd.status.reason) == expected

"""What a kubelet does about one pod is the same beside N pods of its node and 10 N."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kubelet.core.admission import Abilities
from kubelet.core.life import Life, Stage, Verdict
from kubelet.core.observed import ObservedPod
from kubelet.core.taken import Taken
from kubelet.pod_workers import PodWorkers
from machinery.model.k8s.core_v1 import ContainerPort, Pod
from machinery.model.log import SILENT
from machinery.model.requests import EventType
from machinery.model.store import Change
from tests.support import builders
from tests.support.builders import changed, container
from tests.support.virtual_clock import VirtualClock
from tests.support.visits import counted

N = 12
ROOM = {"cpu": "1000", "memory": "1Ti", "pods": "10000"}


def pod(index: int, **fields: Any) -> Pod:
    """Return a pod with a port of the node."""
    ports = [ContainerPort(containerPort=80, hostPort=1_000 + index)]
    box = container(requests={"cpu": "1m"}, ports=ports)
    return builders.pod(f"web-{index}", node="node-1", containers=[box], **fields)


class Node:
    """A kubelet's workers, on a runtime that has nothing yet."""

    def __init__(self, count: int) -> None:
        tools = SimpleNamespace(
            clock=VirtualClock(), log=SILENT, events=SimpleNamespace(record=lambda *_: None)
        )
        relist = SimpleNamespace(observed=ObservedPod, uids=())
        self.workers = PodWorkers(
            cast("Any", tools),
            cast("Any", relist),
            allocatable=lambda: ROOM,
            labels=dict,
            abilities=Abilities,
            is_gone=cast("Any", None),
            on_gone=lambda _pod: None,
        )
        self.workers._group = cast("Any", SimpleNamespace(create_task=lambda work, name: work.close()))
        for index in range(count):
            self.see(pod(index))

    def see(self, one: Pod, kind: EventType = EventType.ADDED) -> None:
        """Pass on what the API says of a pod."""
        self.workers.pod_changed(Change(kind, None, one))

    def work(self, event: Callable[[Node], Any]) -> int:
        """Return how much there is to do for an event."""
        with counted() as work:
            event(self)
        return work.total


def _uid(index: int) -> str:
    return pod(index).metadata.uid


def _resized(node: Node) -> None:
    """Have a life go on with a pod that asks for more."""
    life = node.workers._workers[_uid(2)].life
    node.workers._note(
        replace(life, pod=changed(life.pod, spec__containers=[container(requests={"cpu": "2"})]))
    )


EVENTS: dict[str, Callable[[Node], Any]] = {
    "pod comes": lambda node: node.see(pod(5_000)),
    "pod changes": lambda node: node.see(pod(1, phase="Running"), EventType.MODIFIED),
    "pod goes": lambda node: node.see(pod(1), EventType.DELETED),
    "runtime has news": lambda node: node.workers.runtime_changed(_uid(1)),
    "probe has news": lambda node: node.workers.probes_changed(_uid(1)),
    "life goes on with another spec": _resized,
    "life is over": lambda node: node.workers._drop(node.workers._workers[_uid(3)].life),
    "somebody asks for a pod": lambda node: node.workers.pod("default", "web-2", ""),
    "somebody asks for a pod that is not there": lambda node: node.workers.pod("default", "no", ""),
}


def test_what_concerns_one_pod_costs_no_more_beside_ten_times_as_many() -> None:
    """One after the other: less than one instruction for ten pods more."""
    few, many = Node(N), Node(10 * N)
    costs = {name: (few.work(event), many.work(event)) for name, event in EVENTS.items()}
    assert min(cost for cost, _ in costs.values()) > 0
    assert {name: cost for name, cost in costs.items() if cost[1] - cost[0] >= N} == {}


def test_a_pod_is_found_by_its_name_as_long_as_it_is_there() -> None:
    """Of two with one name the elder, unless its uid is asked for."""
    node = Node(2)
    node.see(changed(pod(1), metadata__uid="younger"))
    assert _found(node, "") == _uid(1)
    assert _found(node, "younger") == "younger"
    assert _found(node, "nobody") is None
    node.workers._drop(node.workers._workers[_uid(1)].life)
    assert _found(node, "") == "younger"
    node.workers._drop(node.workers._workers["younger"].life)
    assert _found(node, "") is None


def _found(node: Node, uid: str) -> str | None:
    found = node.workers.pod("default", "web-1", uid)
    return found.metadata.uid if found else None


def test_what_is_taken_follows_the_lives() -> None:
    """A pod that ends, is refused, asks for something else or is gone; the sums are those of a fresh count."""
    taken = Taken([pod(1), pod(2)])
    assert (len(taken), taken.amounts["cpu"], [*taken.addresses("TCP", 1_001)]) == (2, 2, ["0.0.0.0"])
    taken.put(changed(pod(1), spec__containers=[container(requests={"cpu": "5m"})]))
    assert (len(taken), taken.amounts["cpu"], [*taken.addresses("TCP", 1_001)]) == (2, 6, [])
    taken.put(pod(2, phase="Succeeded"))
    assert (len(taken), taken.amounts["cpu"], [*taken.addresses("TCP", 1_002)]) == (1, 5, [])
    for uid in (_uid(1), _uid(1), _uid(2)):
        taken.drop(uid)
    assert (len(taken), taken.amounts["cpu"]) == (0, 0)


@pytest.mark.parametrize("verdict", [None, Verdict("Evicted", "")])
@pytest.mark.parametrize("stage", Stage)
def test_a_life_that_is_refused_or_over_holds_nothing(stage: Stage, verdict: Verdict | None) -> None:
    """Until its containers have ended it holds what it has."""
    taken = Taken()
    life = replace(Life(pod(1), ObservedPod(_uid(1)), 0.0), stage=stage, verdict=verdict)
    taken.note(life)
    holds = verdict is None and stage not in {Stage.TERMINATED, Stage.FINISHED}
    assert len(taken) == holds

"""The checkers of scenarios find what they are there for: each is shown a world with the fault in it."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from apiserver.core.kinds import KINDS
from apiserver.request import Request
from kubarium.identity.pki import Pki
from kubelet.core import labels
from tests.support.scenario_invariants import (
    check_bindings,
    check_containers,
    check_invariants,
    check_resumed_watches,
    check_room,
    check_watches,
    most_at_once,
    ready_pods,
)
from tests.support.scenario_objects import pod
from tests.support.scenario_transcript import Json, Seen
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster

PODS, NODES = KINDS["", "pods"], KINDS["", "nodes"]


# --- what streams tell


def node(revision: int, *, pods: str = "2", cpu: str = "1", memory: str = "1Gi") -> Seen:
    """An event about a node."""
    allocatable = {"pods": pods, "cpu": cpu, "memory": memory}
    obj: Json = {"metadata": {"name": "node-1", "uid": "n"}, "status": {"allocatable": allocatable}}
    return Seen(float(revision), "ADDED", revision, NODES, b"", obj, None)


def told(revision: int, uid: str, type_: str = "ADDED", *, old: Seen | None = None, **fields: Any) -> Seen:
    """An event about a pod: `node`, `phase`, `cpu`, `memory`, `ready`, `going`."""
    container = {
        "resources": {"requests": {"cpu": fields.get("cpu", "1m"), "memory": fields.get("memory", "1Mi")}}
    }
    meta: Json = {"name": uid, "uid": uid, "namespace": "default"}
    if fields.get("going"):
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    obj: Json = {
        "metadata": meta,
        "spec": {"nodeName": fields.get("node", "node-1"), "containers": [container]},
        "status": {
            "phase": fields.get("phase", "Running"),
            "conditions": [{"type": "Ready", "status": str(fields.get("ready", True))}],
        },
    }
    return Seen(float(revision), type_, revision, PODS, b"", obj, old.obj if old else None)


def test_a_pod_that_moves_is_found():
    """From one node to another, and off its node; being bound is no move, nor is another pod of the name."""
    unbound = told(1, "a", node="")
    bound = told(2, "a", "MODIFIED", old=unbound)
    check_bindings([unbound, bound])
    for elsewhere in ("node-2", ""):
        with pytest.raises(AssertionError, match="was bound to node-1"):
            check_bindings([unbound, bound, told(3, "a", "MODIFIED", old=bound, node=elsewhere)])
    another = told(3, "a", node="node-2")
    another.obj["metadata"]["uid"] = "b"
    check_bindings([bound, replace(another, old=bound.obj)])


@pytest.mark.parametrize(
    ("room", "request_", "found"),
    [
        ({"pods": "1"}, {}, "too many pods"),
        ({"cpu": "100m"}, {"cpu": "60m"}, "of cpu"),
        ({"memory": "100Mi"}, {"memory": "60Mi"}, "of memory"),
    ],
)
def test_a_node_with_too_much_on_it_is_found(room: Json, request_: Json, found: str):
    """Two pods where there is room for one; one that is over or gone takes no room."""
    first, second = told(2, "a", **request_), told(4, "b", **request_)
    with pytest.raises(AssertionError, match=found):
        check_room([node(1, **room), first, second])
    for type_, phase in [("DELETED", "Running"), ("MODIFIED", "Succeeded"), ("MODIFIED", "Failed")]:
        check_room([node(1, **room), first, told(3, "a", type_, phase=phase, **request_), second])


def test_a_surge_is_counted():
    """The most pods that were to stay, at any time; those on their way out do not count."""
    stream = [told(1, "a"), told(2, "b"), told(3, "a", "MODIFIED", going=True), told(4, "c")]
    assert most_at_once(stream) == 2
    assert most_at_once([*stream, told(5, "d")]) == 3
    assert most_at_once([*stream, told(5, "b", "DELETED"), told(6, "d")]) == 2


def test_ready_pods_are_counted():
    """After each change: those that are Ready and are to stay."""
    stream = [
        told(1, "a"),
        told(2, "b", ready=False),
        told(3, "b", "MODIFIED"),
        told(4, "a", "MODIFIED", going=True),
        told(5, "b", "DELETED"),
    ]
    counts = ready_pods(stream, lambda _: True)
    assert [count for _, count in counts] == [1, 1, 2, 1, 0]
    assert ready_pods(stream, lambda obj: obj["metadata"]["name"] == "b")[-1] == (5.0, 0)


# --- a cluster in which something is wrong


in_one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> AsyncIterator[Cluster]:
    """One pod on one node, and nothing wrong."""
    async with running_cluster(tmp_path_factory.mktemp("node"), pki, nodes=1) as running:
        await running.api.admin.create("pods", pod("one"))
        await running.until(
            lambda: running.object("pods", "one") and is_pod_ready(running.object("pods", "one")), limit_s=60
        )
        await running.rest()
        await check_invariants(running)
        yield running


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """The cluster as an observer of the test's own has seen it: what is wrong for one is not for the next."""
    observer = copy.copy(running.observer)
    observer.seen, observer._now = [*observer.seen], {**observer._now}
    containers = running.nodes["node-1"].hollow.containers.values()
    owners = [(each, each.config.labels[labels.POD_UID]) for each in containers]
    yield replace(running, observer=observer)
    for container, uid in owners:
        container.config.labels[labels.POD_UID] = uid


def _of_pods(seen: list[Seen]) -> list[int]:
    return [index for index, each in enumerate(seen) if each.kind is PODS]


def _lose(seen: list[Seen]) -> None:
    del seen[_of_pods(seen)[1]]


def _lose_the_last(seen: list[Seen]) -> None:
    del seen[_of_pods(seen)[-1]]


def _repeat(seen: list[Seen]) -> None:
    seen.insert(_of_pods(seen)[1], seen[_of_pods(seen)[1]])


def _swap(seen: list[Seen]) -> None:
    one, two = _of_pods(seen)[:2]
    seen[one], seen[two] = seen[two], seen[one]


def _alter(seen: list[Seen]) -> None:
    index = _of_pods(seen)[1]
    seen[index] = replace(seen[index], json=seen[index].json.replace(b'"one"', b'"two"'))


def _delete(seen: list[Seen]) -> None:
    index = _of_pods(seen)[1]
    seen[index] = replace(seen[index], type="DELETED")


def _make_up(seen: list[Seen]) -> None:
    last = seen[_of_pods(seen)[-1]]
    seen.append(replace(last, revision=last.revision + 100))


@in_one_loop
@pytest.mark.parametrize("fault", [_lose, _lose_the_last, _repeat, _swap, _alter, _delete, _make_up])
async def test_a_stream_that_differs_from_the_store_is_found(
    cluster: Cluster, fault: Callable[[list[Seen]], None]
):
    """An event too few or too many, in the wrong order, or another than what was written."""
    check_watches(cluster)
    fault(cluster.observer.seen)
    with pytest.raises(AssertionError):
        check_watches(cluster)


class _Tampered:
    """A watch that keeps its first event to itself, or tells it twice."""

    def __init__(self, watch: Any, times: int) -> None:
        self._watch, self._times = watch, times

    async def __aiter__(self) -> AsyncIterator[list[Any]]:
        async for batch in self._watch:
            events = [*batch]
            if events and self._times != 1:
                events, self._times = [*[events[0]] * self._times, *events[1:]], 1
            yield events

    async def aclose(self) -> None:
        await self._watch.aclose()


@in_one_loop
@pytest.mark.parametrize("times", [0, 2])
async def test_a_watch_that_is_resumed_wrongly_is_found(
    cluster: Cluster, times: int, monkeypatch: pytest.MonkeyPatch
):
    """An event too few, or too many."""
    seen, registry = sorted(cluster.observer.seen, key=lambda each: each.revision), cluster.api.core.registry
    right = registry.watch

    async def wrong(request: Request) -> Any:
        return _Tampered(await right(request), times)

    await check_resumed_watches(cluster, seen)
    monkeypatch.setattr(registry, "watch", wrong)
    with pytest.raises(AssertionError, match="resumed"):
        await check_resumed_watches(cluster, seen)


def _forget_the_pod(cluster: Cluster) -> None:
    cluster.observer._now.pop(("pods", "default", "one"))


def _belongs_elsewhere(cluster: Cluster) -> None:
    found = cluster.object("pods", "one")
    assert found
    moved = copy.deepcopy(found)
    moved["spec"]["nodeName"] = "node-2"
    cluster.observer._now["pods", "default", "one"] = moved


def _strange_container(cluster: Cluster) -> None:
    (container,) = cluster.nodes["node-1"].hollow.containers.values()
    container.config.labels[labels.POD_UID] = "of nobody"


def _runs_on(cluster: Cluster) -> None:
    found = cluster.object("pods", "one")
    assert found
    cluster.observer._now["pods", "default", "one"] = {
        **found,
        "status": {**found["status"], "phase": "Succeeded"},
    }


@in_one_loop
@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (_forget_the_pod, "the sandbox of a pod that is gone"),
        (_belongs_elsewhere, "the sandbox of a pod of node-2"),
        (_strange_container, "a container of a pod that is gone"),
        (_runs_on, "runs although its pod is Succeeded"),
    ],
)
async def test_what_a_runtime_should_not_have_is_found(
    cluster: Cluster, fault: Callable[[Cluster], None], found: str
):
    """Of no pod, of another node's pod, or running in a pod that is over."""
    check_containers(cluster)
    fault(cluster)
    with pytest.raises(AssertionError, match=found):
        check_containers(cluster)

"""What holds in every cluster, whatever happens in it; checked over a scenario's watch streams and at its end."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from apiserver import objects
from apiserver.core.kind import Kind
from apiserver.core.kinds import KINDS
from apiserver.request import ListOptions, Request
from hollow.core.lifetime import State
from kubelet.core import labels
from machinery.model.quantity import cpu_millicores, memory_bytes
from tests.support.apiserver import ADMIN
from tests.support.scenario_transcript import Json, Seen
from tests.support.scenario_world import Cluster


async def check_invariants(cluster: Cluster) -> None:
    """Check all of them."""
    await cluster.clock.settle()
    seen = sorted(cluster.observer.seen, key=lambda each: each.revision)
    check_bindings(seen)
    check_room(seen)
    check_watches(cluster)
    await check_resumed_watches(cluster, seen)
    check_containers(cluster)


def check_bindings(seen: list[Seen]) -> None:
    """No pod changes its node once it has one."""
    for each in seen:
        if (
            each.kind.kind == "Pod"
            and each.old
            and each.old["metadata"]["uid"] == each.obj["metadata"]["uid"]
        ):
            before, after = (obj["spec"].get("nodeName", "") for obj in (each.old, each.obj))
            assert before in {"", after}, f"{each.key} was bound to {before}, then to {after}"


def check_room(seen: list[Seen]) -> None:
    """At no revision do the pods of a node request more than it has."""
    nodes: dict[str, Json] = {}
    pods: dict[str, dict[str, Json]] = defaultdict(dict)
    for each in seen:
        meta = each.obj["metadata"]
        if each.kind.kind == "Node" and each.type != "DELETED":
            nodes[meta["name"]] = each.obj.get("status", {}).get("allocatable", {})
        if each.kind.kind == "Pod" and (node := each.obj["spec"].get("nodeName", "")):
            over = each.type == "DELETED" or each.obj.get("status", {}).get("phase") in {
                "Failed",
                "Succeeded",
            }
            if over:
                pods[node].pop(meta["uid"], None)
            elif meta["uid"] not in pods[node]:
                pods[node][meta["uid"]] = each.obj
                _check_node(node, nodes[node], list(pods[node].values()))


def _check_node(name: str, allocatable: Json, pods: list[Json]) -> None:
    assert len(pods) <= int(allocatable["pods"]), f"{name} has too many pods"
    for resource, read in (("cpu", cpu_millicores), ("memory", memory_bytes)):
        asked = sum(
            read(container.get("resources", {}).get("requests", {}).get(resource, "0"))
            for pod in pods
            for container in pod["spec"]["containers"]
        )
        assert asked <= read(allocatable[resource]), f"{name} is asked for {asked} of {resource}"


def check_watches(cluster: Cluster) -> None:
    """Every watch stream is what the store wrote: each revision once, in order, byte for byte."""
    log = cluster.api.storage.history
    for kind in KINDS.values():
        written = [event for event in log if event.key.startswith(f"{kind.storage_prefix}/")]
        told = [each for each in cluster.observer.seen if each.kind is kind]
        assert [each.revision for each in told] == [event.revision for event in written], kind.plural
        for each, event in zip(told, written, strict=True):
            assert (each.type == "DELETED") == (event.value is None), each
            if event.value is not None:
                assert each.json == objects.with_revision(kind, event.value, event.revision), each


async def check_resumed_watches(cluster: Cluster, seen: list[Seen]) -> None:
    """A watch from the middle tells the same as the one from the beginning did."""
    middle = seen[len(seen) // 2].revision
    watches = {kind: await _watch_from(cluster, kind, middle) for kind in KINDS.values()}
    told: dict[Kind, list[int]] = {kind: [] for kind in watches}
    reading = [asyncio.ensure_future(_read(watch, told[kind])) for kind, watch in watches.items()]
    await cluster.clock.settle()  # all is told that there is to tell: neither too little nor too much
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    for kind, watch in watches.items():
        await watch.aclose()
        expected = [each.revision for each in seen if each.kind is kind and each.revision > middle]
        assert told[kind] == expected, f"the resumed watch of {kind.plural}"


async def _watch_from(cluster: Cluster, kind: Kind, revision: int) -> Any:
    options = ListOptions(resource_version=str(revision))
    request = Request(
        user=ADMIN,
        verb="watch",
        group=kind.group,
        version=kind.version,
        resource=kind.plural,
        selection=options,
    )
    return await cluster.api.core.registry.watch(request)


async def _read(watch: Any, told: list[int]) -> None:
    async for batch in watch:
        told += [event.revision for event in batch]


def check_identities(cluster: Cluster) -> None:
    """Containers of one pod's name run on one machine, and for one pod: nobody has two holders, whatever the store says.

    Machines that are switched off run nothing; those that are cut off go on.
    """
    holders: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for node in cluster.nodes.values():
        for container in node.hollow.containers.values():
            if container.state(cluster.clock.now()) is State.RUNNING:
                said = container.config.labels
                name = f"{said[labels.POD_NAMESPACE]}/{said[labels.POD_NAME]}"
                holders[name].add((node.name, said[labels.POD_UID]))
    for name, who in holders.items():
        assert len(who) == 1, f"{name} has several holders: {sorted(who)}"


def check_containers(cluster: Cluster) -> None:
    """Whatever a runtime has belongs to a pod of its node, and what runs to a pod that is not over."""
    pods = {pod["metadata"]["uid"]: pod for pod in cluster.objects("pods")}
    for node in cluster.nodes.values():
        for sandbox in node.hollow.sandboxes.values():
            pod = pods.get(sandbox.config.metadata.uid)
            assert pod, f"{node.name} has the sandbox of a pod that is gone: {sandbox.config.metadata.name}"
            bound = pod["spec"]["nodeName"]
            assert bound == node.name, f"{node.name} has the sandbox of a pod of {bound}"
        for container in node.hollow.containers.values():
            uid = container.config.labels[labels.POD_UID]
            assert uid in pods, f"{node.name} has a container of a pod that is gone"
            if container.state(cluster.clock.now()) is State.RUNNING:
                phase = pods[uid]["status"]["phase"]
                assert phase == "Running", (
                    f"{node.name} has a container that runs although its pod is {phase}"
                )


def most_at_once(seen: list[Seen]) -> int:
    """How many pods there were at most that were to stay."""
    staying: set[str] = set()
    most = 0
    for each in sorted(seen, key=lambda each: each.revision):
        if each.kind.kind != "Pod":
            continue
        meta = each.obj["metadata"]
        if each.type == "DELETED" or "deletionTimestamp" in meta:
            staying.discard(meta["uid"])
        else:
            staying.add(meta["uid"])
        most = max(most, len(staying))
    return most


def ready_pods(seen: list[Seen], chosen: Any) -> list[tuple[float, int]]:
    """Return how many of the chosen pods were Ready and to stay, after every change of one: (time, number)."""
    ready: set[str] = set()
    counts = []
    for each in sorted(seen, key=lambda each: each.revision):
        if each.kind.kind != "Pod" or not chosen(each.obj):
            continue
        conditions = each.obj.get("status", {}).get("conditions", [])
        meta = each.obj["metadata"]
        is_ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
        if is_ready and each.type != "DELETED" and "deletionTimestamp" not in meta:
            ready.add(meta["uid"])
        else:
            ready.discard(meta["uid"])
        counts.append((each.at_s, len(ready)))
    return counts

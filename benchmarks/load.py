"""What many pods at once cost: a Deployment over ten hollow nodes scaled to 100 and to 1,000, and back to none.

Seconds on the user's watch; how often a leader lost its lease, and how often a node was not Ready (right: never); for each
pod the CPU of every program and the requests that it took. Other sizes: `KUBARIUM_BENCH_LOAD=30:1000,3000` (nodes, pods).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from benchmarks.clusters import IMAGE, cluster, with_api
from kubarium import Cluster
from kubarium.core.addresses import Addresses
from kubarium.core.components import ADMIN
from kubarium.host.usage import usage
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model.conditions import is_true
from machinery.model.k8s import apps_v1, core_v1, meta_v1
from machinery.model.pods import is_ready
from machinery.model.requests import EventType, Selection
from machinery.model.resources import DEPLOYMENTS, NODES, PODS, KubeObject, Resource

PLAN: Final = "10:100,1000"
NAME: Final = "load"
PATIENCE_S: Final = 600.0
_QUIET_S: Final = 2.0  # without an event, then all are written


def measure() -> dict[str, Any]:
    """Report, for each size, going up and going down.

    Raises:
        TimeoutError: a size was not reached in ten minutes.
    """
    nodes, _, sizes = os.environ.get("KUBARIUM_BENCH_LOAD", PLAN).partition(":")
    counts = [int(size) for size in sizes.split(",")]
    with cluster(nodes=int(nodes), runtime="hollow") as handle:
        with_api(handle, lambda api: _scale(handle, api, 10))  # what is done once is done
        with_api(handle, lambda api: _scale(handle, api, 0, per=10))
        return {f"{count}_pods_on_{nodes}_nodes": _up_and_down(handle, count) for count in counts}


def _up_and_down(handle: Cluster, count: int) -> dict[str, Any]:
    return {
        "up": with_api(handle, lambda api: _scale(handle, api, count)),
        "down": with_api(handle, lambda api: _scale(handle, api, 0, per=count)),
    }


async def _scale(handle: Cluster, api: Api, count: int, *, per: int = 0) -> dict[str, Any]:
    """Scale the Deployment; return what it cost until as many pods are Ready, or none is there."""
    if not (await api.list(DEPLOYMENTS, Selection("default"))).items:
        await api.create(DEPLOYMENTS, deployment(NAME, 0))
    async with followed(api, NODES, Selection()) as nodes, followed(api, PODS, _SELECTED) as pods:
        before, began = Costs.of(handle), time.monotonic()
        await api.patch(DEPLOYMENTS, NAME, {"spec": {"replicas": count}}, namespace="default")
        async with asyncio.timeout(PATIENCE_S):
            await pods.until(lambda objects: len(objects) == sum(map(is_ready, objects)) == count)
        took_s = time.monotonic() - began
        costs = await _settled(handle)
    return {
        "seconds": round(took_s, 1),
        "processes_ended": costs.restarts - before.restarts,
        "nodes_not_ready": sum(not _is_node_ready(node) for node in nodes.seen),
        **costs.since(before, per or count),
    }


async def _settled(handle: Cluster) -> Costs:
    """Measure once everything is told: events are written beside the work, maybe after it."""
    costs = Costs.of(handle)
    while True:
        before = costs
        await asyncio.sleep(_QUIET_S)
        costs = Costs.of(handle)
        if not any((costs.requests - before.requests)[f"{verb} events"] for verb in ("create", "patch")):
            return before


_SELECTED: Final = Selection("default", label_selector=f"app={NAME}")


def deployment(name: str, replicas: int) -> apps_v1.Deployment:
    """Build a Deployment whose pods are Ready as soon as they run."""
    container = core_v1.Container(name="main", image=IMAGE, command=["sleep", "3600"])
    labels = {"app": name}
    return apps_v1.Deployment(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=apps_v1.DeploymentSpec(
            replicas=replicas,
            selector=meta_v1.LabelSelector(matchLabels=labels),
            template=core_v1.PodTemplateSpec(
                metadata=meta_v1.ObjectMeta(labels=labels),
                spec=core_v1.PodSpec(containers=[container], terminationGracePeriodSeconds=0),
            ),
        ),
    )


def _is_node_ready(node: core_v1.Node) -> bool:
    return is_true(node.status.conditions, "Ready")


@dataclass(frozen=True)
class Costs:
    """What the processes have used so far."""

    cpu_s: Counter[str]  # by program
    requests: Counter[str]  # "create pods"
    restarts: int

    @staticmethod
    def of(handle: Cluster) -> Costs:
        """Measure."""
        processes = handle.ps()
        used = usage(process.pid for process in processes if process.pid)
        cpu_s: Counter[str] = Counter()
        for process in processes:
            if process.pid in used:
                cpu_s[process.name.partition("@")[0].rstrip("-0123456789")] += used[process.pid].cpu_s
        supervisor = psutil.Process(next(process.pid for process in processes if process.pid)).parent()
        if supervisor is not None:
            cpu_s["supervisor"] = sum(supervisor.cpu_times()[:2])
        return Costs(cpu_s, _requests(handle), sum(process.restarts for process in processes))

    def since(self, before: Costs, count: int) -> dict[str, Any]:
        """Return what was used since, for each of so many pods."""
        cpu_ms = {name: 1_000 * (spent - before.cpu_s[name]) / count for name, spent in self.cpu_s.items()}
        requests = {
            name: round((total - before.requests[name]) / count, 2) for name, total in self.requests.items()
        }
        return {
            "cpu_ms_a_pod": {name: round(spent, 1) for name, spent in sorted(cpu_ms.items())},
            "cpu_ms_a_pod_in_all": round(sum(cpu_ms.values()), 1),
            "requests_a_pod": {name: each for name, each in sorted(requests.items()) if each >= 0.02},
            "requests_a_pod_in_all": round(sum(requests.values()), 1),
        }


def _requests(handle: Cluster) -> Counter[str]:
    """Count the requests that the apiserver has served, by verb and resource."""
    pki = Pki(handle.layout.pki)
    context = ssl.create_default_context(cafile=str(pki.certificate("ca")))
    context.load_cert_chain(str(pki.certificate(ADMIN.name)), str(pki.key(ADMIN.name)))
    url = f"{Addresses(handle.spec).rest_url}/metrics"
    with urllib.request.urlopen(url, context=context, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    found: Counter[str] = Counter()
    for line in lines:
        if line.startswith("apiserver_requests_total{"):
            labels, _, total = line.partition("{")[2].rpartition("} ")
            fields = dict(pair.split("=") for pair in labels.split(","))
            found[f"{fields['verb']} {fields['resource']}".replace('"', "")] += int(float(total))
    return found


@dataclass
class Followed:
    """The objects of a selection, kept up to date."""

    objects: dict[str, Any]
    seen: list[Any] = field(default_factory=list)  # every version that came
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, enough: Callable[[list[Any]], bool]) -> None:
        """Wait until the objects are as they should be."""
        while not enough(list(self.objects.values())):
            self.news.clear()
            await self.news.wait()
            await asyncio.sleep(0.05)  # the machine belongs to those that are measured


@asynccontextmanager
async def followed(api: Api, resource: Resource[Any], selection: Selection) -> AsyncIterator[Followed]:
    """Follow a collection while inside."""
    listing = await api.list(resource, selection)
    found = Followed({item.metadata.uid: item for item in listing.items})

    async def follow() -> None:
        async for batch in api.watch(resource, selection, resource_version=str(listing.revision)):
            for event in batch:
                if event.object is not None:
                    _note(found, event.type, event.object)
            found.news.set()

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow())
        yield found
        following.cancel()


def _note(followed: Followed, type_: EventType, obj: KubeObject) -> None:
    if type_ is EventType.DELETED:
        followed.objects.pop(obj.metadata.uid, None)
    else:
        followed.objects[obj.metadata.uid] = obj
    if isinstance(obj, core_v1.Node):
        followed.seen.append(obj)

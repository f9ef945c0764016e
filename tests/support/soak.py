"""A cluster with something of every kind of workload, and what has to be true of it when it has come to rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support.kubectl import Kubectl, is_ready

COMPLETIONS = 6
NODES = 4
_POD = {"containers": [{"name": "main", "image": "busybox:1.36", "resources": {"requests": {"cpu": "10m"}}}]}


def _labels(name: str) -> dict[str, str]:
    return {"app": name}


def _template(name: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"labels": _labels(name), "annotations": annotations}, "spec": _POD}


def _controller(api_version: str, kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": _labels(name)}, "template": _template(name), **spec},
    }


def _ending(name: str) -> dict[str, Any]:
    """Build a pod template whose container ends by itself."""
    template = _template(name, **{"hollow.kubarium.dev/main.exit-after": "2s"})
    return {**template, "spec": {**_POD, "restartPolicy": "Never"}}


def job(name: str) -> dict[str, Any]:
    """Build an indexed Job; its pods end well."""
    spec = {"completions": COMPLETIONS, "parallelism": 3, "completionMode": "Indexed", "backoffLimit": 50}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {**spec, "template": _ending(name)},
    }


def workloads() -> list[dict[str, Any]]:
    """Build one of each kind."""
    return [
        _controller("apps/v1", "Deployment", "web", replicas=4),
        _controller("apps/v1", "ReplicaSet", "set", replicas=2),
        _controller("apps/v1", "StatefulSet", "db", replicas=3, serviceName="db"),
        _controller("apps/v1", "DaemonSet", "agent"),
        {
            **_controller("v1", "ReplicationController", "old", replicas=2),
            "spec": {"selector": _labels("old"), "replicas": 2, "template": _template("old")},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "tick"},
            "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": _ending("tick")}}},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "web"},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": _labels("web")}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": _labels("web"), "ports": [{"port": 80}]},
        },
    ]


@dataclass(slots=True)
class Witness:
    """What has been promised and seen so far."""

    replicas: dict[str, int] = field(default_factory=lambda: {"deployment/web": 4, "statefulset/db": 3})
    maps: set[str] = field(default_factory=set)  # ConfigMaps whose creation was acknowledged
    jobs: set[str] = field(default_factory=set)
    nodes: dict[str, str] = field(default_factory=dict)  # of every pod ever seen, by uid

    def see(self, pods: list[dict[str, Any]]) -> None:
        """Remember where pods are.

        Raises:
            AssertionError: one was bound twice, or a name stands for two pods at once.
        """
        for pod in pods:
            node = pod["spec"].get("nodeName")
            if node:
                before = self.nodes.setdefault(pod["metadata"]["uid"], node)
                assert before == node, f"{pod['metadata']['name']} was bound to {before}, and to {node}"


def unsettled(kubectl: Kubectl, witness: Witness) -> list[str]:
    """Say what is not as it was asked for, a line each; nothing where everything is."""
    try:
        found = json.loads(kubectl("get", _EVERYTHING, "-o", "json", "--request-timeout=10s"))["items"]
    except AssertionError as error:
        return [str(error)]
    world = World(found)
    witness.see(world.of("Pod"))
    return [line for check in _CHECKS for line in check(world, witness)]


_EVERYTHING = (
    "pods,deployments,replicasets,statefulsets,daemonsets,rc,jobs,cronjobs,pdb,endpointslices,configmaps"
)


class World:
    """Everything in the namespace, by kind."""

    def __init__(self, objects: list[dict[str, Any]]) -> None:
        self._objects = objects

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        return [each for each in self._objects if each["kind"] == kind]

    def one(self, kind: str, name: str) -> dict[str, Any]:
        """Return one of them; it is there, since nobody deletes it."""
        return next(each for each in self.of(kind) if each["metadata"]["name"] == name)

    def pods(self, app: str) -> list[dict[str, Any]]:
        """Return the pods of a workload."""
        return [pod for pod in self.of("Pod") if pod["metadata"].get("labels", {}).get("app") == app]


def _replicas(world: World, witness: Witness) -> Iterator[str]:
    """Everything has as many pods as it was told to have, all Ready, and says so."""
    wanted = [
        ("Deployment", "web", witness.replicas["deployment/web"], "readyReplicas"),
        ("ReplicaSet", "set", 2, "readyReplicas"),
        ("StatefulSet", "db", witness.replicas["statefulset/db"], "readyReplicas"),
        ("ReplicationController", "old", 2, "readyReplicas"),
        ("DaemonSet", "agent", NODES, "numberReady"),
    ]
    for kind, name, number, says in wanted:
        thing, pods = world.one(kind, name), world.pods(name)
        status = thing.get("status", {})
        told = status.get(says, 0), status.get("observedGeneration")
        if (
            len(pods) != number
            or not all(map(is_ready, pods))
            or told != (number, thing["metadata"]["generation"])
        ):
            states = [(pod["metadata"]["name"], pod["status"].get("phase"), is_ready(pod)) for pod in pods]
            yield f"{kind} {name}: {number} wanted, status {status}, pods {states}"


def _identities(world: World, witness: Witness) -> Iterator[str]:
    names = {pod["metadata"]["name"] for pod in world.pods("db")}
    if names != {f"db-{ordinal}" for ordinal in range(witness.replicas["statefulset/db"])}:
        yield f"StatefulSet db: {sorted(names)}"


def _jobs(world: World, witness: Witness) -> Iterator[str]:
    """Every acknowledged Job has counted each of its indexes once."""
    for name in witness.jobs:
        status = world.one("Job", name).get("status", {})
        done = {each["type"] for each in status.get("conditions", []) if each["status"] == "True"}
        counted = (
            status.get("succeeded", 0),
            status.get("completedIndexes"),
            status.get("uncountedTerminatedPods", {}),
        )
        if "Complete" not in done or counted != (COMPLETIONS, f"0-{COMPLETIONS - 1}", {}):
            yield f"Job {name}: {status}"


def _ticks(world: World, _witness: Witness) -> Iterator[str]:
    if "lastSuccessfulTime" not in world.one("CronJob", "tick").get("status", {}):
        yield "CronJob tick has not run"


def _followers(world: World, witness: Witness) -> Iterator[str]:
    """The budget and the endpoints count what there is."""
    number = witness.replicas["deployment/web"]
    budget = world.one("PodDisruptionBudget", "web").get("status", {})
    if (budget.get("currentHealthy"), budget.get("expectedPods")) != (number, number):
        yield f"PodDisruptionBudget web: {budget}"
    slices = [
        each
        for each in world.of("EndpointSlice")
        if each["metadata"]["labels"].get("kubernetes.io/service-name") == "web"
    ]
    ready = [
        each for slice_ in slices for each in slice_["endpoints"] or () if each["conditions"].get("ready")
    ]
    if len(ready) != number:
        yield f"Service web has {len(ready)} endpoints of {number}"


def _kept(world: World, witness: Witness) -> Iterator[str]:
    lost = witness.maps - {each["metadata"]["name"] for each in world.of("ConfigMap")}
    if lost:
        yield f"acknowledged and lost: {sorted(lost)}"


_CHECKS: tuple[Callable[[World, Witness], Iterator[str]], ...] = (
    _replicas, _identities, _jobs, _ticks, _followers, _kept,
)  # fmt: skip

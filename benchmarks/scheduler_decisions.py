"""Decisions of the scheduler's core per CPU second at 5,000 nodes, every node's verdict up to date each time."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from machinery.model.k8s.apps_v1 import ReplicaSet, ReplicaSetSpec, ReplicaSetStatus
from machinery.model.k8s.core_v1 import (
    Affinity,
    Container,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeStatus,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    ResourceRequirements,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from scheduler.core.evaluations import Evaluations
from scheduler.core.pod import PodReader
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind, schedule
from scheduler.core.snapshot import Snapshot

NODES = 5_000
ZONES = 3
WARM_UP = 50
PODS = 10_000
_LABELS = {"app": "web"}


def measure() -> dict[str, Any]:
    """Schedule pods of each kind, each onto an empty cluster; the decision and its bookkeeping are counted.

    Raises:
        TypeError: a pod finds no node, so that something else would be measured.
    """
    return {
        "nodes": NODES,
        "decisions_per_cpu_s": {name: _rate(make) for name, make in KINDS.items()},
    }


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(measure(), indent=2))


def _rate(make: Callable[[int], Pod]) -> int:
    snapshot, reader = cluster(NODES), PodReader()
    evaluations, randomness = Evaluations(snapshot, DEFAULT), random.Random(1)
    pods = [make(number) for number in range(WARM_UP + PODS)]
    for number, pod in enumerate(pods):
        if number == WARM_UP:
            began = time.process_time()
        info = reader.read(pod)
        decision = schedule(info, snapshot, evaluations, tie_break=randomness.random())
        if not isinstance(decision, Bind):
            raise TypeError(f"the benchmark has room for all pods, but: {decision.message}")
        snapshot.assume(info, decision.node)
    return round(PODS / (time.process_time() - began))


def cluster(nodes: int) -> Snapshot:
    """Return so many empty nodes, in three zones."""
    snapshot = Snapshot()
    snapshot.owners.set_replica_set(_replica_set())
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    for number in range(nodes):
        name = f"node-{number}"
        labels = {
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/zone": f"zone-{number % ZONES}",
            "disk": "ssd" if number % 2 else "hdd",
        }
        meta = ObjectMeta(name=name, uid=name, labels=labels)
        snapshot.set_node(Node(metadata=meta, status=NodeStatus(allocatable=amounts)))
    return snapshot


def _replica_set() -> ReplicaSet:
    meta = ObjectMeta(name="web", namespace="default", uid="rs")
    spec = ReplicaSetSpec(selector=LabelSelector(matchLabels=_LABELS))
    return ReplicaSet(metadata=meta, spec=spec, status=ReplicaSetStatus(replicas=0))


def _pod(number: int, *, labels: dict[str, str] | None = None, owned: bool = False, **spec: Any) -> Pod:
    name = f"web-{number}"
    owner = OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="web", uid="rs", controller=True)
    meta = ObjectMeta(
        name=name,
        namespace="default",
        uid=name,
        labels=labels or {},
        ownerReferences=[owner] if owned else [],
    )
    needs = ResourceRequirements(requests={"cpu": "100m", "memory": "128Mi"})
    return Pod(
        metadata=meta, spec=PodSpec(containers=[Container(name="c", image="web:1", resources=needs)], **spec)
    )


def _affinity() -> Affinity:
    ssd = NodeSelectorRequirement(key="disk", operator="In", values=["ssd"])
    return Affinity(
        nodeAffinity=NodeAffinity(
            requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(
                nodeSelectorTerms=[NodeSelectorTerm(matchExpressions=[ssd])]
            )
        )
    )


def _spread(key: str) -> TopologySpreadConstraint:
    return TopologySpreadConstraint(
        maxSkew=1,
        topologyKey=key,
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=LabelSelector(matchLabels=_LABELS),
    )


_GROUPS = 4  # that keep away from their own alone: 5,000 nodes have room for all pods


def _term(app: str, key: str) -> PodAffinityTerm:
    return PodAffinityTerm(topologyKey=key, labelSelector=LabelSelector(matchLabels={"app": app}))


def _beside(number: int, *, required: bool) -> Pod:
    """Return a pod that goes, or had rather go, to the zone of its like."""
    term = _term("web", "topology.kubernetes.io/zone")
    return _pod(
        number, labels=_LABELS, affinity=Affinity(podAffinity=PodAffinity(**_terms(term, required=required)))
    )


def _apart(number: int, *, required: bool) -> Pod:
    """Return a pod that goes, or had rather go, to a node without its like."""
    app = f"web-{number % _GROUPS}"
    terms = _terms(_term(app, "kubernetes.io/hostname"), required=required)
    return _pod(number, labels={"app": app}, affinity=Affinity(podAntiAffinity=PodAntiAffinity(**terms)))


def _terms(term: PodAffinityTerm, *, required: bool) -> dict[str, Any]:
    if required:
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    preferred = WeightedPodAffinityTerm(weight=100, podAffinityTerm=term)
    return {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}


KINDS: dict[str, Callable[[int], Pod]] = {
    "basic": _pod,
    "node_affinity": lambda number: _pod(number, affinity=_affinity()),
    "topology_spread_by_zone": lambda number: _pod(
        number, labels=_LABELS, topologySpreadConstraints=[_spread("topology.kubernetes.io/zone")]
    ),
    "topology_spread_by_host": lambda number: _pod(
        number, labels=_LABELS, topologySpreadConstraints=[_spread("kubernetes.io/hostname")]
    ),
    "pod_affinity": lambda number: _beside(number, required=True),
    "pod_anti_affinity": lambda number: _apart(number, required=True),
    "preferred_pod_affinity": lambda number: _beside(number, required=False),
    "preferred_pod_anti_affinity": lambda number: _apart(number, required=False),
    "replicas_with_default_spread": lambda number: _pod(number, labels=_LABELS, owned=True),
}


if __name__ == "__main__":
    main()

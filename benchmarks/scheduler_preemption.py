"""Preemption in the scheduler's core: pods of high priority per CPU second that get the places of others.

In the shape of scheduler_perf's: nodes full of pods of low priority, then as many pods of high priority as there are nodes. Each of
them has three of a node's pods taken away, waits until they are gone (100 further pods are decided on meanwhile), and goes to the
node that was kept for it: two decisions, and all that changes by them.

What is kept for pods that wait counts on their own nodes alone, so pods that are spread by zone, or are beside each other in one,
come one after the other here, without others that are decided on meanwhile.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from machinery.model.k8s.core_v1 import (
    Affinity,
    Container,
    Node,
    NodeStatus,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    ResourceRequirements,
    TopologySpreadConstraint,
)
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta
from scheduler.core.evaluations import Evaluations
from scheduler.core.pod import PodInfo, PodReader
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind, Decision, Unschedulable, schedule
from scheduler.core.snapshot import Snapshot

NODES: Final = (500, 5_000)
_LOW_PODS: Final = 4  # on each node
_LEAVING: Final = 100  # pods whose victims are ending
_ZONES: Final = 3
_ZONE: Final = "topology.kubernetes.io/zone"
_LABELS: Final = {"app": "web"}
_LIKE: Final = LabelSelector(matchLabels=_LABELS)


@dataclass(frozen=True)
class Kind:
    """What the pods of high priority ask for, beside their cpu and memory."""

    spec: dict[str, Any] = field(default_factory=dict)
    leaving: int = _LEAVING  # how many of them wait at a time
    share: int = 1  # of so many nodes, one gets such a pod


def _spread(key: str, skew: int) -> dict[str, Any]:
    constraint = TopologySpreadConstraint(
        maxSkew=skew, topologyKey=key, whenUnsatisfiable="DoNotSchedule", labelSelector=_LIKE
    )
    return {"topologySpreadConstraints": [constraint]}


def _beside() -> dict[str, Any]:
    terms = [PodAffinityTerm(topologyKey=_ZONE, labelSelector=_LIKE)]
    return {
        "affinity": Affinity(podAffinity=PodAffinity(requiredDuringSchedulingIgnoredDuringExecution=terms))
    }


def _apart() -> dict[str, Any]:
    terms = [PodAffinityTerm(topologyKey="kubernetes.io/hostname", labelSelector=_LIKE)]
    anti = PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=terms)
    return {"affinity": Affinity(podAntiAffinity=anti)}


KINDS: Final = {
    "basic": Kind(),
    "topology_spread_by_zone": Kind(_spread(_ZONE, 1), leaving=0),
    "topology_spread_by_host": Kind(_spread("kubernetes.io/hostname", 1)),
    "pod_affinity": Kind(_beside(), leaving=0, share=_ZONES),
    "pod_anti_affinity": Kind(_apart()),
}


def measure() -> dict[str, Any]:
    """Measure clusters of several sizes.

    Raises:
        TypeError: a pod gets no node, or another than was kept for it, so that something else would be measured.
    """
    return {
        "pods_per_cpu_s": {
            name: {f"{nodes} nodes": rate(nodes, kind) for nodes in NODES} for name, kind in KINDS.items()
        }
    }


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(measure(), indent=2))


def rate(nodes: int, kind: Kind) -> int:
    """Return the pods of a kind per CPU second, on so many nodes."""
    snapshot, reader = Snapshot(), PodReader()
    _fill(snapshot, reader, nodes)
    evaluations, randomness = Evaluations(snapshot, DEFAULT), random.Random(1)
    pods = [_high(number, kind) for number in range(nodes // kind.share)]
    waiting: deque[tuple[PodInfo, Sequence[PodInfo]]] = deque()
    began = time.process_time()
    for pod in pods:
        info = reader.read(pod)
        decision = schedule(info, snapshot, evaluations, tie_break=randomness.random())
        if not isinstance(decision, Unschedulable) or not decision.nomination or not decision.actions:
            raise TypeError(f"there is a place for the pod, but: {_said(decision)}")
        snapshot.nominate(info, decision.nomination.node)
        for victim in decision.nomination.leaving:
            snapshot.note_leaving(victim.uid)
        waiting.append((info, decision.nomination.leaving))
        if len(waiting) > kind.leaving:
            _arrive(snapshot, evaluations, *waiting.popleft())
    while waiting:
        _arrive(snapshot, evaluations, *waiting.popleft())
    return round(len(pods) / (time.process_time() - began))


def _arrive(snapshot: Snapshot, evaluations: Evaluations, pod: PodInfo, victims: Sequence[PodInfo]) -> None:
    for victim in victims:
        snapshot.remove_pod(victim.uid)
    decision = schedule(pod, snapshot, evaluations, tie_break=0.0)
    if not isinstance(decision, Bind) or decision.node != snapshot.nominations.node_of(pod.uid):
        raise TypeError(f"a node was kept for the pod, but: {_said(decision)}")
    snapshot.assume(pod, decision.node)


def _said(decision: Decision) -> str:
    return decision.node if isinstance(decision, Bind) else decision.message


def _fill(snapshot: Snapshot, reader: PodReader, nodes: int) -> None:
    amounts = {"cpu": "4", "memory": "32Gi", "pods": "110"}
    for number in range(nodes):
        name = f"node-{number}"
        labels = {"kubernetes.io/hostname": name, _ZONE: f"zone-{number % _ZONES}"}
        meta = ObjectMeta(name=name, uid=name, labels=labels)
        snapshot.set_node(Node(metadata=meta, status=NodeStatus(allocatable=amounts)))
        for place in range(_LOW_PODS):
            snapshot.set_pod(reader.read(_pod(f"low-{number}-{place}", "900m", 0, name)))


def _high(number: int, kind: Kind) -> Pod:
    return _pod(f"high-{number}", "3000m", 10, labels=_LABELS, **kind.spec)


def _pod(
    name: str, cpu: str, priority: int, node: str = "", labels: dict[str, str] | None = None, **more: Any
) -> Pod:
    needs = ResourceRequirements(requests={"cpu": cpu, "memory": "500Mi"})
    containers = [Container(name="c", image="web:1", resources=needs)]
    spec = PodSpec(containers=containers, priority=priority, nodeName=node, **more)
    return Pod(metadata=ObjectMeta(name=name, namespace="default", uid=name, labels=labels or {}), spec=spec)


if __name__ == "__main__":
    main()

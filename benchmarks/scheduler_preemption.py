"""Preemption in the scheduler's core: pods of high priority per CPU second that get the places of others.

In the shape of scheduler_perf's: nodes full of pods of low priority, then as many pods of high priority as there are nodes. Each of
them has three of a node's pods taken away, waits until they are gone (100 further pods are decided on meanwhile), and goes to the
node that was kept for it: two decisions, and all that changes by them.
"""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from machinery.model.k8s.core_v1 import Container, Node, NodeStatus, Pod, PodSpec, ResourceRequirements
from machinery.model.k8s.meta_v1 import ObjectMeta
from scheduler.core.evaluations import Evaluations
from scheduler.core.pod import PodInfo, PodReader
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind, Decision, Unschedulable, schedule
from scheduler.core.snapshot import Snapshot

NODES: Final = (500, 5_000)
_LOW_PODS: Final = 4  # on each node
_LEAVING: Final = 100  # pods whose victims are ending


def measure() -> dict[str, Any]:
    """Measure clusters of several sizes.

    Raises:
        TypeError: a pod gets no node, or another than was kept for it, so that something else would be measured.
    """
    return {"pods_per_cpu_s": {f"{nodes} nodes": rate(nodes) for nodes in NODES}}


def main() -> None:
    """Print the figures as JSON."""
    print(json.dumps(measure(), indent=2))


def rate(nodes: int) -> int:
    """Return the pods per CPU second, on so many nodes."""
    snapshot, reader = Snapshot(), PodReader()
    _fill(snapshot, reader, nodes)
    evaluations, randomness = Evaluations(snapshot, DEFAULT), random.Random(1)
    pods = [_pod(f"high-{number}", "3000m", 10) for number in range(nodes)]
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
        if len(waiting) > _LEAVING:
            _arrive(snapshot, evaluations, *waiting.popleft())
    while waiting:
        _arrive(snapshot, evaluations, *waiting.popleft())
    return round(nodes / (time.process_time() - began))


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
        meta = ObjectMeta(name=name, uid=name, labels={"kubernetes.io/hostname": name})
        snapshot.set_node(Node(metadata=meta, status=NodeStatus(allocatable=amounts)))
        for place in range(_LOW_PODS):
            snapshot.set_pod(reader.read(_pod(f"low-{number}-{place}", "900m", 0, name)))


def _pod(name: str, cpu: str, priority: int, node: str = "") -> Pod:
    needs = ResourceRequirements(requests={"cpu": cpu, "memory": "500Mi"})
    spec = PodSpec(
        containers=[Container(name="c", image="web:1", resources=needs)], priority=priority, nodeName=node
    )
    return Pod(metadata=ObjectMeta(name=name, namespace="default", uid=name), spec=spec)


if __name__ == "__main__":
    main()

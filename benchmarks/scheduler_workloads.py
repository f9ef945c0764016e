"""What pods are scheduled in `scheduler_end_to_end`: workloads shaped as upstream's scheduler_perf describes them.

A workload is pods of one shape, and what is there before them. Nodes have 4 CPUs, 32 GiB, room for 110 pods, and are in three zones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

ZONES: Final = 3
HOST: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
GATE: Final = "example.com/wait"
LOW_PODS: Final = 4  # on each node, before pods of high priority come
PRIORITIES: Final = (("low", 0), ("high", 10))
_LABELS: Final = {"app": "web"}


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods that are to be scheduled, by their numbers; those that are there before; and what goes on meanwhile."""

    make: Callable[[int], Json]
    before: Callable[[int], Json] | None = None  # pods that stay as they are created
    before_count: Callable[[int], int] = lambda _nodes: 0  # how many of them, by the number of nodes
    one_a_node: bool = False  # there is room for one of the pods on each node, and no more
    churns: bool = False  # nodes, Services and pods without a place come and go
    floor: int | None = None  # pods/s that upstream asks of kube-scheduler at 5,000 nodes


def node(number: int, cpu: str = "4") -> Json:
    """Return a node without a kubelet."""
    name = f"node-{number}"
    labels = {HOST: name, ZONE: f"zone-{number % ZONES}", "disk": "ssd" if number % 2 else "hdd"}
    amounts = {"cpu": cpu, "memory": "32Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


def priority_class(number: int) -> Json:
    """Return the class of one of `PRIORITIES`."""
    name, value = PRIORITIES[number]
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": value,
    }


def service(number: int) -> Json:
    """Return a Service that comes and goes."""
    spec = {"selector": {"app": f"churn-{number}"}, "ports": [{"port": 80, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"churn-{number}"}, "spec": spec}


def without_a_place(number: int, name: str = "large") -> Json:
    """Return a pod that is too large for every node."""
    return _pod(f"{name}-{number}", cpu="9")


def _pod(
    name: str,
    *,
    cpu: str = "100m",
    memory: str = "500Mi",
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Json:
    container = {
        "name": "pause",
        "image": "registry.k8s.io/pause:3.10",
        "resources": {"requests": {"cpu": cpu, "memory": memory}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


def _web(number: int, **spec: Any) -> Json:
    return _pod(f"web-{number}", labels=_LABELS, **spec)


def _on_ssd(number: int) -> Json:
    ssd = {"key": "disk", "operator": "In", "values": ["ssd"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [ssd]}]}
    return _web(number, affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})


def _spread(number: int, when: str) -> Json:
    constraint = {
        "maxSkew": 5,
        "topologyKey": ZONE,
        "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": _LABELS},
    }
    return _web(number, topologySpreadConstraints=[constraint])


def _term(app: str, key: str) -> Json:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


def _beside(number: int) -> Json:
    terms = [_term("web", ZONE)]
    return _web(number, affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}})


_GROUP: Final = 50  # pods that keep away from each other: 100 nodes have room for them


def _apart(number: int) -> Json:
    app = f"web-{number // _GROUP}"
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_term(app, HOST)]}}
    return _pod(f"web-{number}", labels={"app": app}, affinity=rule)


def _low(number: int) -> Json:
    return _pod(
        f"low-{number}",
        cpu="900m",
        nodeName=f"node-{number // LOW_PODS}",
        priorityClassName="low",
    )


def _high(number: int) -> Json:
    return _web(number, cpu="3", priorityClassName="high")


def _gated(number: int) -> Json:
    return _pod(f"gated-{number}", schedulingGates=[{"name": GATE}])


WORKLOADS: Final[dict[str, Workload]] = {
    "basic": Workload(_web, floor=270),
    "node_affinity": Workload(_on_ssd, floor=220),
    "topology_spread": Workload(lambda number: _spread(number, "DoNotSchedule"), floor=85),
    "preferred_spread": Workload(lambda number: _spread(number, "ScheduleAnyway")),
    "pod_affinity": Workload(_beside, floor=35),
    "pod_anti_affinity": Workload(_apart, floor=60),
    "preemption": Workload(_high, _low, lambda nodes: LOW_PODS * nodes, one_a_node=True, floor=160),
    "mixed_churn": Workload(_web, churns=True),
    "unschedulable": Workload(_web, without_a_place, lambda nodes: min(nodes, 200)),
    "many_gated": Workload(_web, _gated, lambda nodes: min(4 * nodes, 10_000)),
}

"""Which nodes suit a template, and what binds a pod to one of them.

A pod is made for one node and names it in its node affinity: the scheduler binds it. Pods tolerate what befalls nodes:
daemons are to run on those that are not ready, or under pressure, too.
https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import msgspec

from controllers.core.workloads import Template, without_nulls
from machinery.model.k8s.core_v1 import Affinity, Node, NodeAffinity, Pod, Toleration
from machinery.model.placement import selects_node, tolerates_evicting_taints, tolerates_taints
from machinery.model.taints import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NO_EXECUTE,
    NO_SCHEDULE,
    NOT_READY,
    PID_PRESSURE,
    UNREACHABLE,
    UNSCHEDULABLE,
)

Json = dict[str, Any]

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_NAME: Final = "metadata.name"
_TOLERATED: Final = (
    (NOT_READY, NO_EXECUTE),
    (UNREACHABLE, NO_EXECUTE),
    (DISK_PRESSURE, NO_SCHEDULE),
    (MEMORY_PRESSURE, NO_SCHEDULE),
    (PID_PRESSURE, NO_SCHEDULE),
    (UNSCHEDULABLE, NO_SCHEDULE),
)
_ON_HOST_NETWORK: Final = ((NETWORK_UNAVAILABLE, NO_SCHEDULE),)


class Verdict(Enum):
    """What a node is to a template."""

    RUN = "run"  # has to have a pod
    STAY = "stay"  # gets none, and keeps the one that it has
    AWAY = "away"  # has to have none


class Wish(msgspec.Struct, frozen=True):
    """What a template asks of nodes; its tolerations with those that every daemon has."""

    affinity: Affinity | None = None
    nodeName: str = ""
    nodeSelector: dict[str, str] = {}
    tolerations: list[Toleration] = []

    @property
    def node_affinity(self) -> NodeAffinity | None:
        """Return the part of the affinity that is about nodes."""
        return self.affinity.nodeAffinity if self.affinity else None


def read_wish(template: Template) -> Wish:
    """Read what a template asks of nodes."""
    spec = template.get("spec") or {}
    asked = {name: spec[name] for name in ("affinity", "nodeName", "nodeSelector") if name in spec}
    return msgspec.convert(without_nulls(asked | {"tolerations": tolerations_of(spec)}), Wish)


def judge(wish: Wish, node: Node) -> Verdict:
    """Judge a node."""
    name = node.metadata.name
    if wish.nodeName not in {"", name}:
        return Verdict.AWAY
    if not selects_node(wish.nodeSelector, wish.node_affinity, node.metadata.labels, name):
        return Verdict.AWAY
    if tolerates_taints(node.spec.taints, wish.tolerations):
        return Verdict.RUN
    stays = tolerates_evicting_taints(node.spec.taints, wish.tolerations)
    return Verdict.STAY if stays else Verdict.AWAY


def tolerations_of(spec: Json) -> list[Json]:
    """Return the tolerations of a template's pods: its own, and those that every daemon has, without a time limit."""
    wanted = (*_TOLERATED, *(_ON_HOST_NETWORK if spec.get("hostNetwork") else ()))
    tolerations: list[Json] = [*(spec.get("tolerations") or ())]
    for key, effect in wanted:
        tolerations = _with(tolerations, {"key": key, "operator": "Exists", "effect": effect})
    return tolerations


def _with(tolerations: list[Json], new: Json) -> list[Json]:
    """Put one in the place of those for the same taint that differ in their time limit only, or at the end."""
    same = [without_nulls({**each, "tolerationSeconds": None}) == new for each in tolerations]
    if not any(same):
        return [*tolerations, new]
    return [new if is_same else each for each, is_same in zip(tolerations, same, strict=True)]


def bound_to(spec: Json, node: str) -> Json:
    """Return the spec of a template's pod for a node: the affinity leads to this node and no other."""
    affinity = spec.get("affinity") or {}
    by_name = {"matchFields": [{"key": _NAME, "operator": "In", "values": [node]}]}
    of_nodes = (affinity.get("nodeAffinity") or {}) | {_REQUIRED: {"nodeSelectorTerms": [by_name]}}
    return spec | {
        "affinity": affinity | {"nodeAffinity": of_nodes},
        "tolerations": tolerations_of(spec),
    }


def node_of(pod: Pod) -> str:
    """Return the node that a pod is on, or that it was made for; "" where it tells none."""
    return pod.spec.nodeName or next(_nodes_meant(pod), "")


def _nodes_meant(pod: Pod) -> Iterator[str]:
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    for term in required.nodeSelectorTerms if required else ():
        for field in term.matchFields:
            if field.key == _NAME and field.operator == "In" and len(field.values) == 1:
                yield field.values[0]

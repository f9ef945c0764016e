"""A node and the sums of what its pods request, kept up to date pod by pod."""

from __future__ import annotations

from typing import Final, TypeVar

from machinery.model.k8s.core_v1 import Node, Taint
from machinery.model.placement import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, read_allocatable
from scheduler.core.affinity import Term
from scheduler.core.disks import Disk
from scheduler.core.labels import LabelSet
from scheduler.core.needs import normalized_image
from scheduler.core.pod import ClaimKey, PodInfo

K = TypeVar("K")

_NATIVE: Final = frozenset({CPU, MEMORY, EPHEMERAL_STORAGE, PODS})


class NodeInfo:
    """One node. Only its Snapshot changes it; everybody else reads.

    A node that pods name and nobody has described yet is there with `exists` False: it counts nowhere.
    """

    __slots__ = (
        "allocatable_cpu",
        "allocatable_ephemeral",
        "allocatable_extended",
        "allocatable_memory",
        "allocatable_pods",
        "claims",
        "cpu",
        "disks",
        "ephemeral",
        "exists",
        "extended",
        "images",
        "index",
        "label_counts",
        "labels",
        "leaving_counts",
        "memory",
        "name",
        "nonzero_cpu",
        "nonzero_memory",
        "pod_count",
        "pods",
        "ports",
        "priorities",
        "taints",
        "terms",
        "unschedulable",
        "version",
    )

    def __init__(self, name: str, index: int) -> None:
        self.name = name
        self.index = index
        self.version = 0  # raised when the node itself changes, not its pods
        self.exists = False
        self.labels: dict[str, str] = {}
        self.taints: list[Taint] = []
        self.unschedulable = False
        self.images: dict[str, int] = {}  # bytes, by normalized name
        self.allocatable_cpu = self.allocatable_memory = self.allocatable_ephemeral = (
            self.allocatable_pods
        ) = 0
        self.allocatable_extended: dict[str, int] = {}
        self.cpu = self.memory = self.ephemeral = self.pod_count = self.nonzero_cpu = self.nonzero_memory = 0
        self.extended: dict[str, int] = {}
        self.ports: dict[tuple[str, int], dict[str, int]] = {}  # (protocol, port) → address → users
        self.label_counts: dict[LabelSet, int] = {}  # of pods that are not being deleted
        self.leaving_counts: dict[LabelSet, int] = {}  # of those that are
        self.terms: dict[Term, int] = {}  # of affinity, that the pods have
        self.disks: dict[Disk, int] = {}  # pods by the disks that they mount
        self.claims: dict[ClaimKey, int] = {}  # pods by the claims that they use
        self.priorities: dict[int, int] = {}  # pods by priority
        self.pods: dict[str, PodInfo] = {}  # by uid

    def describe(self, node: Node) -> None:
        """Note what a Node object says."""
        amounts = read_allocatable(node.status.allocatable)
        self.version += 1
        self.exists = True
        self.labels = node.metadata.labels
        self.taints = node.spec.taints
        self.unschedulable = bool(node.spec.unschedulable)
        self.images = _images(node)
        self.allocatable_cpu = amounts.get(CPU, 0)
        self.allocatable_memory = amounts.get(MEMORY, 0)
        self.allocatable_ephemeral = amounts.get(EPHEMERAL_STORAGE, 0)
        self.allocatable_pods = amounts.get(PODS, 0)
        self.allocatable_extended = {name: amount for name, amount in amounts.items() if name not in _NATIVE}

    def vanish(self) -> None:
        """Note that the Node object is gone; its pods may still be there for a while."""
        self.version += 1
        self.exists = False
        self.images = {}

    def copy(self) -> NodeInfo:
        """Return the node for a question "what if": pods that are added to it or removed from it do not change this one."""
        other: NodeInfo = object.__new__(NodeInfo)
        for name in _SHARED:
            setattr(other, name, getattr(self, name))
        for name in _COUNTS:
            setattr(other, name, dict(getattr(self, name)))
        other.ports = {port: dict(users) for port, users in self.ports.items()} if self.ports else {}
        return other

    def add(self, pod: PodInfo, sign: int = 1) -> None:
        """Count a pod; with sign -1, stop counting it."""
        needs = pod.needs
        if sign > 0:
            self.pods[pod.uid] = pod
        else:
            self.pods.pop(pod.uid, None)
        self.pod_count += sign
        self.cpu += sign * needs.cpu
        self.memory += sign * needs.memory
        self.ephemeral += sign * needs.ephemeral
        self.nonzero_cpu += sign * needs.nonzero_cpu
        self.nonzero_memory += sign * needs.nonzero_memory
        count(self.priorities, pod.priority, sign)
        count(self.leaving_counts if pod.is_terminating else self.label_counts, pod.labels, sign)
        if needs.has_terms:
            for term in pod.terms:
                count(self.terms, term, sign)
        for name, amount in needs.extended:
            count(self.extended, name, sign * amount)
        if needs.claims:
            for claim in pod.claims:
                count(self.claims, claim.key, sign)
        for disk in needs.disks:
            count(self.disks, disk, sign)
        for port in needs.ports:
            count(self.ports.setdefault((port.protocol, port.port), {}), port.ip, sign)


_COUNTS: Final = (
    "claims",
    "disks",
    "extended",
    "label_counts",
    "leaving_counts",
    "pods",
    "priorities",
    "terms",
)
_SHARED: Final = tuple(name for name in NodeInfo.__slots__ if name not in {*_COUNTS, "ports"})


def count(counts: dict[K, int], key: K, change: int) -> None:
    """Change a count; what is none is left out."""
    now = counts.get(key, 0) + change
    if now:
        counts[key] = now
    else:
        counts.pop(key, None)


def _images(node: Node) -> dict[str, int]:
    return {
        normalized_image(name): image.sizeBytes or 0 for image in node.status.images for name in image.names
    }

"""How good a node is by what is requested of its resources, each with a weight: the strategies of NodeResourcesFit.

https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/

    LeastAllocated            the free share, in percent
    MostAllocated             the requested share
    RequestedToCapacityRatio  a broken line through the points of a shape, from the requested share to a score

A resource that the node has not got does not count, nor does an extended one that the pod does not request. Cpu and memory are
counted with defaults for containers that request nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, NamedTuple, TypeAlias

from machinery.model.placement import CPU, EPHEMERAL_STORAGE, MEMORY
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.normalize import MAX_SCORE

Shape: TypeAlias = tuple[tuple[int, int], ...]
"""(utilization in percent, score from 0 to 100), by utilization."""

_FULL: Final = 100


class ResourceWeight(NamedTuple):
    """What a resource counts."""

    name: str
    weight: int


class Strategy(NamedTuple):
    """How a node is scored."""

    kind: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]
    resources: tuple[ResourceWeight, ...]
    shape: Shape = ()


def rate(strategy: Strategy, needs: Needs, node: NodeInfo) -> int:
    """Return 0 to 100 for a node, once the pod is there."""
    shares = list(_shares(strategy, needs, node))
    if strategy.kind == "RequestedToCapacityRatio":
        return _by_shape(strategy.shape, shares)
    total = sum(weight for weight, _, _ in shares)
    one = _free if strategy.kind == "LeastAllocated" else _used
    return sum(weight * one(wanted, whole) for weight, wanted, whole in shares) // total if total else 0


def _by_shape(shape: Shape, shares: list[tuple[int, int, int]]) -> int:
    """Return the mean of what the shape says of each resource; one of which it says 0 does not count."""
    rated = [(weight, on_line(shape, _utilization(wanted, whole))) for weight, wanted, whole in shares]
    total = sum(weight for weight, score in rated if score > 0)
    return (2 * sum(weight * score for weight, score in rated) + total) // (2 * total) if total else 0


def on_line(shape: Shape, utilization: int) -> int:
    """Return the score of a utilization in percent on the line through the points of a shape."""
    if utilization <= shape[0][0]:
        return shape[0][1]
    for (left, low), (right, high) in pairwise(shape):
        if utilization <= right:
            rise = (high - low) * (utilization - left)
            step = abs(rise) // (right - left)
            return low + (step if rise >= 0 else -step)
    return shape[-1][1]


def _shares(strategy: Strategy, needs: Needs, node: NodeInfo) -> Iterator[tuple[int, int, int]]:
    """Yield the weight of each resource that counts, what is requested of it with the pod, and what there is."""
    extended = dict(needs.extended)
    for name, weight in strategy.resources:
        if name == CPU:
            wanted, whole = node.nonzero_cpu + needs.nonzero_cpu, node.allocatable_cpu
        elif name == MEMORY:
            wanted, whole = node.nonzero_memory + needs.nonzero_memory, node.allocatable_memory
        elif name == EPHEMERAL_STORAGE:
            wanted, whole = node.ephemeral + needs.ephemeral, node.allocatable_ephemeral
        elif name in extended:
            wanted, whole = (
                node.extended.get(name, 0) + extended[name],
                node.allocatable_extended.get(name, 0),
            )
        else:
            continue
        if whole:
            yield weight, wanted, whole


def _free(wanted: int, whole: int) -> int:
    return (whole - wanted) * MAX_SCORE // whole if wanted <= whole else 0


def _used(wanted: int, whole: int) -> int:
    return min(wanted, whole) * MAX_SCORE // whole


def _utilization(wanted: int, whole: int) -> int:
    return min(_FULL, wanted * _FULL // whole)

"""The message of a pod that fits nowhere, in the words that kubectl's users know.

    0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). no new claims to deallocate,
    preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful
    for scheduling.

The claims are those of devices, which Kubernetes' scheduler tells of whatever a pod asks for. A pod that will have the place of others is
told nothing of that: only what keeps it from the nodes now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from scheduler.core.rejection import Rejection

NO_CLAIMS: Final = "no new claims to deallocate"
NO_NODES: Final = "no nodes available to schedule pods"
NOT_HELPFUL: Final = "Preemption is not helpful for scheduling"
NO_VICTIMS: Final = "No preemption victims found for incoming pod"
NEVER: Final = "preemption: not eligible due to preemptionPolicy=Never."
WAITS: Final = "preemption: not eligible due to a terminating pod on the nominated node."


def unschedulable(nodes: int, rejections: Mapping[Rejection, int], remedies: Sequence[str]) -> str:
    """Count the reasons: a node with several of them counts for each; then what PostFilter says."""
    reasons: Counter[str] = Counter()
    for rejection, number in rejections.items():
        for reason in rejection.reasons:
            reasons[reason] += number
    text = f"0/{nodes} nodes are available: {_histogram(reasons)}."
    return f"{text} {', '.join(remedies)}" if remedies else text


def no_node_looked_at(nodes: int, why: str) -> str:
    """Say what keeps a pod from every node."""
    helpless = preemption(nodes, {NOT_HELPFUL: nodes})
    return f"0/{nodes} nodes are available: {why}. {NO_CLAIMS}, {helpless}"


def not_permitted(why: str) -> str:
    """Say that a pod does not get the node that was chosen for it."""
    return f"0/1 nodes are available: 1 {why}."


def preemption(nodes: int, reasons: Mapping[str, int]) -> str:
    """Say why taking pods away does not help."""
    return f"preemption: 0/{nodes} nodes are available: {_histogram(reasons)}."


NO_CANDIDATE: Final = "preemption: no candidate node for preemption"
"""Extenders have left no node."""


def _histogram(reasons: Mapping[str, int]) -> str:
    return ", ".join(sorted(f"{number} {reason}" for reason, number in reasons.items() if number))


def fault(error: Exception) -> str:
    """Write what a pod is told on which the scheduler itself has failed."""
    return (
        "the scheduler failed on this pod, which is a fault of the scheduler and not of the cluster, and tries again later:"
        f" {type(error).__name__}: {error}"
    )

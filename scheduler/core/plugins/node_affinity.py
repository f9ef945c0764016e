"""NodeAffinity: nodeSelector, required terms (one has to hold) and preferred terms (weights add up).

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from functools import partial
from typing import Final

from machinery.model.placement import matches_term, selects_node
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Part, Plugin, Score, Sees, part
from scheduler.core.needs import NO_AFFINITY, Needs
from scheduler.core.node import NodeInfo
from scheduler.core.normalize import more_is_better
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

NAME: Final = "NodeAffinity"
REJECTION: Final = Rejection(NAME, ("node(s) didn't match Pod's node affinity/selector",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the node's labels match nodeSelector and, if there are required terms, one of them."""
    return selects_node(needs.node_selector, needs.node_affinity, node.labels, node.name)


def preference(needs: Needs, node: NodeInfo) -> int:
    """Return the sum of the weights of the preferred terms that the node matches."""
    return sum(
        preferred.weight
        for preferred in needs.node_affinity.preferredDuringSchedulingIgnoredDuringExecution
        if matches_term(preferred.preference, node.labels, node.name)
    )


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return why a node cannot take the pod, None where it can."""
    return None if fits(needs, node) else REJECTION


class NodeAffinity(Plugin):
    """Filters and scores nodes by their labels."""

    name = NAME
    weight = 2
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS})

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return the selector and the terms."""
        del snapshot
        needs = pod.needs
        if not needs.node_selector and needs.node_affinity == NO_AFFINITY:
            return None
        return part(needs, "node_selector", "node_affinity")

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(partial(judge, need.needs), Sees.NODE)

    def score(self, need: Part, snapshot: Snapshot) -> Score | None:
        """Return the score."""
        del snapshot
        if not need.needs.node_affinity.preferredDuringSchedulingIgnoredDuringExecution:
            return None
        return Score(partial(preference, need.needs), Sees.NODE, more_is_better)

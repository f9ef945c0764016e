"""NodeAffinity: nodeSelector, required terms (one has to hold) and preferred terms (weights add up).

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from machinery.model.k8s.core_v1 import NodeAffinity as Terms
from machinery.model.k8s.core_v1 import PreferredSchedulingTerm
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
ENFORCED: Final = Rejection(
    NAME, ("node(s) didn't match scheduler-enforced node affinity",), resolvable=False
)
REJECTION: Final = Rejection(NAME, ("node(s) didn't match Pod's node affinity/selector",), resolvable=False)


def fits(needs: Needs, node: NodeInfo) -> bool:
    """Whether the node's labels match nodeSelector and, if there are required terms, one of them."""
    return selects_node(needs.node_selector, needs.node_affinity, node.labels, node.name)


def preference(needs: Needs, node: NodeInfo) -> int:
    """Return the sum of the weights of the preferred terms that the node matches."""
    return _weigh(needs.node_affinity.preferredDuringSchedulingIgnoredDuringExecution, node)


def _weigh(terms: Iterable[PreferredSchedulingTerm], node: NodeInfo) -> int:
    return sum(each.weight for each in terms if matches_term(each.preference, node.labels, node.name))


def judge(needs: Needs, node: NodeInfo) -> Rejection | None:
    """Return why a node cannot take the pod, None where it can."""
    return None if fits(needs, node) else REJECTION


class NodeAffinity(Plugin):
    """Filters and scores nodes by their labels; `added` is what a profile asks for in addition to each pod."""

    name = NAME
    weight = 2
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_LABELS})

    def __init__(self, added: Terms | None = None) -> None:
        self._added = added or NO_AFFINITY

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Part | None:
        """Return the selector and the terms."""
        del snapshot
        needs = pod.needs
        if not needs.node_selector and needs.node_affinity == NO_AFFINITY == self._added:
            return None
        return part(needs, "node_selector", "node_affinity")

    def filter(self, need: Part, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        if self._added.requiredDuringSchedulingIgnoredDuringExecution is None:
            return Filter(partial(judge, need.needs), Sees.NODE)
        return Filter(partial(self._judge, need.needs), Sees.NODE)

    def score(self, need: Part, snapshot: Snapshot) -> Score | None:
        """Return the score."""
        del snapshot
        own = need.needs.node_affinity.preferredDuringSchedulingIgnoredDuringExecution
        terms = (*self._added.preferredDuringSchedulingIgnoredDuringExecution, *own)
        return Score(partial(_weigh, terms), Sees.NODE, more_is_better) if terms else None

    def _judge(self, needs: Needs, node: NodeInfo) -> Rejection | None:
        if not selects_node({}, self._added, node.labels, node.name):
            return ENFORCED
        return judge(needs, node)

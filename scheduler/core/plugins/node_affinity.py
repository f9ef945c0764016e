"""NodeAffinity: nodeSelector, required terms (one has to hold) and preferred terms (weights add up).

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from typing import Final

from machinery.model.placement import matches_term, selects_node
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.rejection import Rejection

NAME: Final = "NodeAffinity"
WEIGHT: Final = 2
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

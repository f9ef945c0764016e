"""How many matching pods there are in each domain of each constraint, kept up to date node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from machinery.model.selectors import LabelMatcher
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import node_affinity, taint_toleration
from scheduler.core.plugins.topology_spread import HOSTNAME, Constraint, least_matching
from scheduler.core.pod import LabelSet

_KNOWN_LIMIT: Final = 10_000


class Domain:
    """One value of a topology label."""

    __slots__ = ("matching", "members", "nodes", "value")

    def __init__(self, value: str) -> None:
        self.value = value
        self.matching = 0  # pods, on the nodes that count
        self.nodes = 0  # nodes that count
        self.members: set[int] = set()  # all nodes with the label


# What the spreading of a pod looks at, per constraint, hard ones first. None: the node lacks the label. A number:
# the matching pods in the node's own domain, for domains of one node. Else the domain.
Fact: TypeAlias = Domain | int | None
Place: TypeAlias = tuple[Fact, ...]


class Tally:
    """One constraint's domains. The nodes that count have all the labels and pass its inclusion policies."""

    def __init__(self, constraint: Constraint, namespace: str, needs: Needs, labels: Sequence[str]) -> None:
        self.constraint = constraint
        self.is_by_host = constraint.topology_key == HOSTNAME
        self.domains: dict[str, Domain] = {}
        self._namespace = namespace
        self._needs = needs
        self._required = labels  # that a node needs in order to count
        self._histogram: dict[int, int] = {}  # domains by their matching pods
        self._matches: dict[LabelSet, bool] = {}
        self._domain_of: dict[int, Domain] = {}
        self._counted: dict[int, int] = {}  # index of a node that counts → its matching pods
        self.on_node: dict[int, int] = {}  # index → matching pods, of every node

    def least(self) -> int:
        """Return the number of matching pods in the emptiest domain, with what minDomains says to it."""
        emptiest = min(self._histogram, default=None)
        return least_matching(self.constraint, emptiest, sum(self._histogram.values()))

    def forget(self, index: int) -> None:
        """Remove a node."""
        self.on_node.pop(index, None)
        domain = self._domain_of.pop(index, None)
        if domain is None:
            return
        domain.members.discard(index)
        matching = self._counted.pop(index, None)
        if matching is not None:
            self._change(domain, -matching, -1)
        if not domain.members:
            del self.domains[domain.value]

    def join(self, node: NodeInfo) -> None:
        """Put a node in, by its labels as they are now; `forget` it first if it was in."""
        matching = self.on_node[node.index] = self._matching(node)
        value = node.labels.get(self.constraint.topology_key)
        if value is None:
            return
        domain = self.domains.get(value)
        if domain is None:
            domain = self.domains[value] = Domain(value)
        self._domain_of[node.index] = domain
        domain.members.add(node.index)
        if self._counts(node):
            self._counted[node.index] = matching
            self._change(domain, matching, 1)

    def recount(self, node: NodeInfo) -> None:
        """Note that the pods of a node have changed, its labels and taints not."""
        matching = self.on_node[node.index] = self._matching(node)
        before = self._counted.get(node.index)
        if before is not None and before != matching:
            self._counted[node.index] = matching
            self._change(self._domain_of[node.index], matching - before, 0)

    def domain(self, index: int) -> Domain | None:
        """Return the domain of a node."""
        return self._domain_of.get(index)

    def _change(self, domain: Domain, matching: int, nodes: int) -> None:
        if domain.nodes:
            self._tick(domain.matching, -1)
        domain.matching += matching
        domain.nodes += nodes
        if domain.nodes:
            self._tick(domain.matching, 1)

    def _tick(self, matching: int, change: int) -> None:
        now = self._histogram.get(matching, 0) + change
        if now:
            self._histogram[matching] = now
        else:
            del self._histogram[matching]

    def _counts(self, node: NodeInfo) -> bool:
        constraint, needs = self.constraint, self._needs
        return (
            all(label in node.labels for label in self._required)
            and (not constraint.honors_affinity or node_affinity.fits(needs, node))
            and (not constraint.honors_taints or taint_toleration.fits(needs, node))
        )

    def _matching(self, node: NodeInfo) -> int:
        return sum(number for labels, number in node.label_counts.items() if self._selects(labels))

    def _selects(self, labels: LabelSet) -> bool:
        if labels.namespace != self._namespace:
            return False
        known = self._matches.get(labels)
        if known is None:
            if len(self._matches) >= _KNOWN_LIMIT:
                self._matches.clear()
            known = self._matches[labels] = _matches(self.constraint.matcher, labels)
        return known


def _matches(matcher: LabelMatcher, labels: LabelSet) -> bool:
    return matcher.matches(labels.labels)

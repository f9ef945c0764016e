"""How much there is of something in each domain of a topology, kept up to date node by node.

A *domain* is one value of a node label. What is counted on a node is up to who asks: matching pods, or terms with their weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Final, TypeAlias

from scheduler.core.node import NodeInfo

HOSTNAME: Final = "kubernetes.io/hostname"
_NO_NODES: Final[frozenset[int]] = frozenset()


class Domain:
    """One value of a topology label."""

    __slots__ = ("amount", "members", "nodes", "value")

    def __init__(self, value: str) -> None:
        self.value = value
        self.amount = 0  # on the nodes that count
        self.nodes = 0  # nodes that count
        self.members: set[int] = set()  # all nodes with the label


# What is seen of a node in a topology. None: the node lacks the label. A number: the amount in the node's own domain, where
# domains are hosts, of which there are many. Else the domain, whose amount changes for all of its nodes at once.
Place: TypeAlias = Domain | int | None


class Tally:
    """The domains of one topology key."""

    def __init__(
        self,
        topology_key: str,
        measure: Callable[[NodeInfo], int],
        counts: Callable[[NodeInfo], bool] = lambda _node: True,
    ) -> None:
        self.topology_key = topology_key
        self.is_by_host = topology_key == HOSTNAME
        self.domains: dict[str, Domain] = {}
        self.total = 0  # in all domains
        self.on_node: dict[int, int] = {}  # index → amount, of every node
        self.version = 0  # raised when a node joins a host that others are on
        self._measure = measure
        self._counts = counts
        self._histogram: dict[int, int] = {}  # domains by their amounts
        self._domain_of: dict[int, Domain] = {}
        self._counted: dict[int, int] = {}  # index of a node that counts → its amount

    def emptiest(self) -> int | None:
        """Return the amount in the emptiest domain that counts, None where there is none."""
        return min(self._histogram, default=None)

    def size(self) -> int:
        """Return the number of domains that count."""
        return sum(self._histogram.values())

    def leave(self, index: int) -> Collection[int]:
        """Remove a node; return the others whose place changes by that."""
        self.on_node.pop(index, None)
        domain = self._domain_of.pop(index, None)
        if domain is None:
            return _NO_NODES
        domain.members.discard(index)
        amount = self._counted.pop(index, None)
        if amount is not None:
            self._change(domain, -amount, -1)
        if not domain.members:
            del self.domains[domain.value]
        return domain.members if self.is_by_host else _NO_NODES

    def join(self, node: NodeInfo) -> Collection[int]:
        """Put a node in, by its labels as they are now; return the others whose place changes by that."""
        moved = set(self.leave(node.index))
        amount = self.on_node[node.index] = self._measure(node)
        value = node.labels.get(self.topology_key)
        if value is None:
            return moved
        domain = self.domains.get(value)
        if domain is None:
            domain = self.domains[value] = Domain(value)
        self._domain_of[node.index] = domain
        domain.members.add(node.index)
        self.version += self.is_by_host and len(domain.members) > 1
        if self._counts(node):
            self._counted[node.index] = amount
            self._change(domain, amount, 1)
        return moved.union(self._neighbours(domain, node.index))

    def recount(self, node: NodeInfo) -> Collection[int]:
        """Note that the pods of a node have changed, its labels and taints not; return the others whose place changes."""
        amount = self.on_node[node.index] = self._measure(node)
        before = self._counted.get(node.index)
        if before is None or before == amount:
            return _NO_NODES
        self._counted[node.index] = amount
        domain = self._domain_of[node.index]
        self._change(domain, amount - before, 0)
        return self._neighbours(domain, node.index)

    def change(self, changed: NodeInfo) -> int:
        """Return by how much a node's domain would have more, if the node's pods were others."""
        before = self._counted.get(changed.index)
        return 0 if before is None else self._measure(changed) - before

    def emptiest_with(self, index: int, change: int) -> int | None:
        """Return `emptiest`, if there were more in the domain of a node."""
        domain = self._domain_of.get(index)
        if not change or domain is None:
            return self.emptiest()
        besides = self.emptiest_besides(index)
        return domain.amount + change if besides is None else min(besides, domain.amount + change)

    def emptiest_besides(self, index: int) -> int | None:
        """Return the amount in the emptiest domain that counts and is not a node's own; None where there is none."""
        domain = self._domain_of.get(index)
        if domain is None or not domain.nodes or self._histogram[domain.amount] > 1:
            return self.emptiest()
        return min((each for each in self._histogram if each != domain.amount), default=None)

    def neighbourhood(self, index: int) -> Hashable:
        """Return what nodes have in common that see the same of other nodes, now and later: the domain, and what each has of it.

        Of a host that is one node alone, what there is: it sees what other such hosts see that have as much.
        """
        domain = self._domain_of.get(index)
        if domain is not None and self.is_by_host and len(domain.members) == 1:
            return domain.amount, domain.nodes
        return domain, self._counted.get(index, 0)

    def standing(self, index: int) -> tuple[Domain | None, int]:
        """Return the domain of a node, and what the node itself has of the amount there."""
        return self._domain_of.get(index), self._counted.get(index, 0)

    def besides(self, index: int) -> int:
        """Return the amount in a node's domain, without the node's own."""
        return self._domain_of[index].amount - self._counted.get(index, 0)

    def domain(self, index: int) -> Domain | None:
        """Return the domain of a node."""
        return self._domain_of.get(index)

    def place(self, index: int) -> Place:
        """Return what is seen of a node."""
        domain = self._domain_of.get(index)
        return domain.amount if domain is not None and self.is_by_host else domain

    def _neighbours(self, domain: Domain, index: int) -> Collection[int]:
        """Return the nodes that share a host's name with another: their place follows from the pods of all of them."""
        if self.is_by_host and len(domain.members) > 1:
            return domain.members - {index}
        return _NO_NODES

    def _change(self, domain: Domain, amount: int, nodes: int) -> None:
        self.total += amount
        if domain.nodes:
            self._tick(domain.amount, -1)
        domain.amount += amount
        domain.nodes += nodes
        if domain.nodes:
            self._tick(domain.amount, 1)

    def _tick(self, amount: int, change: int) -> None:
        now = self._histogram.get(amount, 0) + change
        if now:
            self._histogram[amount] = now
        else:
            del self._histogram[amount]


class Tallies:
    """The part of a relation that counts over domains: each of its tallies is told of every node."""

    _tallies: Sequence[Tally]

    def join(self, node: NodeInfo) -> Collection[int]:
        """Add a node, or take its new labels and taints; return the indexes of the nodes whose place changes."""
        return {index for tally in self._tallies for index in tally.join(node)}

    def recount(self, node: NodeInfo) -> Collection[int]:
        """Count the pods of a node again; return as `join`."""
        moved: Collection[int] = ()
        for tally in self._tallies:
            if more := tally.recount(node):
                moved = {*moved, *more}
        return moved

    def leave(self, index: int) -> Collection[int]:
        """Remove a node; return as `join`."""
        return {other for tally in self._tallies for other in tally.leave(index)}


def amount_at(place: Domain | int) -> int:
    """Return the amount in the domain of a place."""
    return place if isinstance(place, int) else place.amount

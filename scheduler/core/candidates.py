"""The nodes on which pods of one kind and priority would fit if pods of lower priority went, kept up to date as the cluster changes.

As an Evaluation does, Candidates look again only at the nodes that have changed since the last decision; what results is what
looking at all of them afresh would give. Where relations filter, a node's verdict follows from other nodes, too: relations say from
what of them, and what was found for a node is kept as long as its own pods are the same.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Final, NamedTuple

from scheduler.core import messages
from scheduler.core.framework import KindVerdicts, Verdicts
from scheduler.core.like_nodes import NOWHERE
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.preemption import Cost, Victims, find_victims
from scheduler.core.snapshot import Snapshot

_ANSWERS: Final = 4  # that are kept of a node, by what relations see beside it
_STALE: Final = 64  # costs that no node has any more, beyond which they are dropped


class Candidate(NamedTuple):
    """A node, and who would have to go."""

    node: NodeInfo
    victims: Victims


class Candidates:
    """The candidates for pods of a priority, over the verdicts about their kind."""

    def __init__(self, verdicts: KindVerdicts, snapshot: Snapshot, priority: int) -> None:
        self._verdicts = verdicts
        self._snapshot = snapshot
        self._priority = priority
        self._position = -1
        self._version: Hashable = None  # of what relations see
        self._known: dict[int, tuple[Hashable, dict[Hashable, Victims | Sequence[str]]]] = {}
        self._victims: dict[int, Victims] = {}
        self._reasons: dict[int, Sequence[str]] = {}  # of the nodes where nothing helps
        self._counts: dict[str, int] = {}
        self._nodes: dict[Cost, dict[int, None]] = {}
        self._costs: list[Cost] = []  # a heap; those that no node has any more are skipped

    def refresh(self) -> None:
        """Look at the nodes that have changed since the last time, or whose neighbours have."""
        snapshot, verdicts = self._snapshot, self._verdicts
        if self._position == snapshot.position:
            return
        changed = snapshot.changes_since(self._position) if self._position >= 0 else None
        self._position = snapshot.position
        nodes = snapshot.nodes
        indexes = set(range(len(nodes))) if changed is None else changed
        for index in indexes:
            self._withdraw(index)
            self._known.pop(index, None)
            if nodes[index].exists:
                self._look_at(index)
        if verdicts.has_relations and (version := verdicts.besides_version()) != self._version:
            self._version = version
            for index, (besides, _) in [*self._known.items()]:
                if index not in indexes and verdicts.besides(index) != besides:
                    self._withdraw(index)
                    self._look_at(index)

    def best(self, pod: PodInfo, verdicts: Verdicts) -> Candidate | Mapping[str, int]:
        """Return the node whose victims cost least, one of several by the number that was drawn; where none helps, why, counted.

        A node that is kept for the pod itself is looked at as if it were not; `verdicts` are those about the pod.
        """
        snapshot, tie_break = self._snapshot, verdicts.tie_break
        own = snapshot.node(snapshot.nominations.node_of(pod.uid))
        if own is None:
            _, nodes = self._cheapest(NOWHERE)
            return self._chosen(nodes, tie_break) if nodes else self._counts
        mine = self._find(own, verdicts, pod.uid)
        cost, nodes = self._cheapest(own.index)
        if not isinstance(mine, Victims):
            return self._chosen(nodes, tie_break) if nodes else self._counts_with(own.index, mine)
        if cost is None or mine.cost <= cost:
            nodes = [*nodes, own.index] if mine.cost == cost else [own.index]
        return self._chosen(nodes, tie_break, own.index, mine)

    def _chosen(
        self, nodes: Sequence[int], tie_break: float, own: int = NOWHERE, mine: Victims | None = None
    ) -> Candidate:
        chosen = nodes[int(tie_break * len(nodes))]
        victims = mine if mine is not None and chosen == own else self._victims[chosen]
        return Candidate(self._snapshot.nodes[chosen], victims)

    def _counts_with(self, index: int, reasons: Sequence[str]) -> Mapping[str, int]:
        """Count why it does not help, where of one node something else is true."""
        counts = Counter(self._counts)
        counts.subtract(self._reasons.get(index, ()))
        counts.update(reasons)
        return counts

    def _cheapest(self, without: int) -> tuple[Cost | None, list[int]]:
        """Return the lowest cost of all nodes except for one, and the nodes that have it."""
        put_aside = None
        cost: Cost | None
        while self._costs:
            cost = self._costs[0]
            nodes = [index for index in self._nodes.get(cost, ()) if index != without]
            if nodes:
                break
            heapq.heappop(self._costs)
            if cost in self._nodes:
                put_aside = cost
        else:
            cost, nodes = None, []
        if put_aside is not None:
            heapq.heappush(self._costs, put_aside)
        return cost, nodes

    def _look_at(self, index: int) -> None:
        found = self._found(index)
        if isinstance(found, Victims):
            self._enter(index, found)
        else:
            self._note(index, found)

    def _found(self, index: int) -> Victims | Sequence[str]:
        """Return what `_find` does, or did while the same held beside the node."""
        node, verdicts = self._snapshot.nodes[index], self._verdicts
        if not verdicts.has_relations:
            return self._find(node, verdicts, "")
        besides = verdicts.besides(index)
        _, answers = self._known.get(index, (None, {}))
        found = answers.get(besides)
        if found is None:
            if len(answers) >= _ANSWERS:
                answers.clear()
            found = answers[besides] = self._find(node, verdicts, "")
        self._known[index] = besides, answers
        return found

    def _find(self, node: NodeInfo, verdicts: KindVerdicts, without: str) -> Victims | Sequence[str]:
        """Return who would have to go from a node that may be kept for pods, except for one; why it does not help."""
        rejection = verdicts.rejection_of(node.index)
        if rejection is not None and not rejection.resolvable:
            return (messages.NOT_HELPFUL,)
        if min(node.priorities, default=self._priority) >= self._priority:
            return (messages.NO_VICTIMS,)
        kept = self._snapshot.nominations.on_from(node.name, self._priority, without)
        found = find_victims(node, self._priority, kept, verdicts.rejection_with, self._snapshot.budgets)
        if isinstance(found, Victims):
            return found
        return (messages.NO_VICTIMS,) if found is None else found.reasons

    def _enter(self, index: int, victims: Victims) -> None:
        self._victims[index] = victims
        cost = victims.cost
        nodes = self._nodes.get(cost)
        if nodes is None:
            nodes = self._nodes[cost] = {}
            heapq.heappush(self._costs, cost)
            if len(self._costs) > _STALE + 2 * len(self._nodes):
                self._costs = sorted(self._nodes)
        nodes[index] = None

    def _note(self, index: int, reasons: Sequence[str]) -> None:
        self._reasons[index] = reasons
        for each in reasons:
            self._counts[each] = self._counts.get(each, 0) + 1

    def _withdraw(self, index: int) -> None:
        if (victims := self._victims.pop(index, None)) is not None:
            cost = victims.cost
            del self._nodes[cost][index]
            if not self._nodes[cost]:
                del self._nodes[cost]
        for each in self._reasons.pop(index, ()):
            self._counts[each] -= 1

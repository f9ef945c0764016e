"""What was found for nodes that pods of lower priority might leave: who would have to go, or why that does not help."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from scheduler.core.node import count
from scheduler.core.preemption import Cost, Victims

Finding: TypeAlias = Victims | tuple[str, ...]
"""Who would have to go from a node; or the reasons why nobody's going helps."""

_STALE: Final = 64  # costs that no node has any more, beyond which they are dropped
_NO_NODES: Final[Sequence[int]] = ()


class Findings:
    """What was found, by node; and the nodes in the order of what their victims cost."""

    def __init__(self) -> None:
        self.missing: set[int] = set()  # nodes that nobody has looked at yet
        self._found: dict[int, Finding] = {}
        self._reasons: dict[str, int] = {}
        self._nodes: dict[Cost, list[int]] = {}
        self._positions: dict[int, int] = {}  # in these lists
        self._costs: list[Cost] = []  # a heap; those that no node has any more are skipped

    @property
    def reasons(self) -> Mapping[str, int]:
        """Why it does not help, and on how many nodes."""
        return self._reasons

    def lowest(self) -> Cost | None:
        """Return the lowest cost; None where it helps on no node."""
        while self._costs and self._costs[0] not in self._nodes:
            heapq.heappop(self._costs)
        return self._costs[0] if self._costs else None

    def at(self, cost: Cost) -> Sequence[int]:
        """Return the indexes of the nodes whose victims cost this."""
        return self._nodes.get(cost, _NO_NODES)

    def victims(self, index: int) -> Victims:
        """Return who would have to go from a node.

        Raises:
            TypeError: nobody's going helps there.
        """
        found = self._found[index]
        if not isinstance(found, Victims):
            raise TypeError(f"there are no victims on the node {index}: {', '.join(found)}")
        return found

    def helping(self) -> Iterator[tuple[int, Victims]]:
        """Yield the nodes where somebody's going helps, and who would have to go."""
        for index, found in self._found.items():
            if isinstance(found, Victims):
                yield index, found

    def put(self, index: int, finding: Finding) -> None:
        """Note what was found for a node of which nothing is noted."""
        self._found[index] = finding
        if isinstance(finding, Victims):
            self._enter(index, finding.cost)
        else:
            for each in finding:
                count(self._reasons, each, 1)

    def remove(self, index: int) -> Finding:
        """Forget what was found for a node, and return it; no reasons where nobody has looked at it."""
        self.missing.discard(index)
        finding = self._found.pop(index, ())
        if isinstance(finding, Victims):
            self._withdraw(index, finding.cost)
        else:
            for each in finding:
                count(self._reasons, each, -1)
        return finding

    def _enter(self, index: int, cost: Cost) -> None:
        nodes = self._nodes.get(cost)
        if nodes is None:
            nodes = self._nodes[cost] = []
            heapq.heappush(self._costs, cost)
            if len(self._costs) > _STALE + 2 * len(self._nodes):
                self._costs = sorted(self._nodes)
        self._positions[index] = len(nodes)
        nodes.append(index)

    def _withdraw(self, index: int, cost: Cost) -> None:
        """Remove a node from the list of its cost; the last one gets its position."""
        nodes, position = self._nodes[cost], self._positions.pop(index)
        last = nodes.pop()
        if last != index:
            nodes[position] = last
            self._positions[last] = position
        if not nodes:
            del self._nodes[cost]

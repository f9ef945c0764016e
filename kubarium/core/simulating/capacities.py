"""How many replicas fit, and which nodes could go: for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from machinery.model.simulation import Leaving, Room

Row = tuple[str, ...]
ROOM_HEAD: Final = ("LIKE", "MORE FIT", "ON NODES", "THEN")
LEAVING_HEAD: Final = ("NODE", "CAN GO", "PODS MOVE TO", "WHY NOT")
_MOST_NAMES: Final = 3


@dataclass(frozen=True, slots=True)
class Capacities:
    """What was asked about a cluster's room; each part where it was asked."""

    room: Mapping[str, Room]  # by what it is about, "Deployment default/web"
    leaving: Sequence[Leaving]  # each node, tried alone; those with the least requests first
    together: Sequence[str]  # nodes that can go together
    nodes: int  # that there are
    remarks: Sequence[str] = ()

    def room_rows(self) -> list[Row]:
        """Return a row for each workload or pod."""
        return [
            (what, str(found.replicas), _counted(found.nodes), found.message.partition(". ")[0])
            for what, found in self.room.items()
        ]

    def leaving_rows(self) -> list[Row]:
        """Return a row for each node."""
        return [
            (
                each.node,
                "no" if each.stuck else "yes",
                _counted(_counts(each.moved.values())) if not each.stuck else "-",
                "; ".join(
                    _shortened([f"{pod}: {why.partition('. ')[0]}" for pod, why in each.stuck.items()])
                ),
            )
            for each in self.leaving
        ]

    def summary(self) -> Iterator[str]:
        """Yield what there is to say in all."""
        if self.leaving:
            alone = sum(not each.stuck for each in self.leaving)
            yield f"{alone} of {self.nodes} nodes can go alone; together {len(self.together)}: {', '.join(self.together) or 'none'}"

    def document(self) -> dict[str, Any]:
        """Return everything, for programs."""
        found: dict[str, Any] = {"remarks": list(self.remarks)}
        if self.room:
            found["howMany"] = [
                {"like": what, "replicas": each.replicas, "nodes": each.nodes, "message": each.message}
                for what, each in self.room.items()
            ]
        if self.leaving:
            found["canGo"] = [
                {"node": each.node, "alone": not each.stuck, "moved": each.moved, "stuck": each.stuck}
                for each in self.leaving
            ]
            found["together"] = list(self.together)
        return found


def _counts(nodes: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in nodes:
        found[each] = found.get(each, 0) + 1
    return found


def _counted(nodes: Mapping[str, int]) -> str:
    ranked = sorted(nodes.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(_shortened([f"{name} {number}" for name, number in ranked])) or "-"


def _shortened(texts: list[str]) -> list[str]:
    more = len(texts) - _MOST_NAMES
    return [*texts[:_MOST_NAMES], f"{more} more"] if more > 0 else texts

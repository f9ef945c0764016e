"""What a simulation has found, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kubarium.core.simulating.amounts import percent, written
from machinery.model.simulation import Amounts, Answer, Evicted, NodeUse, Placement, PodOn

Row = tuple[str, ...]
POD_HEAD: Final = ("POD", "NODE", "SCORE", "TIES")
NODE_HEAD: Final = ("NODE", "CPU", "", "MEMORY", "", "PODS")


@dataclass(frozen=True, slots=True)
class Simulation:
    """Who went where. Amounts are millicores of cpu and bytes of memory."""

    seed: int
    placements: Sequence[Placement]  # in the order in which they came; `placed` has a node
    before: Sequence[NodeUse]
    after: Sequence[NodeUse]
    running: Sequence[PodOn]  # pods that had a node already
    remarks: Sequence[str] = field(default=())
    evicted: Sequence[Evicted] = field(default=())  # pods that made room for those of higher priority
    groups: Mapping[int, str] = field(default_factory=dict)  # by a pod's number: what it belongs to

    @property
    def placed(self) -> list[Placement]:
        """The pods that got a node."""
        return [each for each in self.placements if each.node]

    @property
    def left(self) -> list[Placement]:
        """The pods that got none, with the reason."""
        return [each for each in self.placements if not each.node]

    def pod_rows(self) -> list[Row]:
        """Return a row for each pod that got a node."""
        return [(_name(each), each.node, str(each.score), str(each.ties)) for each in self.placed]

    def node_rows(self) -> list[Row]:
        """Return a row for each node: what is requested of it in the end, and how that was before."""
        was = {each.name: each for each in self.before}
        return [
            (
                each.name,
                *_share("cpu", was[each.name], each),
                *_share("memory", was[each.name], each),
                f"{each.requested.get('pods', 0)}/{each.allocatable.get('pods', 0)}",
            )
            for each in self.after
        ]

    def summary(self) -> Iterator[str]:
        """Yield what there is to say in all."""
        placed, left = len(self.placed), len(self.left)
        yield f"{counted(placed, 'pod')} placed, {left} left without a node; {counted(len(self.after), 'node')}, seed {self.seed}"
        for resource in ("cpu", "memory", *self._extended()):
            whole = sum(each.allocatable.get(resource, 0) for each in self.after)
            was = sum(each.requested.get(resource, 0) for each in self.before)
            now = sum(each.requested.get(resource, 0) for each in self.after)
            yield (
                f"{resource}: {written(resource, now)} of {written(resource, whole)} requested"
                f" ({percent(now, whole)} %, before {percent(was, whole)} %)"
            )

    def reasons(self) -> Iterator[str]:
        """Yield each reason once, with the pods that have it."""
        groups: dict[tuple[str, str], list[str]] = {}
        for each in self.left:
            groups.setdefault((each.reason, each.message), []).append(_name(each))
        for (reason, message), names in groups.items():
            yield f"{_names(names)}: {reason}: {message.strip()}"

    def evictions(self) -> Iterator[str]:
        """Yield who made room for whom."""
        for each in self.evicted:
            yield f"{each.namespace}/{each.name} on {each.node}, for {each.by}"

    def document(self) -> dict[str, Any]:
        """Return everything, for programs; the same input and seed return the same."""
        return {
            "seed": self.seed,
            "remarks": list(self.remarks),
            "placements": [_placement(each) for each in self.placements],
            "evicted": [
                {"namespace": each.namespace, "name": each.name, "node": each.node, "by": each.by}
                for each in self.evicted
            ],
            "nodes": [
                {
                    "name": now.name,
                    "allocatable": now.allocatable,
                    "before": was.requested,
                    "after": now.requested,
                }
                for was, now in zip(self.before, self.after, strict=True)
            ],
        }

    def _extended(self) -> list[str]:
        found: Counter[str] = Counter()
        for each in self.after:
            found.update(each.allocatable)
        return sorted(name for name in found if "/" in name)


def simulation_of(
    answer: Answer, seed: int, remarks: Sequence[str] = (), groups: Mapping[int, str] | None = None
) -> Simulation:
    """Return what an answer says."""
    return Simulation(
        seed,
        answer.placements,
        answer.before,
        answer.after,
        answer.running,
        (*remarks, *answer.remarks),
        answer.evicted,
        groups or {},
    )


def _name(each: Placement) -> str:
    return f"{each.namespace}/{each.name}"


def _placement(each: Placement) -> dict[str, Any]:
    found: dict[str, Any] = {
        "namespace": each.namespace,
        "name": each.name,
        "requests": _plain(each.requests),
    }
    if each.node:
        return {**found, "node": each.node, "order": each.order, "score": each.score, "ties": each.ties}
    return {**found, "node": None, "reason": each.reason, "message": each.message}


def _plain(amounts: Amounts) -> Amounts:
    return {name: amount for name, amount in amounts.items() if name != "pods"}


def _share(resource: str, was: NodeUse, now: NodeUse) -> tuple[str, str]:
    whole, requested = now.allocatable.get(resource, 0), now.requested.get(resource, 0)
    old, new = percent(was.requested.get(resource, 0), whole), percent(requested, whole)
    share = f"{new}%" if old == new else f"{old}% → {new}%"
    return f"{written(resource, requested)}/{written(resource, whole)}", share


def counted(number: int, name: str) -> str:
    """Write a number of things: "1 node", "2 nodes"."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"

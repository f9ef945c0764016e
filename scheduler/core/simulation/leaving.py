"""Which nodes could go: their pods are placed on the others, as if their controllers made them anew.

a node's pods ─▶ of a DaemonSet, or the node's own: they go with it
─▶ without a controller, or a budget allows no disruption: the node stays
─▶ the others: placed on the nodes that are left? ─▶ it can go
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from scheduler.core.simulation.disruptions import covers
from scheduler.core.simulation.placing import Left, Placed, Placing, Profiles
from scheduler.core.simulation.world import Member, World

NO_CONTROLLER = "no controller would make it again"


@dataclass(frozen=True, slots=True)
class Leaving:
    """What came of a node without which it was tried."""

    node: str
    moved: tuple[Placed, ...]
    stuck: tuple[tuple[Member, str], ...]  # pods that keep it, and why

    @property
    def can_go(self) -> bool:
        """Whether nothing keeps the node."""
        return not self.stuck


class Leavings:
    """Tries one node after the other."""

    def __init__(self, world: World, profiles: Profiles, tie_breaks: Callable[[], float]) -> None:
        self._world = world
        self._placing = Placing(world, profiles, tie_breaks, preempts=False)
        self._exhausted = [each for each in world.budgets if not each.status.disruptionsAllowed]
        self._on: dict[str, list[Member]] = {}
        for each in world.running():
            self._on.setdefault(each.info.node, []).append(each)

    def each_alone(self) -> list[Leaving]:
        """Try each node while all others are there."""
        return [self._try(name, keep=False) for name in self._by_load()]

    def together(self) -> list[str]:
        """Return nodes that can go together: those with the least requests are tried first, and stay away once they can go."""
        return [name for name in self._by_load() if self._try(name, keep=True).can_go]

    def _by_load(self) -> list[str]:
        def load(name: str) -> tuple[float, str]:
            node = self._world.snapshot.node(name)
            if node is None:
                return 0.0, name
            return max(
                node.cpu / max(1, node.allocatable_cpu), node.memory / max(1, node.allocatable_memory)
            ), name

        return sorted(self._world.nodes, key=load)

    def _try(self, name: str, *, keep: bool) -> Leaving:
        pods, snapshot = self._on.get(name, []), self._world.snapshot
        if stuck := tuple(self._bound(pods)):
            return Leaving(name, (), stuck)
        for each in pods:
            snapshot.remove_pod(each.info.uid)
        snapshot.remove_node(name)
        moving = [replace(each, info=each.info.on("")) for each in pods if not _goes_along(each)]
        results = list(self._placing.run(moving).values())
        placed = tuple(each for each in results if isinstance(each, Placed))
        left = tuple((each.member, each.message) for each in results if isinstance(each, Left))
        if keep and not left:
            self._move(name, placed)
            return Leaving(name, placed, ())
        for result in placed:
            self._placing.undo(result)
        snapshot.set_node(self._world.nodes[name])
        for each in pods:
            snapshot.set_pod(each.info)
        return Leaving(name, placed, left)

    def _bound(self, pods: list[Member]) -> Iterator[tuple[Member, str]]:
        """Yield the pods that may not be taken away."""
        for each in pods:
            if _goes_along(each):
                continue
            if each.info.owner is None:
                yield each, NO_CONTROLLER
            for budget in self._exhausted:
                if covers(budget, each.info.namespace, each.info.labels.labels):
                    yield each, f"PodDisruptionBudget {budget.metadata.name} allows no disruption"

    def _move(self, name: str, placed: tuple[Placed, ...]) -> None:
        self._on.pop(name, None)
        for each in placed:
            node = each.decision.node
            self._on.setdefault(node, []).append(replace(each.member, info=each.member.info.on(node)))


def _goes_along(member: Member) -> bool:
    """Whether a pod is one that only its node has: of a DaemonSet, or of the node's own files."""
    return member.info.owner is not None and member.info.owner.kind in {"DaemonSet", "Node"}

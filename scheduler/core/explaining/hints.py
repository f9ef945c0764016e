"""What would have to change for a pod to fit: changes that were tried, the fewest at once that help.

    pod ─▶ which plugin is each node's first to reject it? ─▶ changes for each plugin ─▶ judge all nodes afresh
                    ▲                                                     │ nodes that can take the changed pod: a hint
                    └──────────── a further change beside it ◀────────────┘ none, and there is no hint yet

So each hint is true of the nodes that it names, as of now; that there is none does not say that nothing would help.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import Node, Pod
from scheduler.core.domains import HOSTNAME
from scheduler.core.essential import essential
from scheduler.core.evaluations import Evaluations
from scheduler.core.explaining.changes import Change, propose
from scheduler.core.node import NodeInfo
from scheduler.core.profile import Profile
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.simulation.world import World

_DEEPEST: Final = 3  # changes at once
_MOST_TRIED: Final = 120
_MOST_TOLD: Final = 12
_MOST_DOMAINS: Final = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """Changes that together make the pod fit on some nodes."""

    changes: tuple[str, ...]
    pod: Pod  # as it would be
    changed_nodes: Mapping[str, Node]  # those that would be changed
    nodes: tuple[str, ...]  # that could take it then


@dataclass(frozen=True, slots=True)
class _Trial:
    pod: Pod
    nodes: Mapping[str, Node]
    texts: tuple[str, ...] = ()


_Rejected = dict[str, list[tuple[Node, NodeInfo, Rejection]]]


def find_hints(pod: Pod, world: World, profile: Profile) -> list[Hint]:
    """Return what would let a pod fit that fits nowhere, those that open the most nodes first.

    The world is the same afterwards; the pod counts on no node of it.
    """
    judge = _Judge(world, profile)
    level, tried = [_Trial(pod, {})], 0
    for _ in range(_DEEPEST):
        hints: list[Hint] = []
        following: list[_Trial] = []
        for trial in level:
            for change in _changes(trial, judge):
                if tried >= _MOST_TRIED:
                    break
                tried += 1
                found = _Trial(change.pod, {**trial.nodes, **change.nodes}, (*trial.texts, change.text))
                if nodes := judge.fitting(found):
                    texts = (*trial.texts, change.text + judge.domains(change.topology_key, nodes))
                    hints.append(Hint(texts, found.pod, found.nodes, nodes))
                else:
                    following.append(found)
        if hints:
            return _told(hints)
        level = following
    return []


def _changes(trial: _Trial, judge: _Judge) -> Iterator[Change]:
    for plugin, nodes in judge.rejected(trial).items():
        yield from propose(trial.pod, plugin, nodes)


def _told(hints: list[Hint]) -> list[Hint]:
    """Return each combination once, without those that open no more nodes than the one before by the same kind of change."""
    known: dict[frozenset[str], Hint] = {}
    for each in hints:
        known.setdefault(frozenset(each.changes), each)
    ranked = sorted(known.values(), key=lambda each: -len(each.nodes))
    return ranked[:_MOST_TOLD]


class _Judge:
    """Judges changed pods on changed nodes, by the engine itself."""

    def __init__(self, world: World, profile: Profile) -> None:
        self._world = world
        self._evaluations = Evaluations(world.snapshot, profile)

    def fitting(self, trial: _Trial) -> tuple[str, ...]:
        """Return the nodes that can take the pod."""
        return tuple(name for name, verdict in self._verdicts(trial).items() if verdict is None)

    def domains(self, key: str, nodes: tuple[str, ...]) -> str:
        """Return in which domains of a topology key nodes are, as the end of a hint; "" without one, and among hosts."""
        if not key or key == HOSTNAME:
            return ""
        values = sorted({self._world.nodes[name].metadata.labels.get(key, "") for name in nodes})
        return f", in {key} {', '.join(values[:_MOST_DOMAINS])}{' and others' if len(values) > _MOST_DOMAINS else ''}"

    def rejected(self, trial: _Trial) -> _Rejected:
        """Return the nodes that cannot, by the plugin that says so."""
        found: _Rejected = {}
        for name, verdict in self._verdicts(trial).items():
            info = self._world.snapshot.node(name)
            if isinstance(verdict, Rejection) and info is not None:
                node = trial.nodes.get(name) or self._world.nodes[name]
                found.setdefault(verdict.plugin, []).append((node, info, verdict))
        return found

    def _verdicts(self, trial: _Trial) -> dict[str, Rejection | Stopped | None]:
        snapshot = self._world.snapshot
        for node in trial.nodes.values():
            snapshot.set_node(node)
        try:
            evaluation = self._evaluations.of(self._world.reader.read(essential(trial.pod)))
            return {
                each.name: evaluation
                if isinstance(evaluation, Stopped)
                else evaluation.rejection_of(each.index)
                for each in snapshot.existing_nodes()
            }
        finally:
            for name in trial.nodes:
                snapshot.set_node(self._world.nodes[name])

"""What every node is worth to pods of one kind, kept up to date as the cluster changes.

An Evaluation has the verdict about *every* node. When a decision is due, only the nodes that have changed since the
last one are judged again; what results is what judging all of them afresh would give (a property test says so).

    Node object ─▶ filters and scores that see the node alone ─┐ kept until the object changes
    its pods ────▶ filters and scores that see pods            ├─▶ a Rejection, or a place among like nodes
    relations ───▶ a fact for each ────────────────────────────┘
    decision ────▶ over the classes of like nodes: relations filter, raw scores are normalized, weights are added up
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.core.framework import Fact, Need
from scheduler.core.like_nodes import NOWHERE, LikeNodes
from scheduler.core.node import NodeInfo
from scheduler.core.pipeline import build_pipeline
from scheduler.core.profile import Profile
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Traits:
    """What scores see of a node itself, whatever pods it has."""

    raw: tuple[int, ...]  # scores that are normalized over the candidates
    own: int  # the others, with their weights


@dataclass(slots=True)
class _Standing:
    """The verdict about one node: a Rejection, or a place in a class."""

    version: int  # of the node, when `verdict` was given
    verdict: Traits | Rejection
    rejection: Rejection | None = None
    class_: LikeNodes | None = None
    score: int = 0
    position: int = 0


class Evaluation:
    """The verdicts about all nodes, for pods with these needs: one for each plugin of the profile, None where it says nothing.

    `floor` is the lowest priority of the nominated pods that these pods have to leave room for, None where there are none: a node that
    is kept for some has to fit with them, and without.
    """

    def __init__(
        self, profile: Profile, needs: Sequence[Need | None], snapshot: Snapshot, floor: int | None = None
    ) -> None:
        self._snapshot = snapshot
        self._floor = floor
        self.memo: dict[Hashable, Any] = {}
        pipeline = self._pipeline = build_pipeline(profile, needs, snapshot)
        self.reserving = pipeline.reserving
        self._relations = [each.relation for each in pipeline.relations]
        self._sifting = [(at, each.relation) for at, each in enumerate(pipeline.relations) if each.filters]
        self._rating = [(at, each) for at, each in enumerate(pipeline.relations) if each.weight]
        self._classes: dict[tuple[tuple[int, ...], tuple[Fact, ...], int], LikeNodes] = {}
        self._alone: dict[tuple[int, ...], int] = {}  # points where all candidates are alike, by raw scores
        self._rejections: dict[Rejection, int] = {}
        self._standings: dict[int, _Standing] = {}
        self._position = -1

    def refresh(self) -> None:
        """Judge the nodes that have changed since the last time."""
        snapshot = self._snapshot
        changed = snapshot.changes_since(self._position) if self._position >= 0 else None
        self._position = snapshot.position
        if (renewals := self._pipeline.renewals) and True in [renew() for renew in renewals]:
            changed = None
            for standing in self._standings.values():
                standing.version = -1
        for index in range(len(snapshot.nodes)) if changed is None else changed:
            self._judge(snapshot.nodes[index])
        for relation in self._relations:
            relation.settle()

    def candidates(self) -> list[tuple[int, LikeNodes]]:
        """Return the classes of nodes that can take the pod, with the points that all of their nodes get.

        A node's whole score is its class's points and its own absolute score.
        """
        if self._sifting:
            fitting = [each for each in self._classes.values() if self._sifted(each) is None]
        else:
            fitting = list(self._classes.values())
        if not fitting:
            return []
        if len(fitting) == 1 and not self._rating:
            [only] = fitting
            return [(self._points_alone(only.raw), only)]
        points = [0] * len(fitting)
        for position, (normalize, weight) in enumerate(self._pipeline.normalizations):
            raw = [each.raw[position] for each in fitting]
            lowest, highest = min(raw), max(raw)
            if lowest == highest:
                alike = weight * normalize(lowest, lowest, highest)
                points = [each + alike for each in points]
                continue
            for number, each in enumerate(raw):
                points[number] += weight * normalize(each, lowest, highest)
        for position, rating in self._rating:
            rated = rating.relation.points([(each.facts[position], each.size) for each in fitting])
            for number, value in enumerate(rated):
                points[number] += rating.weight * value
        return list(zip(points, fitting, strict=True))

    def _points_alone(self, raw: tuple[int, ...]) -> int:
        """Return the points of candidates that are all alike."""
        known = self._alone.get(raw)
        if known is None:
            weighted = zip(self._pipeline.normalizations, raw, strict=True)
            known = sum([weight * normalize(each, each, each) for (normalize, weight), each in weighted])
            self._alone[raw] = known
        return known

    def rejections(self) -> dict[Rejection, int]:
        """Count the nodes that cannot take the pod, by reason."""
        counts = dict(self._rejections)
        for each in self._classes.values():
            if (rejection := self._sifted(each)) is not None:
                counts[rejection] = counts.get(rejection, 0) + each.size
        return counts

    def rejection_of(self, index: int) -> Rejection | None:
        """Return why one node cannot take the pod, None where it can or does not exist."""
        standing = self._standings.get(index)
        if standing is None or standing.class_ is None:
            return standing.rejection if standing else None
        return self._sifted(standing.class_)

    @property
    def has_relations(self) -> bool:
        """Whether what holds between nodes may reject one."""
        return bool(self._sifting)

    def neighbourhood(self, index: int) -> Hashable:
        """Return what nodes have in common that always see the same beside them, as long as their own pods are the same."""
        return tuple([relation.neighbourhood(index) for _, relation in self._sifting])

    def neighbourhood_version(self) -> Hashable:
        """Return what is the same as long as `neighbourhood` is, of all nodes that have not changed."""
        return tuple([relation.neighbourhood_version() for _, relation in self._sifting])

    def besides(self, index: int, kept: int) -> Hashable:
        """Return what `rejection_with` follows from, except for the pods of the node itself and up to `kept` more of them."""
        return tuple([relation.besides(index, kept) for _, relation in self._sifting])

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return what would keep the pod from a node whose pods were others than they are; the rest of the cluster as it is."""
        verdict = self._standings[changed.index].verdict
        if isinstance(verdict, Rejection):
            return verdict
        for judge in self._pipeline.pod_filters:
            if (rejection := judge(changed)) is not None:
                return rejection
        return self._sifted_with(changed)

    # -- one node --

    def _judge(self, node: NodeInfo) -> None:
        index = node.index
        standing = self._standings.get(index)
        if standing is not None:
            self._withdraw(index, standing)
        if not node.exists:
            if self._standings.pop(index, None) is not None:
                for relation in self._relations:
                    self._move(relation.leave(index))
            return
        if standing is None or standing.version != node.version:
            standing = self._standings[index] = _Standing(node.version, self._verdict(node))
            for relation in self._relations:
                self._move(relation.join(node))
        else:
            for relation in self._relations:
                if moved := relation.recount(node):
                    self._move(moved)
        self._place(node, standing)

    def _verdict(self, node: NodeInfo) -> Traits | Rejection:
        """Judge what pods do not change."""
        pipeline = self._pipeline
        for judge in pipeline.node_filters:
            if (rejection := judge(node)) is not None:
                return rejection
        own = sum(weight * rate(node) for rate, weight in pipeline.node_own)
        return Traits(tuple(rate(node) for rate in pipeline.node_raw), own)

    def _place(self, node: NodeInfo, standing: _Standing) -> None:
        traits = standing.verdict
        if isinstance(traits, Rejection):
            self._reject(standing, traits)
            return
        pipeline = self._pipeline
        held = None if self._floor is None else self._held(node, self._floor)
        for each in (node,) if held is None else (held, node):
            for judge in pipeline.pod_filters:
                if (rejection := judge(each)) is not None:
                    self._reject(standing, rejection)
                    return
        score = traits.own
        for rate in pipeline.pod_own:
            score += rate(node)
        raw = traits.raw
        if pipeline.pod_raw:
            raw += tuple(rate(node) for rate in pipeline.pod_raw)
        self._enter(node.index, standing, raw, score, held if self._sifting else None)

    def _held(self, node: NodeInfo, floor: int) -> NodeInfo | None:
        """Return a node with the pods that it is kept for; None where it is kept for none."""
        pods = self._snapshot.nominations.on_from(node.name, floor)
        if not pods:
            return None
        held = node.copy()
        for pod in pods:
            held.add(pod)
        return held

    def _reject(self, standing: _Standing, rejection: Rejection) -> None:
        standing.rejection = rejection
        self._rejections[rejection] = self._rejections.get(rejection, 0) + 1

    def _enter(
        self, index: int, standing: _Standing, raw: tuple[int, ...], score: int, held: NodeInfo | None
    ) -> None:
        facts = tuple([relation.fact(index) for relation in self._relations]) if self._relations else ()
        key = (raw, facts, NOWHERE if held is None else index)
        class_ = self._classes.get(key)
        if class_ is None:
            class_ = self._classes[key] = LikeNodes(raw, facts, held)
        standing.class_ = class_
        standing.score = score
        standing.position = class_.add(index, score)

    def _withdraw(self, index: int, standing: _Standing) -> None:
        if (rejection := standing.rejection) is not None:
            standing.rejection = None
            self._rejections[rejection] -= 1
            if not self._rejections[rejection]:
                del self._rejections[rejection]
        if (class_ := standing.class_) is not None:
            standing.class_ = None
            moved, position = class_.remove(standing.score, standing.position)
            if moved != index:
                self._standings[moved].position = position
            if not class_.size:
                of = NOWHERE if class_.held is None else class_.held.index
                del self._classes[class_.raw, class_.facts, of]

    # -- relations --

    def _move(self, indexes: Collection[int]) -> None:
        """Put nodes among others with the facts that they have by now."""
        for index in indexes:
            standing = self._standings.get(index)
            if standing is not None and (class_ := standing.class_) is not None:
                self._withdraw(index, standing)
                self._enter(index, standing, class_.raw, standing.score, class_.held)

    def _sifted(self, class_: LikeNodes) -> Rejection | None:
        if class_.held is not None and (rejection := self._sifted_with(class_.held)) is not None:
            return rejection
        for position, relation in self._sifting:
            if (rejection := relation.rejection(class_.facts[position])) is not None:
                return rejection
        return None

    def _sifted_with(self, changed: NodeInfo) -> Rejection | None:
        for _, relation in self._sifting:
            if (rejection := relation.rejection_with(changed)) is not None:
                return rejection
        return None

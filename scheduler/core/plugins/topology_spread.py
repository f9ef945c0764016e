"""PodTopologySpread: pods that belong together stay evenly spread over the values of a node label.

https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

from machinery.model.k8s.core_v1 import TopologySpreadConstraint
from machinery.model.selectors import LabelMatcher
from scheduler.core.cluster_events import OF_DEVICES, OF_STORAGE, ClusterEvent
from scheduler.core.domains import Place, Tallies, Tally, amount_at
from scheduler.core.framework import Part, Plugin, part
from scheduler.core.labels import LabelSet
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import node_affinity, taint_toleration
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot
from scheduler.core.spread import (
    Constraint,
    Spread,
    cost,
    is_skewed,
    least_matching,
    normalize,
    read_spread,
    rounded,
    topology_weight,
)

NAME: Final = "PodTopologySpread"
_WORDS: Final = "node(s) didn't match pod topology spread constraints"
SKEWED: Final = Rejection(NAME, (_WORDS,), resolvable=True)
UNLABELED: Final = Rejection(NAME, (f"{_WORDS} (missing required label)",), resolvable=False)
_KNOWN_LIMIT: Final = 10_000
_UNKNOWN: Final = object()

Places = tuple[Place, ...]
"""Where a node is, per constraint, hard ones first."""


@dataclass(frozen=True, slots=True)
class SpreadNeed:
    """What is spread, over which nodes."""

    namespace: str
    spread: Spread
    part: Part  # what nodes are excluded by
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what a look-up costs most for."""
        object.__setattr__(self, "_hash", hash((self.namespace, self.spread, self.part)))

    def __hash__(self) -> int:
        """Return the same for equal ones."""
        return self._hash


class PodTopologySpread(Plugin):
    """Filters and scores nodes by how many pods are in their domains.

    Constraints that a profile lists are for pods without their own; without a list, those of the system are.
    """

    name = NAME
    weight = 2
    helps_kinds = True
    helped_by = (
        frozenset(ClusterEvent)
        - {ClusterEvent.NODE_ALLOCATABLE, ClusterEvent.NAMESPACE}
        - OF_STORAGE
        - OF_DEVICES
    )

    def __init__(self, listed: tuple[TopologySpreadConstraint, ...] | None = None) -> None:
        self._listed = listed

    def is_helped(self, waiting: PodInfo, arrived: PodInfo, snapshot: Snapshot) -> bool:
        """Whether the pod that came is one of those that the pod that waits is spread among."""
        if waiting.namespace != arrived.namespace:
            return False
        need = self.need(waiting, snapshot)
        hard = need.spread.hard if need else ()
        return any(each.matcher.matches(arrived.labels.labels) for each in hard)

    def asks_each(self, needs: Needs) -> bool:
        """Whether a pod may be spread: what it belongs to decides, too."""
        del needs
        return True

    def need(self, pod: PodInfo, snapshot: Snapshot) -> SpreadNeed | None:
        """Return the constraints."""
        owner, owners = pod.owner.name if pod.owner else "", snapshot.owners
        key = (id(self), pod.needs.key, pod.labels, owner)
        known = owners.memo.get(key, _UNKNOWN)
        if known is not _UNKNOWN:
            return known  # type: ignore[no-any-return]  # what was put there
        own = pod.needs.constraints
        return owners.memo.put(
            key, _read(pod.needs, pod.labels, None if own else owners.selector_of(pod), self._listed)
        )

    def relate(self, need: SpreadNeed, snapshot: Snapshot) -> Spreading:
        """Return the domains of all constraints."""
        del snapshot
        return Spreading(need)


def _read(
    needs: Needs,
    labels: LabelSet,
    defaults: LabelMatcher | None,
    listed: tuple[TopologySpreadConstraint, ...] | None,
) -> SpreadNeed | None:
    spread = read_spread(needs.constraints, labels.labels, defaults, listed)
    if not spread.hard and not spread.soft:
        return None
    return SpreadNeed(labels.namespace, spread, part(needs, "node_selector", "node_affinity", "tolerations"))


class Spreading(Tallies):
    """The domains of the constraints of pods with the same need."""

    def __init__(self, need: SpreadNeed) -> None:
        spread = need.spread
        self._needs_all_labels = spread.needs_all_labels
        hard_labels = [each.topology_key for each in spread.hard]
        soft_labels = [each.topology_key for each in spread.soft] if spread.needs_all_labels else []
        self._hard = [(each, _tally(need, each, hard_labels)) for each in spread.hard]
        self._soft = [(each, _tally(need, each, soft_labels)) for each in spread.soft]
        self._tallies = [tally for _, tally in (*self._hard, *self._soft)]
        self.filters, self.scores = bool(spread.hard), bool(spread.soft)
        self._least: list[int] = []  # for each hard constraint, what the emptiest domain has

    def settle(self) -> None:
        """Find the emptiest domains."""
        self._least = [least_matching(each, tally.emptiest(), tally.size()) for each, tally in self._hard]

    def fact(self, index: int) -> Places:
        """Return where a node is."""
        hard = tuple([tally.place(index) for _, tally in self._hard])
        if not self._soft:
            return hard
        return (*hard, *(_soft_place(tally, index) for _, tally in self._soft))

    def rejection(self, fact: Places) -> Rejection | None:
        """Return by which constraint nodes at these places are out."""
        for (constraint, _), place, least in zip(self._hard, fact, self._least, strict=False):
            if place is None:
                return UNLABELED
            if is_skewed(constraint, amount_at(place), least):
                return SKEWED
        return None

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return by which constraint a node with other pods would be out."""
        index = changed.index
        for constraint, tally in self._hard:
            domain = tally.domain(index)
            if domain is None:
                return UNLABELED
            more = tally.change(changed)
            least = least_matching(constraint, tally.emptiest_with(index, more), tally.size())
            if is_skewed(constraint, domain.amount + more, least):
                return SKEWED
        return None

    def neighbourhood(self, index: int) -> tuple[Hashable, ...]:
        """Return the domains of a node, and what it has of them."""
        return tuple([tally.neighbourhood(index) for _, tally in self._hard])

    def neighbourhood_version(self) -> tuple[int, ...]:
        """Return what is the same as long as `neighbourhood` is, of all nodes that have not changed."""
        return tuple([tally.version for _, tally in self._hard])

    def besides(self, index: int, kept: int) -> tuple[int | None, ...]:
        """Return how many matching pods the node itself may have; -1: not even none, and all that it can have: any number."""
        return tuple([_room(constraint, tally, index, kept) for constraint, tally in self._hard])

    def points(self, candidates: Sequence[tuple[Places, int]]) -> Sequence[int]:
        """Return 0 to 100 by the soft constraints."""
        start = len(self._hard)
        places = [(fact[start:], size) for fact, size in candidates] if start else candidates
        if not self._needs_all_labels:
            weights = self._weights(places)
            raw = [self._cost(each, weights) for each, _ in places]
            lowest, highest = min(raw), max(raw)
            return [normalize(each, lowest, highest) for each in raw]
        scored = [None not in each for each, _ in places]
        weights = self._weights([each for each, counts in zip(places, scored, strict=True) if counts])
        raw = [self._cost(each, weights) for each, _ in places]
        counted = [each for each, counts in zip(raw, scored, strict=True) if counts]
        lowest, highest = min(counted, default=0), max(counted, default=0)
        return [
            normalize(each, lowest, highest) if counts else 0
            for each, counts in zip(raw, scored, strict=True)
        ]

    def _weights(self, scored: Sequence[tuple[Places, int]]) -> list[float]:
        nodes = sum(size for _, size in scored)
        return [
            topology_weight(nodes if tally.is_by_host else len({places[at] for places, _ in scored}))
            for at, (_, tally) in enumerate(self._soft)
        ]

    def _cost(self, places: Places, weights: list[float]) -> int:
        total = 0.0
        for (constraint, _), place, weight in zip(self._soft, places, weights, strict=True):
            if place is not None:
                amount = place if isinstance(place, int) else place.amount
                total += cost(constraint, amount, weight)
        return rounded(total)


def _room(constraint: Constraint, tally: Tally, index: int, kept: int) -> int | None:
    domain, own = tally.standing(index)
    if domain is None:
        return None
    least = least_matching(constraint, tally.emptiest_besides(index), tally.size())
    room = constraint.max_skew - constraint.counts_itself + least - (domain.amount - own)
    return max(-1, min(room, own + kept))


def _soft_place(tally: Tally, index: int) -> Place:
    """Return where a node is; among hosts each node counts for itself, also where several share a name."""
    domain = tally.domain(index)
    return tally.on_node[index] if domain is not None and tally.is_by_host else domain


def _tally(need: SpreadNeed, constraint: Constraint, labels: Sequence[str]) -> Tally:
    """Return the domains of a constraint: nodes that count have all of its labels and pass its inclusion policies."""
    needs = need.part.needs
    return Tally(
        constraint.topology_key,
        _Matching(need.namespace, constraint.matcher).on,
        lambda node: (
            all(label in node.labels for label in labels)
            and (not constraint.honors_affinity or node_affinity.fits(needs, node))
            and (not constraint.honors_taints or taint_toleration.fits(needs, node))
        ),
    )


class _Matching:
    """Counts the pods on a node that a selector matches."""

    def __init__(self, namespace: str, matcher: LabelMatcher) -> None:
        self._namespace = namespace
        self._matcher = matcher
        self._known: dict[LabelSet, bool] = {}

    def on(self, node: NodeInfo) -> int:
        return sum(number for labels, number in node.label_counts.items() if self._selects(labels))

    def _selects(self, labels: LabelSet) -> bool:
        if labels.namespace != self._namespace:
            return False
        known = self._known.get(labels)
        if known is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            known = self._known[labels] = self._matcher.matches(labels.labels)
        return known

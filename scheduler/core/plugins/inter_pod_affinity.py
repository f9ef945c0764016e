"""InterPodAffinity: pods that want to be beside others, or away from them, in the domains of a node label.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity

    required affinity        a domain with a pod that all of these terms select; the first of a group that selects itself may go
                             anywhere where the labels are
    required anti-affinity   no domain with a pod that the term selects, and none with a pod whose own term selects this one
    preferred                weights for each pod that a term selects, and for each term of a pod that selects this one; required
                             affinity of other pods counts as a preference of weight `hard_weight`
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from scheduler.core.affinity import Kind, OwnTerms, Term
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.domains import Place, Tallies, Tally
from scheduler.core.framework import Plugin
from scheduler.core.labels import LabelSet
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.normalize import MAX_SCORE
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

NAME: Final = "InterPodAffinity"
NO_AFFINITY: Final = Rejection(NAME, ("node(s) didn't match pod affinity rules",), resolvable=False)
ANTI_AFFINITY: Final = Rejection(NAME, ("node(s) didn't match pod anti-affinity rules",), resolvable=True)
REPELLED: Final = Rejection(
    NAME, ("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True
)
_KNOWN_LIMIT: Final = 10_000

Measure: TypeAlias = Callable[[NodeInfo], int]
Places: TypeAlias = tuple[Place, ...]
"""Where a node is: for each topology key of required affinity, of anti-affinity, of others' anti-affinity, of preferences."""


@dataclass(frozen=True, slots=True)
class AffinityNeed:
    """The terms of a pod, and those of pods on nodes that select it."""

    own: OwnTerms
    selecting: frozenset[Term]
    version: int  # of the namespaces, where one of the pod's own terms selects namespaces by labels
    is_first: bool  # whether it may be the first of its group
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what look-ups ask for again and again."""
        object.__setattr__(self, "_hash", hash((self.own, self.selecting, self.version)))

    def __hash__(self) -> int:
        """Return the same for equal ones."""
        return self._hash


_NOTHING: Final = object()


class InterPodAffinity(Plugin):
    """Filters and scores nodes by the pods in their domains. Weights are from 0 to 100."""

    name = NAME
    weight = 2
    helps_kinds = True
    helped_by = frozenset(
        {
            ClusterEvent.NODE_ADDED,
            ClusterEvent.NODE_LABELS,
            ClusterEvent.POD_ARRIVED,
            ClusterEvent.POD_RELABELED,
            ClusterEvent.POD_GONE,
            ClusterEvent.NAMESPACE,
        }
    )

    def __init__(self, hard_weight: int = 1, *, ignores_others: bool = False) -> None:
        self._hard_weight = hard_weight
        self._ignores_others = ignores_others  # preferences of other pods, for pods that have none

    def is_helped(self, waiting: PodInfo, arrived: PodInfo, snapshot: Snapshot) -> bool:
        """Whether the required affinity of the pod that waits is about the one that came."""
        return any(each.selects(arrived.labels, snapshot.namespaces) for each in waiting.terms.required)

    def asks_each(self, needs: Needs) -> bool:
        """Whether a pod may be concerned: its labels decide whether others' terms select it."""
        del needs
        return True

    def need(self, pod: PodInfo, snapshot: Snapshot) -> AffinityNeed | None:
        """Return the terms that concern the pod."""
        terms, key = snapshot.terms, (NAME, pod.needs.key, pod.labels)
        known = terms.known(key)
        if known is None:
            known = terms.note(key, _read(pod, snapshot) or _NOTHING)
        return None if known is _NOTHING else known

    def relate(self, need: AffinityNeed, snapshot: Snapshot) -> Affinity:
        """Return the domains of all terms."""
        return Affinity(need, snapshot, self._weights(need))

    def _weights(self, need: AffinityNeed) -> dict[Term, int]:
        """Return what each term of others counts."""
        weights = {each: self._hard_weight for each in need.selecting if each.kind is Kind.REQUIRED}
        if need.own.preferred or not self._ignores_others:
            weights |= {each: each.weight for each in need.selecting if each.kind is Kind.PREFERRED}
        return {term: weight for term, weight in weights.items() if weight}


def _read(pod: PodInfo, snapshot: Snapshot) -> AffinityNeed | None:
    own, namespaces = pod.terms, snapshot.namespaces
    selecting = snapshot.terms.selecting(pod.labels)
    itself = frozenset(each for each in own if each.selects(pod.labels, namespaces))
    if not any(own) and not selecting:
        return None
    by_labels = any(each.namespace_matcher is not None for each in own)
    return AffinityNeed(
        own,
        selecting | itself,  # those of pods like this one, as soon as there is one
        namespaces.version if by_labels else 0,
        bool(own.required) and itself.issuperset(own.required),
    )


class Affinity(Tallies):
    """The domains of the terms that concern pods with the same need."""

    def __init__(self, need: AffinityNeed, snapshot: Snapshot, weights: dict[Term, int]) -> None:
        own, selecting = need.own, need.selecting
        self._is_first = need.is_first
        all_required = _Selected(own.required, snapshot, every=True)
        keys = dict.fromkeys(each.topology_key for each in own.required)
        self._wanted = [Tally(each, all_required.on) for each in keys]
        self._unwanted = [
            Tally(key, _Selected(terms, snapshot).on) for key, terms in _by_key(own.required_anti).items()
        ]
        anti = (each for each in selecting if each.kind is Kind.REQUIRED_ANTI)
        self._repelling = [
            Tally(key, _counter(dict.fromkeys(terms, 1))) for key, terms in _by_key(anti).items()
        ]
        self._preferred = _preferences(own.preferred, weights, snapshot)
        self._tallies = [*self._wanted, *self._unwanted, *self._repelling, *self._preferred]
        self.filters = bool(self._wanted or self._unwanted or self._repelling)
        self.scores = bool(self._preferred)
        self._filtering = len(self._tallies) - len(self._preferred)
        self._is_alone = False  # whether no pod is one that all of the required terms select

    def settle(self) -> None:
        """Find out whether a pod may be the first of its group."""
        self._is_alone = self._is_first and not any(tally.total for tally in self._wanted)

    def fact(self, index: int) -> Places:
        """Return where a node is; of hosts, for what filters, whether there is something at all."""
        places = [tally.place(index) for tally in self._tallies]
        for at in range(self._filtering):
            if (place := places[at]).__class__ is int:
                places[at] = int(place > 0)
        return tuple(places)

    def rejection(self, fact: Places) -> Rejection | None:
        """Return by which rule nodes at these places are out."""
        first, second = len(self._wanted), len(self._wanted) + len(self._unwanted)
        for place in fact[:first]:
            if place is None or not (self._is_alone or _has(place)):
                return NO_AFFINITY
        if any(_has(place) for place in fact[first:second]):
            return ANTI_AFFINITY
        return REPELLED if any(_has(place) for place in fact[second : self._filtering]) else None

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return by which rule a node with other pods would be out."""
        more = [tally.change(changed) for tally in self._wanted]
        is_alone = self._is_first and not any(
            tally.total + each for tally, each in zip(self._wanted, more, strict=True)
        )
        for tally, each in zip(self._wanted, more, strict=True):
            domain = tally.domain(changed.index)
            if domain is None or not (is_alone or domain.amount + each > 0):
                return NO_AFFINITY
        if any(_has_with(tally, changed) for tally in self._unwanted):
            return ANTI_AFFINITY
        return REPELLED if any(_has_with(tally, changed) for tally in self._repelling) else None

    def neighbourhood(self, index: int) -> tuple[Hashable, ...]:
        """Return the domains of a node, of the terms that filter, and what it has of them."""
        return tuple([tally.neighbourhood(index) for tally in self._tallies[: self._filtering]])

    def neighbourhood_version(self) -> tuple[int, ...]:
        """Return what is the same as long as `neighbourhood` is, of all nodes that have not changed."""
        return tuple([tally.version for tally in self._tallies[: self._filtering]])

    def besides(self, index: int, kept: int) -> tuple[bool | None, ...]:
        """Return whether other nodes of a node's domains have something, and whether any other node has what is wanted."""
        del kept
        there = [_has_besides(tally, index) for tally in self._tallies[: self._filtering]]
        if not self._is_first:
            return tuple(there)
        own = (tally.on_node.get(index, 0) if tally.domain(index) else 0 for tally in self._wanted)
        return (*there, any(tally.total > each for tally, each in zip(self._wanted, own, strict=True)))

    def points(self, candidates: Sequence[tuple[Places, int]]) -> Sequence[int]:
        """Return 0 to 100 by the sum of the weights in all domains."""
        raw = [sum(map(_amount, fact[self._filtering :])) for fact, _ in candidates]
        lowest, highest = min(raw), max(raw)
        if lowest == highest:
            return [0] * len(raw)
        return [int(MAX_SCORE * ((each - lowest) / (highest - lowest))) for each in raw]


def _has_with(tally: Tally, changed: NodeInfo) -> bool:
    domain = tally.domain(changed.index)
    return domain is not None and domain.amount + tally.change(changed) > 0


def _has_besides(tally: Tally, index: int) -> bool | None:
    return None if tally.domain(index) is None else tally.besides(index) > 0


def _has(place: Place) -> bool:
    return _amount(place) > 0


def _amount(place: Place) -> int:
    if place is None:
        return 0
    return place if isinstance(place, int) else place.amount


def _by_key(terms: Iterable[Term]) -> dict[str, list[Term]]:
    found: dict[str, list[Term]] = {}
    for term in terms:
        found.setdefault(term.topology_key, []).append(term)
    return found


def _preferences(own: tuple[Term, ...], weights: dict[Term, int], snapshot: Snapshot) -> list[Tally]:
    mine, others = _by_key(own), _by_key(weights)
    return [
        Tally(
            key,
            _sum(
                *(_times(each.weight, _Selected([each], snapshot).on) for each in mine.get(key, ())),
                _counter({each: weights[each] for each in others.get(key, ())}),
            ),
        )
        for key in dict.fromkeys((*mine, *others))
    ]


def _times(weight: int, measure: Measure) -> Measure:
    return lambda node: weight * measure(node)


def _sum(*measures: Measure) -> Measure:
    return measures[0] if len(measures) == 1 else lambda node: sum([each(node) for each in measures])


def _counter(weights: dict[Term, int]) -> Measure:
    """Return what adds up the weights of the terms that pods on a node have."""

    def measure(node: NodeInfo) -> int:
        counts = node.terms
        return (
            sum([counts[term] * weight for term, weight in weights.items() if term in counts])
            if counts
            else 0
        )

    return measure


class _Selected:
    """Counts the pods on a node that some terms select: one pod for each of them, or (`every`) for all of them once."""

    def __init__(self, terms: Iterable[Term], snapshot: Snapshot, *, every: bool = False) -> None:
        self._terms = tuple(terms)
        self._namespaces = snapshot.namespaces
        self._every = every
        self._known: dict[LabelSet, int] = {}

    def on(self, node: NodeInfo) -> int:
        total = 0
        for counts in (node.label_counts, node.leaving_counts):
            for labels, number in counts.items():
                if found := self._times(labels):
                    total += found * number
        return total

    def _times(self, labels: LabelSet) -> int:
        known = self._known.get(labels)
        if known is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            found = [each.selects(labels, self._namespaces) for each in self._terms]
            known = self._known[labels] = int(all(found)) if self._every else sum(found)
        return known

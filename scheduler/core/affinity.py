"""The terms of affinity between pods, as values that many pods share, and which of them select a pod.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity

A pod's own terms say beside which other pods it goes. The terms of pods that run already concern pods that come: `Terms` finds
those by the labels of the pod that comes, without a look at the others. matchLabelKeys and mismatchLabelKeys have become
part of the selectors when the apiserver stored the pod.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from machinery.model.k8s.core_v1 import (
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    WeightedPodAffinityTerm,
)
from machinery.model.label_index import label_entries, selector_entries
from machinery.model.selectors import LabelMatcher, from_selector
from scheduler.core.labels import LabelSet

_ALL: Final = "*"  # no namespace has this name: terms that stand here select namespaces by labels
_LIMIT: Final = 10_000
_NO_LABELS: Final[Mapping[str, str]] = {}


class Kind(Enum):
    """What a term asks for."""

    REQUIRED = auto()
    REQUIRED_ANTI = auto()
    PREFERRED = auto()  # with a negative weight where the pod had rather be elsewhere


@dataclass(frozen=True, slots=True)
class Term:
    """One term of one or more pods."""

    kind: Kind
    weight: int  # of a preferred one
    topology_key: str
    matcher: LabelMatcher
    namespaces: frozenset[str]
    namespace_matcher: LabelMatcher | None
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what look-ups ask for again and again."""
        values = (self.kind.value, self.weight, self.topology_key, self.matcher, self.namespaces)
        object.__setattr__(self, "_hash", hash((values, self.namespace_matcher)))

    def __hash__(self) -> int:
        """Return the same for equal ones."""
        return self._hash

    def selects(self, pod: LabelSet, namespaces: Namespaces) -> bool:
        """Whether the term is about pods with such labels in their namespace."""
        return self.matcher.matches(pod.labels) and (
            pod.namespace in self.namespaces
            or (
                self.namespace_matcher is not None
                and self.namespace_matcher.matches(namespaces.labels(pod.namespace))
            )
        )


@dataclass(frozen=True, slots=True)
class OwnTerms:
    """The terms of one pod."""

    required: tuple[Term, ...]
    required_anti: tuple[Term, ...]
    preferred: tuple[Term, ...]

    def __iter__(self) -> Iterator[Term]:
        return iter((*self.required, *self.required_anti, *self.preferred))


NO_TERMS: Final = OwnTerms((), (), ())


def read_terms(affinity: PodAffinity | None, anti: PodAntiAffinity | None, namespace: str) -> OwnTerms:
    """Read the terms of a pod in a namespace."""
    together, apart = affinity or PodAffinity(), anti or PodAntiAffinity()
    return OwnTerms(
        _required(Kind.REQUIRED, together.requiredDuringSchedulingIgnoredDuringExecution, namespace),
        _required(Kind.REQUIRED_ANTI, apart.requiredDuringSchedulingIgnoredDuringExecution, namespace),
        (
            *_preferred(1, together.preferredDuringSchedulingIgnoredDuringExecution, namespace),
            *_preferred(-1, apart.preferredDuringSchedulingIgnoredDuringExecution, namespace),
        ),
    )


def _required(kind: Kind, terms: Iterable[PodAffinityTerm], namespace: str) -> tuple[Term, ...]:
    return tuple(_term(kind, 0, each, namespace) for each in terms)


def _preferred(sign: int, terms: Iterable[WeightedPodAffinityTerm], namespace: str) -> Iterator[Term]:
    return (_term(Kind.PREFERRED, sign * each.weight, each.podAffinityTerm, namespace) for each in terms)


def _term(kind: Kind, weight: int, term: PodAffinityTerm, namespace: str) -> Term:
    selector = term.namespaceSelector
    named = term.namespaces or ([namespace] if selector is None else [])
    return Term(
        kind,
        weight,
        term.topologyKey,
        from_selector(term.labelSelector),
        frozenset(named),
        None if selector is None else from_selector(selector),
    )


class Namespaces:
    """The labels of namespaces."""

    def __init__(self) -> None:
        self._labels: dict[str, dict[str, str]] = {}
        self.version = 0

    def set(self, name: str, labels: dict[str, str]) -> None:
        """Add a namespace, or take its new labels."""
        if self._labels.get(name) != labels:
            self._labels[name] = labels
            self.version += 1

    def remove(self, name: str) -> None:
        """Forget a namespace."""
        if self._labels.pop(name, None) is not None:
            self.version += 1

    def labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a namespace, none of one that is not known."""
        return self._labels.get(name, _NO_LABELS)


class Terms:
    """The terms of the pods on nodes, each once, under what their selectors pin."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._counts: Counter[Term] = Counter()
        self._at: dict[str, dict[Term, None]] = {}  # by entries of their selectors
        self._known: dict[Hashable, Any] = {}
        self._version = (0, 0)  # of what is known: terms and namespaces
        self._changes = 0

    def add(self, terms: OwnTerms) -> None:
        """Count the terms of a pod that is on a node by now."""
        for term in terms:
            self._counts[term] += 1
            if self._counts[term] == 1:
                self._changes += 1
                for entry in _entries(term):
                    self._at.setdefault(entry, {})[term] = None

    def remove(self, terms: OwnTerms) -> None:
        """Stop counting the terms of a pod."""
        for term in terms:
            self._counts[term] -= 1
            if not self._counts[term]:
                del self._counts[term]
                self._drop(term)

    def selecting(self, pod: LabelSet) -> frozenset[Term]:
        """Return the terms that are about a pod with these labels."""
        known = self.known(pod)
        if known is None:
            entries = (
                *label_entries(pod.namespace, pod.labels),
                *label_entries(_ALL, pod.labels),
            )
            found = (term for entry in entries for term in self._at.get(entry, ()))
            known = self.note(pod, frozenset(term for term in found if term.selects(pod, self._namespaces)))
        return known  # type: ignore[no-any-return]  # what was noted under a label set

    def known(self, key: Hashable) -> Any:
        """Return what was noted of the terms and namespaces as they are now; None for nothing."""
        version = (self._changes, self._namespaces.version)
        if version != self._version or len(self._known) >= _LIMIT:
            self._known.clear()
            self._version = version
        return self._known.get(key)

    def note(self, key: Hashable, answer: Any) -> Any:
        """Note what follows from the terms and namespaces as they are now, and return it."""
        self._known[key] = answer
        return answer

    def _drop(self, term: Term) -> None:
        self._changes += 1
        for entry in _entries(term):
            del self._at[entry][term]
            if not self._at[entry]:
                del self._at[entry]


def _entries(term: Term) -> set[str]:
    namespaces = term.namespaces if term.namespace_matcher is None else (*term.namespaces, _ALL)
    return {entry for each in namespaces for entry in selector_entries(each, term.matcher)}

"""Which pods belong together: the selectors of their Services and of the ReplicaSet that owns them.

The system's own spreading counts the pods that all of these select. StatefulSets and ReplicationControllers are not
watched: pods of theirs are spread by their Services only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, TypeVar

from machinery.model.k8s.apps_v1 import ReplicaSet
from machinery.model.k8s.core_v1 import Service
from machinery.model.label_index import label_entries, selector_entries
from machinery.model.selectors import NOTHING, LabelMatcher, equal_to, from_selector
from scheduler.core.labels import LabelSet
from scheduler.core.pod import PodInfo

T = TypeVar("T")

_LIMIT: Final = 10_000
_Known = dict[tuple[LabelSet, str], LabelMatcher | None]


class Memo:
    """What plugins have worked out of pods and the selectors of their owners, while those stand; a bounded number of answers."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._known: dict[Hashable, Any] = {}
        self._limit = limit
        self.get = self._known.get
        self.clear = self._known.clear

    def put(self, key: Hashable, answer: T) -> T:
        """Note an answer and return it."""
        if len(self._known) >= self._limit:
            self._known.clear()
        self._known[key] = answer
        return answer


class Owners:
    """Services and ReplicaSets, as far as selectors go."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], Mapping[str, str]] = {}
        self._services_at: dict[str, set[tuple[str, str]]] = {}  # by what their selectors ask for
        self._replica_sets: dict[tuple[str, str], LabelMatcher] = {}
        self._known: _Known = {}
        self.memo = Memo()

    def set_service(self, service: Service) -> None:
        """Add or replace a Service; one without a selector selects nothing."""
        key, selector = (service.metadata.namespace, service.metadata.name), service.spec.selector
        self.remove_service(*key)
        self._services[key] = selector
        for entry in _entries(key[0], selector):
            self._services_at.setdefault(entry, set()).add(key)

    def remove_service(self, namespace: str, name: str) -> None:
        """Forget a Service."""
        self._forget_known()
        selector = self._services.pop((namespace, name), {})
        for entry in _entries(namespace, selector):
            self._services_at[entry].discard((namespace, name))
            if not self._services_at[entry]:
                del self._services_at[entry]

    def set_replica_set(self, replica_set: ReplicaSet) -> None:
        """Add or replace a ReplicaSet."""
        meta = replica_set.metadata
        matcher = from_selector(replica_set.spec.selector)
        if self._replica_sets.get((meta.namespace, meta.name)) != matcher:
            self._replica_sets[meta.namespace, meta.name] = matcher
            self._forget_known()

    def remove_replica_set(self, namespace: str, name: str) -> None:
        """Forget a ReplicaSet."""
        self._replica_sets.pop((namespace, name), None)
        self._forget_known()

    def selector_of(self, pod: PodInfo) -> LabelMatcher | None:
        """Return the selector of what the pod belongs to, None where it stands alone."""
        owner = pod.owner.name if pod.owner and pod.owner.kind == "ReplicaSet" else ""
        key = (pod.labels, owner)
        if key not in self._known:
            if len(self._known) >= _LIMIT:
                self._known.clear()
            self._known[key] = self._selector(pod.labels, owner)
        return self._known[key]

    def _forget_known(self) -> None:
        self._known.clear()
        self.memo.clear()

    def _selector(self, labels: LabelSet, owner: str) -> LabelMatcher | None:
        chosen: dict[str, str] = {}
        for entry in label_entries(labels.namespace, labels.labels):
            for key in self._services_at.get(entry, ()):
                selector = self._services[key]
                if selector.items() <= labels.labels.items():
                    chosen.update(selector)
        requirements = equal_to(chosen).requirements
        if (matcher := self._replica_sets.get((labels.namespace, owner))) is not None:
            requirements += matcher.requirements
        return LabelMatcher(requirements) if requirements else None


def _entries(namespace: str, selector: Mapping[str, str]) -> Iterable[str]:
    return selector_entries(namespace, equal_to(selector) if selector else NOTHING)

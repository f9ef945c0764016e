"""Which pods belong together: the selectors of their Services and of the ReplicaSet that owns them.

The system's own spreading counts the pods that all of these select. StatefulSets and ReplicationControllers are not
watched: pods of theirs are spread by their Services only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from machinery.model.k8s.apps_v1 import ReplicaSet
from machinery.model.k8s.core_v1 import Service
from machinery.model.selectors import IN, LabelMatcher, Requirement, from_selector
from scheduler.core.pod import LabelSet, PodInfo

_LIMIT: Final = 10_000
_Known = dict[tuple[LabelSet, str], LabelMatcher | None]


class Owners:
    """Services and ReplicaSets, as far as selectors go."""

    def __init__(self) -> None:
        self._services: dict[str, dict[str, Mapping[str, str]]] = {}
        self._replica_sets: dict[tuple[str, str], LabelMatcher] = {}
        self._known: _Known = {}

    def set_service(self, service: Service) -> None:
        """Add or replace a Service; one without a selector selects nothing."""
        meta = service.metadata
        self._services.setdefault(meta.namespace, {})[meta.name] = service.spec.selector
        self._known.clear()

    def remove_service(self, namespace: str, name: str) -> None:
        """Forget a Service."""
        self._services.get(namespace, {}).pop(name, None)
        self._known.clear()

    def set_replica_set(self, replica_set: ReplicaSet) -> None:
        """Add or replace a ReplicaSet."""
        meta = replica_set.metadata
        matcher = from_selector(replica_set.spec.selector)
        if self._replica_sets.get((meta.namespace, meta.name)) != matcher:
            self._replica_sets[meta.namespace, meta.name] = matcher
            self._known.clear()

    def remove_replica_set(self, namespace: str, name: str) -> None:
        """Forget a ReplicaSet."""
        self._replica_sets.pop((namespace, name), None)
        self._known.clear()

    def selector_of(self, pod: PodInfo) -> LabelMatcher | None:
        """Return the selector of what the pod belongs to, None where it stands alone."""
        owner = pod.owner.name if pod.owner and pod.owner.kind == "ReplicaSet" else ""
        key = (pod.labels, owner)
        if key not in self._known:
            if len(self._known) >= _LIMIT:
                self._known.clear()
            self._known[key] = self._selector(pod.labels, owner)
        return self._known[key]

    def _selector(self, labels: LabelSet, owner: str) -> LabelMatcher | None:
        chosen: dict[str, str] = {}
        for selector in self._services.get(labels.namespace, {}).values():
            if selector and selector.items() <= labels.labels.items():
                chosen.update(selector)
        requirements = tuple(Requirement(key, IN, (value,)) for key, value in sorted(chosen.items()))
        if (matcher := self._replica_sets.get((labels.namespace, owner))) is not None:
            requirements += matcher.requirements
        return LabelMatcher(requirements) if requirements else None

"""What a controller of ReplicaSets, or of ReplicationControllers, watches and looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Watched
from controllers.core.indexes import BY_CONTROLLER, BY_SELECTOR, by_controller, by_selector, claimable
from controllers.core.keys import itself, owners_and_adopters
from controllers.core.moment import Moment
from controllers.core.replicas.plan import Replicated, Seen, plan, siblings_of
from controllers.core.replicas.pod_ranking import DELETION_COST
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.resources import PODS, Resource
from machinery.model.selectors import from_selector
from machinery.model.store import Change

POD_FIELDS: Final = (
    f"metadata.annotations[{DELETION_COST}]",
    "metadata.labels",
    "spec.initContainers.name",
    "spec.initContainers.restartPolicy",
    "spec.nodeName",
    "status.conditions",
    "status.containerStatuses.restartCount",
    "status.initContainerStatuses.name",
    "status.initContainerStatuses.restartCount",
    "status.phase",
)


def build_for(resource: Resource[Any], name: str, caches: Caches) -> Controller[Seen]:
    """Build a controller of ReplicaSets or of ReplicationControllers."""
    reader = Reader(resource, caches)
    return Controller(
        name,
        (Watched(reader.replica_sets, itself), Watched(reader.pods, reader.replica_sets_of_pod)),
        reader.look,
        plan,
        writes=frozenset({"create pods", "patch pods", "delete pods", f"patch {resource}/status"}),
        workers=5,
        size=lambda seen: len(seen.pods),
    )


class Reader:
    """Reads the caches. Here and below, a ReplicaSet may be a ReplicationController."""

    def __init__(self, resource: Resource[Any], caches: Caches) -> None:
        self.resource = resource
        self.replica_sets = caches.ask(
            resource, indexes={BY_CONTROLLER: by_controller, BY_SELECTOR: by_selector}
        )
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_CONTROLLER: by_controller})

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a ReplicaSet with its own pods, its siblings', and those that it may adopt."""
        namespace, name = key
        rs = self.replica_sets.store.get(namespace, name)
        if rs is None:
            return None
        siblings = siblings_of(rs, self._owned_with(rs))
        pods = self.pods.store
        others = [pod for uid in siblings - {rs.metadata.uid} for pod in pods.by_index(BY_CONTROLLER, uid)]
        return Seen(
            rs, (*claimable(pods, rs, from_selector(rs.spec.selector)), *others), siblings, self.resource
        )

    def replica_sets_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the owners before and after; for a pod that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, self.resource.kind, self.replica_sets.store)

    def _owned_with(self, rs: Replicated) -> Sequence[Replicated]:
        owner = controller_of(rs.metadata)
        return self.replica_sets.store.by_index(BY_CONTROLLER, owner.uid) if owner else ()

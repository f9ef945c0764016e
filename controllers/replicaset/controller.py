"""What the ReplicaSet controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.indexes import BY_CONTROLLER, BY_SELECTOR, by_controller, by_selector, claimable
from controllers.core.keys import itself, owners_and_adopters
from controllers.core.moment import Moment
from controllers.core.workloads import REPLICA_SETS, ReplicaSet
from controllers.replicaset.plan import Seen, plan, siblings_of
from controllers.replicaset.pod_ranking import DELETION_COST
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector
from machinery.model.store import Change

POD_FIELDS: Final = (
    f"metadata.annotations[{DELETION_COST}]",
    "metadata.labels",
    "spec.nodeName",
    "status.conditions",
    "status.containerStatuses.restartCount",
    "status.phase",
)


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "replicaset-controller",
        (Watched(reader.replica_sets, itself), Watched(reader.pods, reader.replica_sets_of_pod)),
        reader.look,
        plan,
        workers=5,
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.replica_sets = caches.ask(
            REPLICA_SETS, indexes={BY_CONTROLLER: by_controller, BY_SELECTOR: by_selector}
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
        return Seen(rs, (*claimable(pods, rs, from_selector(rs.spec.selector)), *others), siblings)

    def replica_sets_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the owners before and after; for a pod that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, "ReplicaSet", self.replica_sets.store)

    def _owned_with(self, rs: ReplicaSet) -> Sequence[ReplicaSet]:
        owner = controller_of(rs.metadata)
        return self.replica_sets.store.by_index(BY_CONTROLLER, owner.uid) if owner else ()

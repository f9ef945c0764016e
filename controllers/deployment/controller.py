"""What the Deployment controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.indexes import BY_CONTROLLER, BY_SELECTOR, by_controller, by_selector, claimable
from controllers.core.keys import itself, owners_and_adopters
from controllers.core.moment import Moment
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS, ReplicaSet
from controllers.deployment.plan import Seen, plan
from controllers.deployment.rollout import is_rolling
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of
from machinery.model.pods import is_terminal
from machinery.model.requests import EventType
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector
from machinery.model.store import Change

BY_FIRST_NAME: Final = "first name"  # index of ReplicaSets: namespace/name without what follows the last dash


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "deployment-controller",
        (
            Watched(reader.deployments, itself),
            Watched(reader.replica_sets, reader.deployments_of_replica_set),
            Watched(reader.pods, reader.deployments_of_ended_pod),
        ),
        reader.look,
        plan,
        workers=5,
        writes=frozenset(
            {
                "create replicasets.apps",
                "patch replicasets.apps",
                "delete replicasets.apps",
                "patch deployments.apps",
                "patch deployments.apps/status",
            }
        ),
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.deployments = caches.ask(DEPLOYMENTS, indexes={BY_SELECTOR: by_selector})
        self.replica_sets = caches.ask(
            REPLICA_SETS, indexes={BY_CONTROLLER: by_controller, BY_FIRST_NAME: by_first_name}
        )
        self.pods = caches.ask(PODS, fields=("status.phase",), indexes={BY_CONTROLLER: by_controller})

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a Deployment with its ReplicaSets and those that it may adopt; with their pods where it waits for these.

        With those, too, whose names it might choose for a new one.
        """
        namespace, name = key
        deployment = self.deployments.store.get(namespace, name)
        if deployment is None:
            return None
        store = self.replica_sets.store
        owned = claimable(store, deployment, from_selector(deployment.spec.selector))
        named = store.by_index(BY_FIRST_NAME, f"{namespace}/{name}")
        replica_sets = {rs.metadata.name: rs for rs in (*owned, *named)}.values()
        pods = () if is_rolling(deployment) else self._pods_of(owned)
        return Seen(deployment, tuple(replica_sets), tuple(pods))

    def deployments_of_replica_set(self, change: Change[ReplicaSet]) -> Iterator[Key]:
        """Return the owners before and after; for a ReplicaSet that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, "Deployment", self.deployments.store)

    def deployments_of_ended_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the Deployment that may wait for a pod to end (Recreate)."""
        pod = change.object
        if change.kind is not EventType.DELETED and not is_terminal(pod):
            return
        controller = controller_of(pod.metadata)
        if controller is None or controller.kind != "ReplicaSet":
            return
        owner = self.replica_sets.store.get(pod.metadata.namespace, controller.name)
        above = controller_of(owner.metadata) if owner else None
        if above is not None and above.kind == "Deployment":
            yield pod.metadata.namespace, above.name

    def _pods_of(self, replica_sets: Iterable[ReplicaSet]) -> Iterator[Pod]:
        for rs in replica_sets:
            yield from self.pods.store.by_index(BY_CONTROLLER, rs.metadata.uid)


def by_first_name(rs: ReplicaSet) -> Iterable[str]:
    """Index ReplicaSets by the Deployment that may have chosen their name: NAME-HASH."""
    return (f"{rs.metadata.namespace}/{rs.metadata.name.rpartition('-')[0]}",)

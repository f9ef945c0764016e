"""What the StatefulSet controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.indexes import BY_CONTROLLER, BY_SELECTOR, by_controller, by_selector, claimable
from controllers.core.keys import itself, key_of, owners_and_adopters
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from controllers.core.revisions import CONTROLLER_REVISIONS, ControllerRevision, hash_of, name_of
from controllers.core.workloads import STATEFUL_SETS, StatefulSet
from controllers.statefulset.identity import (
    claim_name,
    ordinal_of,
    ordinals_to_fill,
    pod_name,
    set_name,
    template_name,
)
from controllers.statefulset.plan import Seen, plan
from controllers.statefulset.storage import CLAIMS
from machinery.model.k8s.core_v1 import Pod
from machinery.model.requests import EventType
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector
from machinery.model.store import Change

BY_CLAIM: Final = "claim"  # index of StatefulSets: namespace/name of a claim of theirs, without its ordinal
POD_FIELDS: Final = ("metadata.labels", "status.conditions", "status.phase")


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "statefulset-controller",
        (
            Watched(reader.sets, itself),
            Watched(reader.pods, reader.sets_of_pod),
            Watched(reader.revisions, reader.sets_of_revision),
            Watched(reader.claims, reader.sets_of_claim),
        ),
        reader.look,
        plan,
        workers=5,
        size=lambda seen: len(seen.pods),
        writes=frozenset(
            {
                "create pods",
                "patch pods",
                "delete pods",
                "create persistentvolumeclaims",
                "patch persistentvolumeclaims",
                "create controllerrevisions.apps",
                "patch controllerrevisions.apps",
                "delete controllerrevisions.apps",
                "patch statefulsets.apps/status",
            }
        ),
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.sets = caches.ask(STATEFUL_SETS, indexes={BY_SELECTOR: by_selector, BY_CLAIM: by_claim})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_CONTROLLER: by_controller})
        self.revisions = caches.ask(CONTROLLER_REVISIONS, indexes={BY_CONTROLLER: by_controller})
        self.claims = caches.ask_for_metadata(CLAIMS)

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a StatefulSet with its pods, its history and the claims of its pods.

        With those, too, that it may adopt, and with whatever has a name that it would give to a new one.
        """
        owner = self.sets.store.get(*key)
        if owner is None:
            return None
        pods = {pod.metadata.name: pod for pod in self._claimable_pods(owner)}
        numbers = {number for name in pods if (number := ordinal_of(owner, name)) is not None}
        places = ordinals_to_fill(owner, numbers)
        pods |= {pod.metadata.name: pod for pod in self._named_pods(owner, places)}
        return Seen(
            owner,
            tuple(pods.values()),
            tuple({each.metadata.name: each for each in self._revisions(owner)}.values()),
            dict(self._claims(owner, numbers.union(places))),
        )

    def sets_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the owners before and after, those that would adopt it, and the one whose pod has its name."""
        yield from owners_and_adopters(change, "StatefulSet", self.sets.store)
        parent = set_name(change.object.metadata.name)
        if parent and change.kind is EventType.DELETED:  # the name is free, whosever it was
            namespace = change.object.metadata.namespace
            if self.sets.store.get(namespace, parent) is not None:
                yield namespace, parent

    def sets_of_revision(self, change: Change[ControllerRevision]) -> Iterator[Key]:
        """Return the owners before and after; for a revision that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, "StatefulSet", self.sets.store)

    def sets_of_claim(self, change: Change[MetadataOnly]) -> Iterator[Key]:
        """Return the StatefulSets that give claims of this name."""
        meta = change.object.metadata
        stem, _, _ = meta.name.rpartition("-")
        return (
            key_of(owner.metadata) for owner in self.sets.store.by_index(BY_CLAIM, f"{meta.namespace}/{stem}")
        )

    def _claimable_pods(self, owner: StatefulSet) -> Iterable[Pod]:
        return claimable(self.pods.store, owner, from_selector(owner.spec.selector))

    def _named_pods(self, owner: StatefulSet, numbers: Iterable[int]) -> Iterator[Pod]:
        for ordinal in numbers:
            pod = self.pods.store.get(owner.metadata.namespace, pod_name(owner, ordinal))
            if pod is not None:
                yield pod

    def _revisions(self, owner: StatefulSet) -> Iterator[ControllerRevision]:
        store = self.revisions.store
        yield from claimable(store, owner, from_selector(owner.spec.selector))
        digest = hash_of(owner.spec.template, owner.status.collisionCount or 0)
        named = store.get(owner.metadata.namespace, name_of(owner.metadata.name, digest))
        if named is not None:
            yield named

    def _claims(self, owner: StatefulSet, numbers: Iterable[int]) -> Iterator[tuple[str, MetadataOnly]]:
        templates = owner.spec.volumeClaimTemplates
        for number in numbers if templates else ():
            for template in templates:
                name = claim_name(owner, template, number)
                claim = self.claims.store.get(owner.metadata.namespace, name)
                if claim is not None:
                    yield name, claim


def by_claim(owner: StatefulSet) -> Iterable[str]:
    """Index StatefulSets by the claims of their pods."""
    meta = owner.metadata
    return tuple(
        f"{meta.namespace}/{template_name(template)}-{meta.name}"
        for template in owner.spec.volumeClaimTemplates
    )

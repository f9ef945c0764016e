"""What the growth of volumes watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.moment import Moment
from controllers.volume_expand.plan import Seen, is_to_grow, plan
from machinery.model.k8s.core_v1 import PersistentVolume, PersistentVolumeClaim
from machinery.model.requests import EventType
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    claims = caches.ask(PERSISTENT_VOLUME_CLAIMS)
    volumes = caches.ask(PERSISTENT_VOLUMES)

    def look(key: Key, _moment: Moment) -> Seen | None:
        claim = claims.store.get(*key)
        if claim is None or not is_to_grow(claim):
            return None
        volume = volumes.store.get("", claim.spec.volumeName)
        return Seen(claim, volume) if volume is not None else None

    def claim_of(change: Change[PersistentVolume]) -> Iterable[Key]:
        """Return the claim that a volume is bound to."""
        reference = change.object.spec.claimRef
        is_there = change.kind is not EventType.DELETED and reference is not None
        return ((reference.namespace, reference.name),) if is_there and reference is not None else ()

    return Controller(
        "volume_expand",
        (Watched(claims, itself_if_it_is_to_grow), Watched(volumes, claim_of)),
        look,
        plan,
        writes=frozenset({"patch persistentvolumes", "patch persistentvolumeclaims/status"}),
    )


def itself_if_it_is_to_grow(change: Change[PersistentVolumeClaim]) -> Iterable[Key]:
    """Return a claim that is new, or that asks for something else than before, or has come closer to it."""
    claim, old = change.object, change.old
    is_news = old is None or (old.spec.resources, old.status) != (claim.spec.resources, claim.status)
    concerns = change.kind is not EventType.DELETED and is_news and is_to_grow(claim)
    return (key_of(claim.metadata),) if concerns else ()

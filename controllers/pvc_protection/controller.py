"""What the protection of claims watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself, key_of
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from controllers.pvc_protection.plan import CLAIMS, Seen, leaves, plan
from machinery.model.requests import EventType
from machinery.model.resources import PODS
from machinery.model.store import Change

_LEAVING: Final = "leaving"


def _by_namespace_if_it_leaves(claim: MetadataOnly) -> Iterable[str]:
    return (claim.metadata.namespace,) if leaves(claim.metadata) else ()


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    claims = caches.ask(CLAIMS, fields=(), indexes={_LEAVING: _by_namespace_if_it_leaves})
    pods = caches.ask_for_metadata(PODS)

    def look(key: Key, _moment: Moment) -> Seen | None:
        found = claims.store.get(*key)
        return None if found is None else Seen(found.metadata)

    def claims_of(change: Change[Any]) -> Iterable[Key]:
        """Return the claims that wait in the namespace of a pod that is gone."""
        if change.kind is not EventType.DELETED:
            return
        for claim in claims.store.by_index(_LEAVING, change.object.metadata.namespace):
            yield key_of(claim.metadata)

    def itself_unless_gone(change: Change[MetadataOnly]) -> Iterable[Key]:
        return () if change.kind is EventType.DELETED else itself(change)

    return Controller(
        "pvc-protection-controller",
        (Watched(claims, itself_unless_gone), Watched(pods, claims_of)),
        look,
        plan,
        writes=frozenset({"patch persistentvolumeclaims"}),
    )

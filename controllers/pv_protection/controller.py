"""What the protection of volumes watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself
from controllers.core.metadata_only import MetadataOnly
from controllers.core.moment import Moment
from controllers.pv_protection.plan import VOLUMES, Seen, plan
from machinery.model.requests import EventType
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    volumes = caches.ask_for_metadata(VOLUMES)

    def look(key: Key, _moment: Moment) -> Seen | None:
        found = volumes.store.get(*key)
        return None if found is None else Seen(found.metadata)

    def itself_unless_gone(change: Change[MetadataOnly]) -> Iterable[Key]:
        return () if change.kind is EventType.DELETED else itself(change)

    return Controller(
        "pv-protection-controller",
        (Watched(volumes, itself_unless_gone),),
        look,
        plan,
        writes=frozenset({"patch persistentvolumes"}),
    )

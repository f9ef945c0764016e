"""What the namespace controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controllers.core.api_services import API_SERVICES, unavailable
from controllers.core.caches import Caches, Source
from controllers.core.controller import Controller, Key, LaterKinds, Settings, Watched
from controllers.core.keys import itself
from controllers.core.kinds import watched_kinds
from controllers.core.moment import Moment
from controllers.namespace.plan import Seen, plan
from machinery.model.requests import EventType
from machinery.model.resources import NAMESPACES
from machinery.model.store import Change


def build(caches: Caches, settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    namespaces = caches.ask(NAMESPACES, fields=("spec", "status"))
    namespaced = {str(kind): kind for kind in settings.kinds if kind.namespaced}
    services = caches.ask(API_SERVICES, fields=("spec", "status"))
    contents = [caches.ask_for_metadata(kind) for kind in watched_kinds(settings.kinds)]

    def look(key: Key, _moment: Moment) -> Seen | None:
        found = namespaces.store.get("", key[1])
        if found is None:
            return None
        away = unavailable(services.store) if found.metadata.deletionTimestamp else ()
        kinds = tuple(kind for kind in namespaced.values() if kind.api_version not in away)
        return Seen(found, kinds, away)

    def leaving_namespace(change: Change[Any]) -> Iterable[Key]:
        """Return the object's namespace, where it waits for objects to go and one has."""
        if change.kind is not EventType.DELETED:
            return ()
        namespace = namespaces.store.get("", change.object.metadata.namespace)
        leaving = namespace is not None and namespace.metadata.deletionTimestamp
        return (("", change.object.metadata.namespace),) if leaving else ()

    def come(source: Source[Any]) -> tuple[Watched[Any], None]:
        if source.resource.namespaced:
            namespaced[str(source.resource)] = source.resource
        return Watched(source, leaving_namespace), None

    def gone(source: Source[Any]) -> None:
        namespaced.pop(str(source.resource), None)

    return Controller(
        "namespace-controller",
        (Watched(namespaces, itself), *(Watched(source, leaving_namespace) for source in contents)),
        look,
        plan,
        later=LaterKinds(come, gone),
        workers=5,
        writes=frozenset({"delete *", "finalize namespaces", "patch namespaces/status"}),
    )

"""What the Endpoints controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import EVERYTHING_AT_ONCE, Controller, Key, Settings, Watched
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.core.services import ServicePods
from controllers.endpoints.plan import LeftOver, Seen, plan
from machinery.model.k8s.core_v1 import Endpoints
from machinery.model.requests import EventType
from machinery.model.resources import ENDPOINTS
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen | LeftOver]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "endpoint-controller",
        (
            Watched(reader.members.services, itself),
            Watched(reader.members.pods, reader.members.services_of_pod),
            Watched(reader.endpoints, reader.service_of_endpoints),
        ),
        reader.look,
        plan,
        workers=5,
        size=lambda seen: len(seen.pods) if isinstance(seen, Seen) else 0,
        always=(EVERYTHING_AT_ONCE,),
        writes=frozenset({"create endpoints", "patch endpoints", "delete endpoints"}),
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.members = ServicePods(caches)
        self.endpoints = caches.ask(ENDPOINTS)

    def look(self, key: Key, _moment: Moment) -> Seen | LeftOver:
        """Return a Service with its pods and Endpoints; at the start, all Endpoints without a Service."""
        services = self.members.services.store
        if key == EVERYTHING_AT_ONCE:
            known = self.endpoints.store
            return LeftOver([each for each in known if services.get(*key_of(each.metadata)) is None])
        service = services.get(*key)
        pods = self.members.pods_of(service) if service is not None else ()
        return Seen(service, self.endpoints.store.get(*key), pods)

    def service_of_endpoints(self, change: Change[Endpoints]) -> Iterable[Key]:
        """Return the Service of Endpoints that are gone, or that are not what they were."""
        key = key_of(change.object.metadata)
        is_gone = change.kind is EventType.DELETED
        return (key,) if is_gone or self.members.services.store.get(*key) is not None else ()

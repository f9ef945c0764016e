"""What the EndpointSlice mirroring controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.core.services import BY_SERVICE, SLICE_WRITES, by_service, is_managed_by, service_of_slice
from controllers.endpointslicemirroring.plan import MANAGER, Seen, plan
from machinery.model.k8s.core_v1 import Service
from machinery.model.resources import ENDPOINT_SLICES, ENDPOINTS, SERVICES
from machinery.model.store import Change


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "endpoint-slice-mirroring-controller",
        (
            Watched(reader.endpoints, itself),
            Watched(reader.services, itself_without_selector),
            Watched(reader.slices, service_of_slice(MANAGER)),
        ),
        reader.look,
        plan,
        workers=5,
        writes=SLICE_WRITES,
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.endpoints = caches.ask(ENDPOINTS)
        self.services = caches.ask(SERVICES)
        self.slices = caches.ask(ENDPOINT_SLICES, indexes={BY_SERVICE: by_service})

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return Endpoints with their Service and what mirrors them."""
        service = self.services.store.get(*key)
        found = self.slices.store.by_index(BY_SERVICE, "/".join(key))
        slices = [
            each for each in found if is_managed_by(each, MANAGER) and not each.metadata.deletionTimestamp
        ]
        endpoints = self.endpoints.store.get(*key)
        if not slices and (endpoints is None or service is None or service.spec.selector):
            return None
        return Seen(endpoints, service, slices)


def itself_without_selector(change: Change[Service]) -> Iterable[Key]:
    """Return a Service that has no selector, or had none."""
    states = [state for state in (change.old, change.new) if state is not None]
    return (key_of(change.object.metadata),) if any(not state.spec.selector for state in states) else ()

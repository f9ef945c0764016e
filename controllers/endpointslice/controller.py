"""What the EndpointSlice controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.indexes import BY_NODE, by_node
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.core.nodes import zones_by_node
from controllers.core.services import BY_SERVICE, SLICE_WRITES, ServicePods, by_service, service_of_slice
from controllers.endpointslice.endpoints import wants_shares
from controllers.endpointslice.plan import MANAGER, Seen, plan
from controllers.endpointslice.shares import is_overloaded
from controllers.endpointslice.zone_cpus import NODE_FIELDS, ZoneCpus, part_of
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from machinery.model.store import Change

_BY_MODE: Final = "mode"  # index of Services: those whose hints go by the shares of zones
_AUTO: Final = "auto"


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "endpoint-slice-controller",
        (
            Watched(reader.services, itself),
            Watched(reader.pods, reader.services_of_pod),
            Watched(reader.slices, service_of_slice(MANAGER)),
            Watched(reader.nodes, reader.services_of_node),
        ),
        reader.look,
        plan,
        notes=(Noted(reader.nodes, reader.cpus.note),),
        workers=5,
        size=lambda seen: len(seen.pods),
        writes=SLICE_WRITES,
    )


class Reader:
    """Reads the caches, and remembers how the nodes' CPUs are spread over zones."""

    def __init__(self, caches: Caches) -> None:
        self._members = ServicePods(caches)
        self.services = self._members.services
        self.services_of_pod = self._members.services_of_pod
        self.pods = caches.ask(PODS, fields=(), indexes={BY_NODE: by_node})
        self.slices = caches.ask(ENDPOINT_SLICES, indexes={BY_SERVICE: by_service})
        self.nodes = caches.ask(NODES, fields=NODE_FIELDS)
        self.cpus = ZoneCpus()
        caches.ask(SERVICES, indexes={_BY_MODE: _by_mode})

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a Service with the pods that it selects, its slices, and the zones of its nodes."""
        namespace, name = key
        service = self.services.store.get(namespace, name)
        if service is None:
            return None
        pods = self._members.pods_of(service)
        slices = self.slices.store.by_index(BY_SERVICE, f"{namespace}/{name}")
        found = (self.nodes.store.get("", name) for name in {pod.spec.nodeName for pod in pods})
        zones = zones_by_node(node for node in found if node)
        return Seen(service, pods, slices, zones, self.cpus.shares if wants_shares(service) else None)

    def services_of_node(self, change: Change[Node]) -> Iterable[Key]:
        """Return the Services of a node's pods where it comes, goes, or moves to another zone.

        With those of which a zone has too few endpoints now that the CPUs are spread otherwise.
        """
        old, new = change.old, change.new
        overloaded = self._overloaded() if not old or not new or part_of(old) != part_of(new) else ()
        if old and new and zones_by_node([old]) == zones_by_node([new]):
            return overloaded
        pods = self.pods.store.by_index(BY_NODE, change.object.metadata.name)
        found = (self._members.selecting(pod.metadata.namespace, pod.metadata.labels) for pod in pods)
        return dict.fromkeys(chain(chain.from_iterable(found), overloaded))

    def _overloaded(self) -> list[Key]:
        shares = self.cpus.shares
        return [
            key_of(service.metadata)
            for service in self.services.store.by_index(_BY_MODE, _AUTO)
            if any(is_overloaded(slices, shares) for slices in self._by_type(service))
        ]

    def _by_type(self, service: Service) -> Iterable[list[EndpointSlice]]:
        """Return the slices of a Service, those of each type of addresses together."""
        by_type: dict[str, list[EndpointSlice]] = {}
        for slice_ in self.slices.store.by_index(BY_SERVICE, "/".join(key_of(service.metadata))):
            by_type.setdefault(slice_.addressType, []).append(slice_)
        return by_type.values()


def _by_mode(service: Service) -> Iterable[str]:
    return (_AUTO,) if wants_shares(service) else ()

"""What the EndpointSlice controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.indexes import BY_NODE, by_node
from controllers.core.keys import itself
from controllers.core.moment import Moment
from controllers.core.nodes import zones_by_node
from controllers.core.services import BY_SERVICE, SLICE_WRITES, ServicePods, by_service, service_of_slice
from controllers.endpointslice.plan import MANAGER, Seen, plan
from machinery.model.k8s.core_v1 import Node
from machinery.model.resources import ENDPOINT_SLICES, NODES, PODS
from machinery.model.store import Change


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
        workers=5,
        writes=SLICE_WRITES,
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self._members = ServicePods(caches)
        self.services = self._members.services
        self.services_of_pod = self._members.services_of_pod
        self.pods = caches.ask(PODS, fields=(), indexes={BY_NODE: by_node})
        self.slices = caches.ask(ENDPOINT_SLICES, indexes={BY_SERVICE: by_service})
        self.nodes = caches.ask(NODES, fields=("metadata.labels",))

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a Service with the pods that it selects, its slices, and the zones of its nodes."""
        namespace, name = key
        service = self.services.store.get(namespace, name)
        if service is None:
            return None
        pods = self._members.pods_of(service)
        slices = self.slices.store.by_index(BY_SERVICE, f"{namespace}/{name}")
        found = (self.nodes.store.get("", name) for name in {pod.spec.nodeName for pod in pods})
        return Seen(service, pods, slices, zones_by_node(node for node in found if node))

    def services_of_node(self, change: Change[Node]) -> Iterable[Key]:
        """Return the Services of a node's pods where it comes, goes, or moves to another zone."""
        if change.old and change.new and zones_by_node([change.old]) == zones_by_node([change.new]):
            return ()
        pods = self.pods.store.by_index(BY_NODE, change.object.metadata.name)
        found = (self._members.selecting(pod.metadata.namespace, pod.metadata.labels) for pod in pods)
        return dict.fromkeys(chain.from_iterable(found))

"""What the EndpointSlice controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.core.nodes import zones_by_node
from controllers.endpointslice.plan import Seen, is_ours, plan
from machinery.model.endpoints import SERVICE_NAME
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from machinery.model.store import Change

BY_SERVICE: Final = "service"  # index of slices: namespace/name
POD_FIELDS: Final = (
    "metadata.labels",
    "spec.containers.name",
    "spec.containers.ports",
    "spec.containers.restartPolicy",
    "spec.hostname",
    "spec.initContainers.name",
    "spec.initContainers.ports",
    "spec.initContainers.restartPolicy",
    "spec.nodeName",
    "spec.subdomain",
    "status.conditions",
    "status.phase",
    "status.podIP",
    "status.podIPs",
)


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "endpoint-slice-controller",
        (
            Watched(reader.services, itself),
            Watched(reader.pods, reader.services_of_pod),
            Watched(reader.slices, service_of_slice),
            Watched(reader.nodes, reader.services_of_node),
        ),
        reader.look,
        plan,
        workers=5,
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.services = caches.ask(SERVICES)
        self.pods = caches.ask(PODS, fields=POD_FIELDS)
        self.slices = caches.ask(ENDPOINT_SLICES, indexes={BY_SERVICE: by_service})
        self.nodes = caches.ask(NODES, fields=("metadata.labels",))

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a Service with the pods that it selects, its slices, and every node's zone."""
        namespace, name = key
        service = self.services.store.get(namespace, name)
        if service is None:
            return None
        pods = [
            pod
            for pod in self.pods.store.list(namespace)
            if selects(service.spec.selector, pod.metadata.labels)
        ]
        slices = self.slices.store.by_index(BY_SERVICE, f"{namespace}/{name}")
        return Seen(service, pods, slices, zones_by_node(self.nodes.store))

    def services_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the Services that select the pod, or did."""
        states = [state.metadata.labels for state in (change.old, change.new) if state is not None]
        for service in self.services.store.list(change.object.metadata.namespace):
            if any(selects(service.spec.selector, labels) for labels in states):
                yield key_of(service.metadata)

    def services_of_node(self, change: Change[Node]) -> Iterable[Key]:
        """Return all Services where a node comes, goes, or moves to another zone."""
        if change.old and change.new and zones_by_node([change.old]) == zones_by_node([change.new]):
            return ()
        return [key_of(service.metadata) for service in self.services.store]


def service_of_slice(change: Change[EndpointSlice]) -> Iterator[Key]:
    """Return the Service of a slice that is ours, or was."""
    for state in (change.old, change.new):
        if state is not None and is_ours(state) and (name := state.metadata.labels.get(SERVICE_NAME)):
            yield state.metadata.namespace, name


def by_service(slice_: EndpointSlice) -> Iterable[str]:
    """Index slices by their Service."""
    name = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{name}",) if name else ()


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service's selector, if it has one, matches labels."""
    return bool(selector) and selector.items() <= labels.items()

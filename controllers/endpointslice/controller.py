"""What the EndpointSlice controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.indexes import BY_LABEL, BY_NODE, BY_SELECTOR, by_label, by_node
from controllers.core.keys import itself, key_of
from controllers.core.moment import Moment
from controllers.core.nodes import zones_by_node
from controllers.endpointslice.plan import Seen, is_ours, plan
from machinery.model.endpoints import SERVICE_NAME
from machinery.model.k8s.core_v1 import Node, Pod, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.label_index import objects_for, selector_entries, selectors_for
from machinery.model.resources import ENDPOINT_SLICES, NODES, PODS, SERVICES
from machinery.model.selectors import NOTHING, LabelMatcher, equal_to
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
        self.services = caches.ask(SERVICES, indexes={BY_SELECTOR: by_service_selector})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_LABEL: by_label, BY_NODE: by_node})
        self.slices = caches.ask(ENDPOINT_SLICES, indexes={BY_SERVICE: by_service})
        self.nodes = caches.ask(NODES, fields=("metadata.labels",))

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a Service with the pods that it selects, its slices, and the zones of its nodes."""
        namespace, name = key
        service = self.services.store.get(namespace, name)
        if service is None:
            return None
        selector = service.spec.selector
        candidates = objects_for(self.pods.store, BY_LABEL, namespace, matcher_of(selector))
        pods = [pod for pod in candidates if selects(selector, pod.metadata.labels)]
        slices = self.slices.store.by_index(BY_SERVICE, f"{namespace}/{name}")
        found = (self.nodes.store.get("", name) for name in {pod.spec.nodeName for pod in pods})
        return Seen(service, pods, slices, zones_by_node(node for node in found if node))

    def services_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the Services that select the pod, or did."""
        before, after = (state.metadata.labels if state else None for state in (change.old, change.new))
        for labels in (before, after) if before != after else (after,):
            if labels is not None:
                yield from self._selecting(change.object.metadata.namespace, labels)

    def services_of_node(self, change: Change[Node]) -> Iterable[Key]:
        """Return the Services of a node's pods where it comes, goes, or moves to another zone."""
        if change.old and change.new and zones_by_node([change.old]) == zones_by_node([change.new]):
            return ()
        pods = self.pods.store.by_index(BY_NODE, change.object.metadata.name)
        found = (self._selecting(pod.metadata.namespace, pod.metadata.labels) for pod in pods)
        return dict.fromkeys(chain.from_iterable(found))

    def _selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Key]:
        for service in selectors_for(self.services.store, BY_SELECTOR, namespace, labels):
            if selects(service.spec.selector, labels):
                yield key_of(service.metadata)


def service_of_slice(change: Change[EndpointSlice]) -> Iterator[Key]:
    """Return the Service of a slice that is ours, or was."""
    for state in (change.old, change.new):
        if state is not None and is_ours(state) and (name := state.metadata.labels.get(SERVICE_NAME)):
            yield state.metadata.namespace, name


def by_service(slice_: EndpointSlice) -> Iterable[str]:
    """Index slices by their Service."""
    name = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{name}",) if name else ()


def by_service_selector(service: Service) -> Iterable[str]:
    """Index Services by what their selector asks for, in their namespace."""
    return selector_entries(service.metadata.namespace, matcher_of(service.spec.selector))


def matcher_of(selector: Mapping[str, str]) -> LabelMatcher:
    """Return what a Service's selector matches: nothing without one."""
    return equal_to(selector) if selector else NOTHING


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service's selector, if it has one, matches labels."""
    return bool(selector) and selector.items() <= labels.items()

"""Services and the pods that they select: who is found from whom, and at which ports a pod serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from controllers.core.caches import Caches
from controllers.core.controller import Key
from controllers.core.indexes import BY_LABEL, BY_SELECTOR, by_label
from controllers.core.keys import key_of
from machinery.model.endpoints import SERVICE_NAME, protocol_of
from machinery.model.k8s.core_v1 import Pod, Service, ServicePort
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.label_index import objects_for, selector_entries, selectors_for
from machinery.model.pods import lasting_containers
from machinery.model.resources import PODS, SERVICES
from machinery.model.selectors import NOTHING, LabelMatcher, equal_to
from machinery.model.store import Change

MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
HEADLESS_LABEL: Final = "service.kubernetes.io/headless"
BY_SERVICE: Final = "service"  # index of slices: namespace/name
SLICE_WRITES: Final = frozenset(
    f"{verb} endpointslices.discovery.k8s.io" for verb in ("create", "delete", "patch")
)
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


class ServicePods:
    """Services with their pods, from the caches."""

    def __init__(self, caches: Caches) -> None:
        self.services = caches.ask(SERVICES, indexes={BY_SELECTOR: by_service_selector})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_LABEL: by_label})

    def pods_of(self, service: Service) -> list[Pod]:
        """Return the pods that a Service selects: none where it has no selector."""
        selector = service.spec.selector
        namespace = service.metadata.namespace
        candidates = objects_for(self.pods.store, BY_LABEL, namespace, matcher_of(selector))
        return [pod for pod in candidates if selects(selector, pod.metadata.labels)]

    def services_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the Services that select a pod, or did."""
        before, after = (state.metadata.labels if state else None for state in (change.old, change.new))
        for labels in (before, after) if before != after else (after,):
            if labels is not None:
                yield from self.selecting(change.object.metadata.namespace, labels)

    def selecting(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Key]:
        """Return the Services of a namespace that select labels."""
        for service in selectors_for(self.services.store, BY_SELECTOR, namespace, labels):
            if selects(service.spec.selector, labels):
                yield key_of(service.metadata)


def by_service_selector(service: Service) -> Iterable[str]:
    """Index Services by what their selector asks for, in their namespace."""
    return selector_entries(service.metadata.namespace, matcher_of(service.spec.selector))


def matcher_of(selector: Mapping[str, str]) -> LabelMatcher:
    """Return what a Service's selector matches: nothing without one."""
    return equal_to(selector) if selector else NOTHING


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a Service's selector, if it has one, matches labels."""
    return bool(selector) and selector.items() <= labels.items()


def target_port(port: ServicePort, pod: Pod) -> int | None:
    """Find the number of a Service's port in a pod: its own, or that of the container port with its name."""
    target = port.targetPort
    if target in {None, 0, ""}:
        return port.port
    if isinstance(target, int):
        return target
    protocol = protocol_of(port.protocol)
    candidates = (
        found
        for container in lasting_containers(pod.spec)
        for found in container.ports
        if found.name == target
    )
    return next(
        (found.containerPort for found in candidates if protocol_of(found.protocol) == protocol), None
    )


def hostname_in(service: Service, pod: Pod) -> str:
    """Return the name that a pod has of its own in its Service's subdomain, "" for none."""
    return pod.spec.hostname if pod.spec.hostname and pod.spec.subdomain == service.metadata.name else ""


def is_managed_by(slice_: EndpointSlice, manager: str) -> bool:
    """Whether a slice is a manager's: controllers make some, and so do users."""
    return slice_.metadata.labels.get(MANAGED_BY) == manager


def by_service(slice_: EndpointSlice) -> Iterable[str]:
    """Index slices by their Service."""
    name = slice_.metadata.labels.get(SERVICE_NAME)
    return (f"{slice_.metadata.namespace}/{name}",) if name else ()


def service_of_slice(manager: str) -> Callable[[Change[EndpointSlice]], Iterator[Key]]:
    """Return what finds the Service of a slice that is a manager's, or was."""

    def keys(change: Change[EndpointSlice]) -> Iterator[Key]:
        for state in (change.old, change.new):
            if state is None or not is_managed_by(state, manager):
                continue
            if name := state.metadata.labels.get(SERVICE_NAME):
                yield state.metadata.namespace, name

    return keys

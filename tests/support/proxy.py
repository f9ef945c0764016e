"""Services, EndpointSlices and nodes for tests of the proxy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from machinery.model.k8s.core_v1 import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    Node,
    NodeAddress,
    NodeSpec,
    NodeStatus,
    Service,
    ServicePort,
    ServiceSpec,
    ServiceStatus,
)
from machinery.model.k8s.discovery_v1 import (
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointPort,
    EndpointSlice,
    ForNode,
    ForZone,
)
from machinery.model.requests import EventType
from machinery.model.store import Change, Store
from proxy.core.merged import Merged
from proxy.core.topology import ZONE_LABEL
from proxy.sync import BY_SERVICE, Stores, Syncer, services_of
from tests.support.builders import meta

SERVICE_IP = "10.96.7.7"
PORT = 8123


class Nowhere:
    """A place that nothing is written to."""

    async def apply(self, wanted: Merged[Any, Any], *, anyway: bool = False) -> bool:
        """Write nothing."""
        return False


def service(
    name: str = "web",
    namespace: str = "default",
    *,
    ip: str = SERVICE_IP,
    ports: Iterable[ServicePort] | None = None,
    labels: dict[str, str] | None = None,
    ingress: Iterable[LoadBalancerIngress] = (),
    **spec: Any,
) -> Service:
    """Return a ClusterIP Service with one TCP port."""
    found = list(ports) if ports is not None else [service_port()]
    return Service(
        metadata=meta(name, namespace, labels=labels or {}),
        spec=ServiceSpec(type=spec.pop("type", "ClusterIP"), clusterIP=ip, ports=found, **spec),
        status=ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=list(ingress))),
    )


def balancer(*ips: str, ip_mode: str = "VIP", **fields: Any) -> Service:
    """Return a Service with a load balancer at some addresses; `name` and the rest are those of `service`."""
    ingress = [LoadBalancerIngress(ip=address, ipMode=ip_mode) for address in ips]
    return service(ingress=ingress, type="LoadBalancer", **fields)


def service_port(port: int = PORT, protocol: str = "TCP", **fields: Any) -> ServicePort:
    """Return a port of a Service."""
    return ServicePort(port=port, protocol=protocol, **fields)


def endpoint(
    ip: str,
    *,
    node: str = "node-1",
    ready: bool | None = True,
    serving: bool | None = None,
    terminating: bool | None = None,
    zones: Iterable[str] = (),
    nodes: Iterable[str] = (),
) -> Endpoint:
    """Return an endpoint, ready unless told otherwise, with hints for zones and nodes."""
    hints = EndpointHints(
        forNodes=[ForNode(name=each) for each in nodes], forZones=[ForZone(name=each) for each in zones]
    )
    return Endpoint(
        addresses=[ip],
        hints=hints if zones or nodes else None,
        conditions=EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        nodeName=node,
    )


def leaving(ip: str, node: str = "node-1") -> Endpoint:
    """Return an endpoint that terminates and still serves."""
    return endpoint(ip, node=node, ready=False, serving=True, terminating=True)


def endpoint_slice(
    *endpoints: Endpoint,
    of: str = "web",
    name: str = "",
    namespace: str = "default",
    port: int = 9123,
    protocol: str = "TCP",
    port_name: str = "",
    address_type: str = "IPv4",
) -> EndpointSlice:
    """Return a slice of a Service."""
    return EndpointSlice(
        metadata=meta(name or f"{of}-abcde", namespace, labels={"kubernetes.io/service-name": of}),
        addressType=address_type,
        endpoints=list(endpoints),
        ports=[EndpointPort(name=port_name, port=port, protocol=protocol)],
    )


def routed_node(name: str, pod_cidr: str, address: str, zone: str = "") -> Node:
    """Return a node with a pod range and an InternalIP."""
    addresses = [NodeAddress(type="Hostname", address=name)]
    if address:
        addresses.append(NodeAddress(type="InternalIP", address=address))
    labels = {ZONE_LABEL: zone} if zone else {}
    return Node(
        metadata=meta(name, labels=labels),
        spec=NodeSpec(podCIDR=pod_cidr),
        status=NodeStatus(addresses=addresses),
    )


def stores_of(
    services: Iterable[Service] = (), slices: Iterable[EndpointSlice] = (), nodes: Iterable[Node] = ()
) -> Stores:
    """Return stores with these objects."""
    stores = Stores(Store(), Store({BY_SERVICE: services_of}), Store())
    for store, objects in ((stores.services, services), (stores.slices, slices), (stores.nodes, nodes)):
        for obj in objects:
            store.put(obj)
    return stores


def tell_all(stores: Stores, syncer: Syncer) -> None:
    """Call a loop back for everything in its stores, as informers do at the start."""
    for store, tell in (
        (stores.services, syncer.on_service),
        (stores.slices, syncer.on_slice),
        (stores.nodes, syncer.on_node),
    ):
        for obj in store:
            tell(Change(EventType.ADDED, None, obj))

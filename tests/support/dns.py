"""What a DNS server is fed with, and a slow second way to say what it has to answer."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from dns.app import SERVICE_FIELDS, SLICE_FIELDS
from dns.core.hot import HotAnswers
from dns.core.zone import (
    BY_ADDRESS,
    BY_SERVICE,
    View,
    Zone,
    addresses_of_service,
    addresses_of_slice,
    services_of,
    tags_of_service,
    tags_of_slice,
)
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Namespace, Service, ServicePort, ServiceSpec
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from machinery.model.requests import EventType
from machinery.model.store import Change, Store, key_of
from tests.support.builders import meta

DOMAIN = "cluster.local"
Ports = Iterable[tuple[str, str, int]]


def service(
    name: str,
    namespace: str = "default",
    *,
    ips: Iterable[str] = (),
    ports: Ports = (("http", "TCP", 80),),
    external_name: str = "",
) -> Service:
    """Return a Service: headless without addresses, an alias with a name."""
    addresses = list(ips) or ["None"]
    if external_name:
        spec = ServiceSpec(type="ExternalName", externalName=external_name)
    else:
        found = [ServicePort(name=one, protocol=protocol, port=port) for one, protocol, port in ports]
        spec = ServiceSpec(type="ClusterIP", clusterIP=addresses[0], clusterIPs=addresses, ports=found)
    return Service(metadata=meta(name, namespace), spec=spec)


def endpoint(ip: str, host: str = "", *, ready: bool | None = True) -> Endpoint:
    """Return an endpoint."""
    return Endpoint(addresses=[ip], hostname=host, conditions=EndpointConditions(ready=ready))


def endpoint_slice(
    *endpoints: Endpoint,
    of: str,
    namespace: str = "default",
    name: str = "",
    ports: Ports = (("http", "TCP", 8080),),
    family: str = "IPv4",
) -> EndpointSlice:
    """Return a slice of a Service."""
    return EndpointSlice(
        metadata=meta(name or f"{of}-1", namespace, labels={"kubernetes.io/service-name": of}),
        addressType=family,
        endpoints=list(endpoints),
        ports=[EndpointPort(name=one, protocol=protocol, port=port) for one, protocol, port in ports],
    )


@dataclass
class Fed:
    """A zone with its stores and hot answers, told of objects as informers do."""

    zone: Zone = field(init=False)
    hot: HotAnswers = field(default_factory=lambda: HotAnswers(1000))
    view: View = field(init=False)

    def __post_init__(self) -> None:
        self.view = View(
            Store({BY_ADDRESS: addresses_of_service}),
            Store({BY_SERVICE: services_of, BY_ADDRESS: addresses_of_slice}),
            Store(),
        )
        self.zone = Zone(self.view, DOMAIN, ttl_s=30)

    def put(self, *objects: Service | EndpointSlice | Namespace) -> Fed:
        """Add or replace objects."""
        for obj in objects:
            match obj:
                case Service():
                    kept = trimmer(Service, SERVICE_FIELDS)(obj)
                    old = self.view.services.get(*key_of(obj))
                    self.view.services.put(kept)
                    self.hot.drop(tags_of_service(Change(EventType.MODIFIED, old, kept)))
                case EndpointSlice():
                    new = trimmer(EndpointSlice, SLICE_FIELDS)(obj)
                    before = self.view.slices.get(*key_of(obj))
                    self.view.slices.put(new)
                    self.hot.drop(tags_of_slice(Change(EventType.MODIFIED, before, new)))
                case Namespace():
                    self.view.namespaces.put(obj)
                    self.hot.drop({f"{obj.metadata.name}/"})
        return self

    def drop(self, obj: Service | EndpointSlice | Namespace) -> None:
        """Remove an object."""
        match obj:
            case Service():
                self.view.services.drop(key_of(obj))
                self.hot.drop(tags_of_service(Change(EventType.DELETED, obj, None)))
            case EndpointSlice():
                self.view.slices.drop(key_of(obj))
                self.hot.drop(tags_of_slice(Change(EventType.DELETED, obj, None)))
            case Namespace():
                self.view.namespaces.drop(key_of(obj))
                self.hot.drop({f"{obj.metadata.name}/"})


Records = dict[str, dict[str, set[str]]]  # name → type → values; a name that is there may have none


def reference(
    services: Iterable[Service], slices: Iterable[EndpointSlice], namespaces: Iterable[Namespace]
) -> Records:
    """Return every name there has to be, written down straight from the specification, Service by Service."""
    found: Records = defaultdict(lambda: defaultdict(set))
    for each in (DOMAIN, f"svc.{DOMAIN}", f"pod.{DOMAIN}"):
        found[each]["-"].add("")
    for namespace in namespaces:
        for kind in ("svc", "pod"):
            found[f"{namespace.metadata.name}.{kind}.{DOMAIN}"]["-"].add("")
    owned: dict[str, str] = {}
    ends: dict[str, set[str]] = defaultdict(set)
    for each in sorted(services, key=key_of):
        own = f"{each.metadata.name}.{each.metadata.namespace}.svc.{DOMAIN}"
        if each.spec.type == "ExternalName":
            found[own]["CNAME"].add(each.spec.externalName)
            continue
        ready = _ready(each, own, slices)
        for address, host, _ in ready:
            found[host][_kind(address)].add(address)
            ends[address].add(host)
        if each.spec.clusterIP == "None":
            _add_headless(found, own, ready)
        else:
            _add_virtual(found, own, each)
            for address in each.spec.clusterIPs:
                owned.setdefault(address, own)
    for address in ends | owned:
        found[reverse(address)]["PTR"] = {owned[address]} if address in owned else ends[address]
    return found


Ready = list[tuple[str, str, EndpointSlice]]


def _ready(each: Service, own: str, slices: Iterable[EndpointSlice]) -> Ready:
    return [
        (
            end.addresses[0],
            f"{end.hostname or end.addresses[0].replace('.', '-').replace(':', '-')}.{own}",
            one,
        )
        for one in slices
        if one.metadata.namespace == each.metadata.namespace
        and one.metadata.labels["kubernetes.io/service-name"] == each.metadata.name
        for end in one.endpoints
        if end.conditions is None or end.conditions.ready in {None, True}
    ]


def _add_headless(found: Records, own: str, ready: Ready) -> None:
    for address, host, one in ready:
        found[own][_kind(address)].add(address)
        for port in one.ports:
            _add_port(found, own, port.name, port.protocol, f"{port.port} {host}")


def _add_virtual(found: Records, own: str, each: Service) -> None:
    for address in each.spec.clusterIPs:
        found[own][_kind(address)].add(address)
    for port in each.spec.ports:
        _add_port(found, own, port.name, port.protocol, f"{port.port} {own}")


def _add_port(found: Records, own: str, name: str, protocol: str, place: str) -> None:
    found[own]["SRV"].add(place)
    if name:
        found[f"_{name}._{protocol.lower()}.{own}"]["SRV"].add(place)
        found[f"_{protocol.lower()}.{own}"]["-"].add("")


def reverse(address: str) -> str:
    """Return the name of an IPv4 address, or of an IPv6 one that is written in full."""
    if ":" in address:
        return ".".join(reversed(address.replace(":", ""))) + ".ip6.arpa"
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def _kind(address: str) -> str:
    return "AAAA" if ":" in address else "A"


def question(
    name: str, kind: int = 1, *, number: int = 0x1234, flags: int = 0x0100, klass: int = 1, edns: int = 0
) -> bytes:
    """Write a question by hand; with EDNS where a size is given."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
    head = struct.pack("!HHHHHH", number, flags, 1, 0, 0, int(edns > 0))
    opt = b"\0" + struct.pack("!HHIH", 41, edns, 0, 0) if edns else b""
    return head + labels + b"\0" + struct.pack("!HH", kind, klass) + opt

"""The answers for the cluster's domain and for the addresses of its Services and endpoints.

Fed by informers: the stores keep Services, slices and namespaces by what questions are about, so that a change costs as
much as its own object. An answer is made from one Service and its own slices when somebody asks; what it depends on is its
tag, and `changed_tags` says which tags a change concerns.

https://github.com/kubernetes/dns/blob/master/docs/specification.md (1.1.0); where it leaves a choice, as CoreDNS does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from dns.core.names import (
    Asked,
    HostName,
    NamespaceName,
    Place,
    PodName,
    PortName,
    ServiceName,
    VersionName,
    canonical,
    dashed,
    is_within,
    read_name,
    reversed_address,
)
from dns.core.records import Authority, Code, Kind, Location, Record
from dns.core.settings import NO_HOSTS
from machinery.model.endpoints import HEADLESS, SERVICE_NAME, ServiceKey, is_ready, protocol_of
from machinery.model.k8s.core_v1 import Namespace, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.store import Change, Store, key_of

BY_SERVICE: Final = "service"  # index of slices: "namespace/name" of the Service
BY_ADDRESS: Final = "address"  # index of slices and Services
SCHEMA_VERSION: Final = "1.1.0"
_SCHEMA_TTL_S: Final = 28_800
_ADDRESS_KINDS: Final = {"IPv4": Kind.A, "IPv6": Kind.AAAA}
_LONGEST_CHAIN: Final = 8  # of names that stand for others
_WEIGHTS: Final = 100  # of all endpoints of a port together


class Answer(NamedTuple):
    """What is known of a name. Without records NOERROR says that it has others, NXDOMAIN that it is not there."""

    code: Code
    records: tuple[Record, ...] = ()
    extra: tuple[Record, ...] = ()
    tags: tuple[str, ...] = ()  # what it depends on


class Elsewhere(NamedTuple):
    """The rest of the answer is not ours: what others say of a name follows the records."""

    name: str
    records: tuple[Record, ...] = ()


Outcome: TypeAlias = Answer | Elsewhere


@dataclass(frozen=True, slots=True)
class View:
    """What the server reads: slices with the indexes `BY_SERVICE` and `BY_ADDRESS`, Services with the second."""

    services: Store[Service]
    slices: Store[EndpointSlice]
    namespaces: Store[Namespace]


class _End(NamedTuple):
    """One address of an endpoint that is ready, with the ports of its slice."""

    kind: Kind
    address: str
    host: str
    ports: tuple[tuple[str, str, int], ...]  # name, protocol in lower case, number


class Zone:
    """The cluster's domain."""

    def __init__(self, view: View, domain: str, *, ttl_s: int) -> None:
        self.domain: Final = domain
        self._view = view
        self._ttl_s = ttl_s
        self._serial = 1
        self._services_domain = f"svc.{domain}"
        self.hosts = NO_HOSTS  # names that a user gives addresses, before all others

    @property
    def authority(self) -> Record:
        """The record that goes with every answer without one."""
        data = Authority(f"ns.dns.{self.domain}", f"hostmaster.{self.domain}", self._serial, self._ttl_s)
        return Record(self.domain, Kind.SOA, data, self._ttl_s)

    def note_change(self) -> None:
        """Count a change of the domain."""
        self._serial = self._serial % 0xFFFFFFFF + 1

    def resolve(self, name: str, kind: int) -> Outcome:
        """Answer a question about any name, in lower case and without the dot at its end."""
        records: list[Record] = []
        tags: list[str] = []
        for _ in range(_LONGEST_CHAIN):
            if name in self.hosts.addresses:
                return Answer(Code.NOERROR, (*records, *self._of_hosts(name, kind)), tags=tuple(tags))
            if not is_within(name, self.domain):
                return self._outside(name, kind, tuple(records))
            answer = self._within(name, kind)
            tags += answer.tags
            records += answer.records
            alias = answer.records[0] if answer.records else None
            if kind == Kind.CNAME or alias is None or alias.kind is not Kind.CNAME:
                return answer._replace(records=tuple(records), tags=tuple(tags))
            name = str(alias.data)
        return Answer(Code.SERVFAIL)

    def _of_hosts(self, name: str, kind: int) -> list[Record]:
        found = (Record(name, _kind_of(each), each, self._ttl_s) for each in self.hosts.addresses[name])
        return [each for each in found if each.kind == kind]

    def _outside(self, name: str, kind: int, records: tuple[Record, ...]) -> Outcome:
        address = "" if records else reversed_address(name)
        names, tags = self._names_of(address) if address else ([], ())
        if not names:
            return Elsewhere(name, records)
        found = tuple(Record(name, Kind.PTR, each, self._ttl_s) for each in names)
        return Answer(Code.NOERROR, found if kind == Kind.PTR else (), tags=tags)

    def _within(self, name: str, kind: int) -> Answer:
        asked = read_name(name, self.domain)
        if asked is None:
            return Answer(Code.NXDOMAIN)
        tags = _tags(asked)
        found = self._find(asked, name, kind)
        if found is None:
            return Answer(Code.NXDOMAIN, tags=tags)
        records = tuple(each for each in found if each.kind == kind or each.kind is Kind.CNAME)
        extra = self._addresses_of(asked, records) if kind == Kind.SRV else ()
        return Answer(Code.NOERROR, records, extra, tags)

    def _find(self, asked: Asked, name: str, kind: int) -> list[Record] | None:
        """Return the records of a name (those of other kinds may be left out), None where it is not there."""
        match asked:
            case Place(below):
                return (
                    []
                    if below
                    else [self.authority, Record(name, Kind.NS, f"ns.dns.{self.domain}", self._ttl_s)]
                )
            case VersionName():
                return [Record(name, Kind.TXT, SCHEMA_VERSION, _SCHEMA_TTL_S)]
            case NamespaceName(namespace):
                return [] if self._has_namespace(namespace) else None
            case PodName(namespace, address):
                address_kind = Kind.A if address.version == 4 else Kind.AAAA
                record = Record(name, address_kind, str(address), self._ttl_s)
                return [record] if self._has_namespace(namespace) else None
            case _:
                service = self._view.services.get(asked.namespace, asked.service)
                return None if service is None else self._of_service(service, asked, name, kind)

    def _of_service(
        self, service: Service, asked: ServiceName | HostName | PortName, name: str, kind: int
    ) -> list[Record] | None:
        if service.spec.type == "ExternalName":
            target = service.spec.externalName.rstrip(".").lower()
            is_name = isinstance(asked, ServiceName) and target and not _is_address(target)
            return [Record(name, Kind.CNAME, target, self._ttl_s)] if is_name else None
        if isinstance(asked, HostName):
            hosts = [end for end in self._ends(service) if end.host == asked.host]
            return self._hosts(name, hosts, kind)
        if service.spec.clusterIP == HEADLESS:
            return self._headless(service, asked, name, kind)
        return self._virtual(service, asked, name)

    def _virtual(self, service: Service, asked: ServiceName | PortName, name: str) -> list[Record] | None:
        ports = [(each.name, protocol_of(each.protocol).lower(), each.port) for each in service.spec.ports]
        wanted = _matching(ports, asked)
        if isinstance(asked, PortName) and not wanted:
            return None
        own = self._name_of(service)
        located = (
            []
            if isinstance(asked, PortName) and not asked.port
            else self._locations(name, [(port, own) for _, _, port in wanted])
        )
        if isinstance(asked, PortName):
            return located
        addresses = [
            Record(name, _kind_of(address), address, self._ttl_s) for address in _cluster_ips(service)
        ]
        return addresses + located

    def _headless(
        self, service: Service, asked: ServiceName | PortName, name: str, kind: int
    ) -> list[Record] | None:
        ends = self._ends(service)
        own = self._name_of(service)
        wanted = [
            (port, f"{end.host}.{own}") for end in ends for _, _, port in _matching(end.ports, asked) if port
        ]
        if isinstance(asked, PortName):
            return (self._locations(name, wanted) if asked.port else []) if wanted else None
        if kind == Kind.SRV and ends:
            return self._locations(name, wanted)
        return self._hosts(name, ends, kind)

    def _hosts(self, name: str, ends: list[_End], kind: int) -> list[Record] | None:
        """Return the addresses of endpoints; a name without any is not there."""
        if not ends:
            return None
        addresses = dict.fromkeys(end.address for end in ends if end.kind == kind)
        return [Record(name, Kind(kind), address, self._ttl_s) for address in addresses]

    def _locations(self, name: str, wanted: Iterable[tuple[int, str]]) -> list[Record]:
        places = list(dict.fromkeys(wanted))
        weight = max(1, _WEIGHTS // len(places)) if places else 0
        return [Record(name, Kind.SRV, Location(weight, port, host), self._ttl_s) for port, host in places]

    def _addresses_of(self, asked: Asked, records: Iterable[Record]) -> tuple[Record, ...]:
        """Return the addresses of what SRV records of one Service name."""
        if not isinstance(asked, ServiceName | PortName):
            return ()
        targets = {each.data.target for each in records if isinstance(each.data, Location)}
        service = self._view.services.get(asked.namespace, asked.service)
        if service is None or not targets:
            return ()
        own = self._name_of(service)
        if own in targets:
            return tuple(Record(own, _kind_of(ip), ip, self._ttl_s) for ip in _cluster_ips(service))
        ends = ((f"{end.host}.{own}", end) for end in self._ends(service))
        found = (Record(host, end.kind, end.address, self._ttl_s) for host, end in ends if host in targets)
        return tuple(dict.fromkeys(found))

    def _names_of(self, address: str) -> tuple[list[str], tuple[str, ...]]:
        """Return the names of an address, those of hosts, of the Service that has it, else of the endpoints; and what that depends on."""
        if given := self.hosts.names.get(address):
            return list(given), ()
        services = self._view.services.by_index(BY_ADDRESS, address)
        if services:
            return [self._name_of(min(services, key=key_of))], (address,)
        slices = self._view.slices.by_index(BY_ADDRESS, address)
        owners = sorted({(each.metadata.namespace, service_in(each)) for each in slices})
        names = [name for owner in owners for name in self._hosts_at(owner, address)]
        return names, (address, *map("/".join, owners))

    def _hosts_at(self, owner: ServiceKey, address: str) -> list[str]:
        service = self._view.services.get(*owner)
        if service is None or service.spec.type == "ExternalName":
            return []
        hosts = {end.host for end in self._ends(service) if canonical(end.address) == address}
        return [f"{host}.{self._name_of(service)}" for host in sorted(hosts)]

    def _ends(self, service: Service) -> list[_End]:
        slices = self._view.slices.by_index(BY_SERVICE, "/".join(key_of(service)))
        return [end for each in sorted(slices, key=key_of) for end in _ready_ends(each)]

    def _has_namespace(self, name: str) -> bool:
        return self._view.namespaces.get("", name) is not None

    def _name_of(self, service: Service) -> str:
        return f"{service.metadata.name}.{service.metadata.namespace}.{self._services_domain}"


def services_of(slice_: EndpointSlice) -> tuple[str, ...]:
    """Return the one key of the index `BY_SERVICE`, if any."""
    name = service_in(slice_)
    return (f"{slice_.metadata.namespace}/{name}",) if name else ()


def addresses_of_slice(slice_: EndpointSlice) -> tuple[str, ...]:
    """Return the keys of a slice in the index `BY_ADDRESS`: addresses of endpoints that are ready."""
    return tuple({canonical(end.address) for end in _ready_ends(slice_)}) if service_in(slice_) else ()


def addresses_of_service(service: Service) -> tuple[str, ...]:
    """Return the keys of a Service in the index `BY_ADDRESS`."""
    return tuple(map(canonical, _cluster_ips(service)))


def service_in(slice_: EndpointSlice) -> str:
    """Return the name of the Service that a slice is of, "" where it is of none."""
    return slice_.metadata.labels.get(SERVICE_NAME, "")


def tags_of_service(change: Change[Service]) -> set[str]:
    """Return the tags of answers that a change of a Service concerns."""
    states = [each for each in (change.old, change.new) if each is not None]
    return {"/".join(key_of(change.object)), *(ip for each in states for ip in addresses_of_service(each))}


def tags_of_slice(change: Change[EndpointSlice]) -> set[str]:
    """Return the tags of answers that a change of a slice concerns."""
    states = [each for each in (change.old, change.new) if each is not None]
    owners = {key for each in states for key in services_of(each)}
    ends = [frozenset(_ready_ends(each)) for each in states]
    differing = ends[0] ^ ends[1] if len(ends) == 2 and len(owners) == 1 else frozenset().union(*ends)
    return owners | {canonical(end.address) for end in differing}


def _tags(asked: Asked) -> tuple[str, ...]:
    match asked:
        case ServiceName() | HostName() | PortName():
            return (f"{asked.namespace}/{asked.service}",)
        case NamespaceName() | PodName():
            return (f"{asked.namespace}/",)
        case _:
            return ()


def _ready_ends(slice_: EndpointSlice) -> Iterator[_End]:
    kind = _ADDRESS_KINDS.get(slice_.addressType)
    if kind is None:
        return
    ports = tuple((each.name, protocol_of(each.protocol).lower(), each.port or 0) for each in slice_.ports)
    for endpoint in slice_.endpoints:
        if is_ready(endpoint):
            for address in endpoint.addresses[:1]:  # more than one mean the same endpoint
                yield _End(kind, address, endpoint.hostname or dashed(address), ports)


def _matching(
    ports: Iterable[tuple[str, str, int]], asked: ServiceName | PortName
) -> list[tuple[str, str, int]]:
    if isinstance(asked, ServiceName):
        return list(ports)
    return [
        (name, protocol, port)
        for name, protocol, port in ports
        if protocol == asked.protocol and name and asked.port in {"", name}
    ]


def _cluster_ips(service: Service) -> list[str]:
    spec = service.spec
    found = spec.clusterIPs or [spec.clusterIP]
    return [] if spec.type == "ExternalName" else [ip for ip in found if ip and ip != HEADLESS]


def _kind_of(address: str) -> Kind:
    return Kind.AAAA if ":" in address else Kind.A


def _is_address(text: str) -> bool:
    return ":" in text or text.replace(".", "").isdecimal()

"""Whatever comes, in whatever order: what is answered is what a slow reference says of the objects as they are."""

from __future__ import annotations

import random

import pytest

from dns.answering import Answering
from dns.core.messages import Said
from dns.core.records import Code, Kind, Location
from dns.core.zone import Answer
from dns.forwarder import Forwarder
from machinery.model.k8s.core_v1 import Namespace, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.store import key_of
from tests.support.builders import meta
from tests.support.dns import Fed, endpoint, endpoint_slice, question, reference, reverse, service
from tests.support.examples import first_seeds

NAMES = ("a", "b")
SPACES = ("x", "y")
ADDRESSES = ("10.0.0.1", "10.0.0.2", "fd00:0000:0000:0000:0000:0000:0000:0003")
PORTS = (("http", "TCP", 80), ("http", "UDP", 80), ("", "TCP", 81), ("web", "TCP", 82))
KINDS = (Kind.A, Kind.AAAA, Kind.SRV, Kind.PTR, Kind.CNAME)

Delta = tuple[bool, Service | EndpointSlice | Namespace]


def _delta(draw: random.Random) -> Delta:
    """Return something to put, or to remove."""
    name, space = draw.choice(NAMES), draw.choice(SPACES)
    ports = draw.sample(PORTS, draw.randint(0, 3))
    match draw.choice(("service", "service", "slice", "slice", "namespace")):
        case "service":
            alias = draw.choice(("", "", "", "example.com"))
            ips = draw.sample(ADDRESSES, draw.randint(0, 2))
            made: Service | EndpointSlice | Namespace = service(
                name, space, ips=ips, ports=ports, external_name=alias
            )
        case "slice":
            states = (True, True, None, False)
            ends = [
                endpoint(draw.choice(ADDRESSES), draw.choice(("", "h")), ready=draw.choice(states))
                for _ in range(draw.randint(0, 3))
            ]
            made = endpoint_slice(*ends, of=name, namespace=space, name=draw.choice("st"), ports=ports)
        case _:
            made = Namespace(metadata=meta(space))
    return draw.random() < 0.7, made


def _of_one_family(slice_: EndpointSlice) -> list[EndpointSlice]:
    """Return a slice of mixed addresses as the two that it stands for."""
    split = {
        family: [end for end in slice_.endpoints if (":" in end.addresses[0]) == (family == "IPv6")]
        for family in ("IPv4", "IPv6")
    }
    found = [(each.name, each.protocol, each.port or 0) for each in slice_.ports]
    return [
        endpoint_slice(
            *ends,
            of=slice_.metadata.labels["kubernetes.io/service-name"],
            namespace=slice_.metadata.namespace,
            name=f"{slice_.metadata.name}-{family.lower()}",
            ports=found,
            family=family,
        )
        for family, ends in split.items()
    ]


def _questions() -> list[str]:
    hosts = [f"{name}.{space}.svc.cluster.local" for name in NAMES for space in SPACES]
    below = ("h.", "10-0-0-1.", "_http._tcp.", "_http._udp.", "_tcp.", "_web._tcp.", "no.", "_no._tcp.")
    return [
        *hosts,
        *(prefix + host for host in hosts for prefix in below),
        *(f"{space}.{kind}.cluster.local" for space in SPACES for kind in ("svc", "pod")),
        *(reverse(address) for address in ADDRESSES),
        "svc.cluster.local",
        "no.svc.cluster.local",
    ]


QUESTIONS = _questions()


class Nobody(Forwarder):
    """Knows nothing of other names."""

    def __init__(self) -> None:
        pass

    def known(self, name: str, kind: int) -> Said | None:
        """Return nothing."""


def _said(answer: object) -> tuple[str, set[str]]:
    if not isinstance(answer, Answer):
        return "elsewhere", set()
    values = {
        f"{each.data.port} {each.data.target}" if isinstance(each.data, Location) else str(each.data)
        for each in answer.records
    }
    return answer.code.name, values


@pytest.mark.parametrize("seed", first_seeds(100, quick=8))
def test_the_index_says_what_a_slow_reference_says(seed: int):
    """Of every name and type, after every few changes; and bytes that were kept are those that would be written now."""
    draw = random.Random(seed)
    changes = [_delta(draw) for _ in range(draw.randint(1, 14))]
    fed = Fed()
    hot = Answering(fed.zone, fed.hot, Nobody())
    world: dict[tuple[type, tuple[str, str]], Service | EndpointSlice | Namespace] = {}
    for is_put, change in changes:
        for each in _of_one_family(change) if isinstance(change, EndpointSlice) else [change]:
            known = world.pop((type(each), key_of(each)), None)
            if is_put:
                world[type(each), key_of(each)] = each
                fed.put(each)
            elif known is not None:
                fed.drop(known)
        for name in QUESTIONS[::7]:
            hot.over_udp(question(name))
    found = list(world.values())
    expected = reference(
        [each for each in found if isinstance(each, Service)],
        [each for each in found if isinstance(each, EndpointSlice)],
        [each for each in found if isinstance(each, Namespace)],
    )
    for name in QUESTIONS:
        for kind in KINDS:
            _compare(fed, expected, name, kind)
    cold = Answering(fed.zone, Fed().hot, Nobody())
    for name in QUESTIONS:
        kept, fresh = hot.over_udp(question(name)), cold.over_udp(question(name))
        assert kept == fresh or not isinstance(fresh, bytes), name


def _compare(fed: Fed, expected: dict[str, dict[str, set[str]]], name: str, kind: Kind) -> None:
    records = expected.get(name)
    outcome = _said(fed.zone.resolve(name, kind))
    if records is None:
        is_ours = name.endswith("cluster.local")
        assert outcome == (Code.NXDOMAIN.name if is_ours else "elsewhere", set()), (name, kind)
    elif "CNAME" in records and kind is not Kind.CNAME:
        assert outcome == ("elsewhere", set()), (name, kind)
    else:
        assert outcome == (Code.NOERROR.name, records.get(kind.name, set())), (name, kind)

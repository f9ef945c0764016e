"""What the cluster's domain answers."""

from __future__ import annotations

import pytest

from dns.core.records import Authority, Code, Kind, Location
from dns.core.zone import Answer, Elsewhere
from machinery.model.k8s.core_v1 import Namespace
from tests.support.builders import meta
from tests.support.dns import Fed, endpoint, endpoint_slice, service

SVC = "svc.cluster.local"


@pytest.fixture(scope="module")
def fed() -> Fed:
    """A cluster with a Service of each kind."""
    return Fed().put(
        Namespace(metadata=meta("default")),
        Namespace(metadata=meta("empty")),
        service("web", ips=["10.96.0.7"], ports=[("http", "TCP", 80), ("dns", "UDP", 53), ("", "TCP", 81)]),
        endpoint_slice(endpoint("10.244.0.7"), endpoint("10.244.0.8", ready=False), of="web"),
        service("dual", ips=["10.96.0.8", "fd00::8"]),
        service("db"),
        endpoint_slice(
            endpoint("10.244.1.1", "db-0"),
            endpoint("10.244.1.2", "db-1", ready=None),
            endpoint("10.244.1.3", "db-2", ready=False),
            endpoint("10.244.1.4"),
            of="db",
        ),
        endpoint_slice(
            endpoint("fd00:0000:0000:0000:0000:0000:0000:0001", "db-0"), of="db", name="db-6", family="IPv6"
        ),
        service("unready"),
        endpoint_slice(endpoint("10.244.2.1", ready=False), of="unready"),
        service("portless", ports=()),
        endpoint_slice(endpoint("10.244.3.1"), of="portless", ports=()),
        service("out", external_name="www.Example.com."),
        service("inner", external_name=f"web.default.{SVC}"),
        service("loop", external_name=f"loop.default.{SVC}"),
        service("number", external_name="1.2.3.4"),
    )


def told(outcome: Answer | Elsewhere) -> str:
    """Write an outcome in a line."""
    if isinstance(outcome, Elsewhere):
        return " ".join(["elsewhere", outcome.name, *(str(each.data) for each in outcome.records)])
    values = [
        f"{each.data.weight}:{each.data.port}:{each.data.target}"
        if isinstance(each.data, Location)
        else str(each.data)
        for each in outcome.records
    ]
    return " ".join([outcome.code.name, *values])


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (f"web.default.{SVC}", Kind.A, "NOERROR 10.96.0.7"),
        (f"web.default.{SVC}", Kind.AAAA, "NOERROR"),
        (f"web.default.{SVC}", 255, "NOERROR"),
        (
            f"web.default.{SVC}",
            Kind.SRV,
            f"NOERROR 33:80:web.default.{SVC} 33:53:web.default.{SVC} 33:81:web.default.{SVC}",
        ),
        (f"_http._tcp.web.default.{SVC}", Kind.SRV, f"NOERROR 100:80:web.default.{SVC}"),
        (f"_http._tcp.web.default.{SVC}", Kind.A, "NOERROR"),
        (f"_dns._udp.web.default.{SVC}", Kind.SRV, f"NOERROR 100:53:web.default.{SVC}"),
        (f"_http._udp.web.default.{SVC}", Kind.SRV, "NXDOMAIN"),
        (f"_tcp.web.default.{SVC}", Kind.SRV, "NOERROR"),
        (f"_sctp.web.default.{SVC}", Kind.SRV, "NXDOMAIN"),
        (f"_._tcp.web.default.{SVC}", Kind.SRV, "NXDOMAIN"),
        (f"10-244-0-7.web.default.{SVC}", Kind.A, "NOERROR 10.244.0.7"),
        (f"10-244-0-8.web.default.{SVC}", Kind.A, "NXDOMAIN"),
        (f"dual.default.{SVC}", Kind.AAAA, "NOERROR fd00::8"),
        (f"db.default.{SVC}", Kind.A, "NOERROR 10.244.1.1 10.244.1.2 10.244.1.4"),
        (f"db.default.{SVC}", Kind.AAAA, "NOERROR fd00:0000:0000:0000:0000:0000:0000:0001"),
        (f"db-0.db.default.{SVC}", Kind.A, "NOERROR 10.244.1.1"),
        (f"db-1.db.default.{SVC}", Kind.AAAA, "NOERROR"),
        (f"db-2.db.default.{SVC}", Kind.A, "NXDOMAIN"),
        (f"10-244-1-4.db.default.{SVC}", Kind.A, "NOERROR 10.244.1.4"),
        (
            f"_http._tcp.db.default.{SVC}",
            Kind.SRV,
            f"NOERROR 33:8080:db-0.db.default.{SVC} 33:8080:db-1.db.default.{SVC} 33:8080:10-244-1-4.db.default.{SVC}",
        ),
        (f"_other._tcp.db.default.{SVC}", Kind.SRV, "NXDOMAIN"),
        (f"x.db-0.db.default.{SVC}", Kind.A, "NXDOMAIN"),
        (f"unready.default.{SVC}", Kind.A, "NXDOMAIN"),
        (f"portless.default.{SVC}", Kind.A, "NOERROR 10.244.3.1"),
        (f"nobody.default.{SVC}", Kind.A, "NXDOMAIN"),
        (f"default.{SVC}", Kind.A, "NOERROR"),
        (f"empty.{SVC}", Kind.A, "NOERROR"),
        (f"nowhere.{SVC}", Kind.A, "NXDOMAIN"),
        (f"*.default.{SVC}", Kind.A, "NXDOMAIN"),
        (SVC, Kind.A, "NOERROR"),
        ("pod.cluster.local", Kind.A, "NOERROR"),
        ("cluster.local", Kind.NS, "NOERROR ns.dns.cluster.local"),
        ("other.cluster.local", Kind.A, "NXDOMAIN"),
        ("10-244-9-9.default.pod.cluster.local", Kind.A, "NOERROR 10.244.9.9"),
        ("10-244-9-9.default.pod.cluster.local", Kind.AAAA, "NOERROR"),
        ("fd00--9.default.pod.cluster.local", Kind.AAAA, "NOERROR fd00::9"),
        ("10-244-9-9.nowhere.pod.cluster.local", Kind.A, "NXDOMAIN"),
        ("10-244-9-999.default.pod.cluster.local", Kind.A, "NXDOMAIN"),
        ("web.default.pod.cluster.local", Kind.A, "NXDOMAIN"),
        ("dns-version.cluster.local", Kind.TXT, "NOERROR 1.1.0"),
        (f"out.default.{SVC}", Kind.CNAME, "NOERROR www.example.com"),
        (f"out.default.{SVC}", Kind.A, "elsewhere www.example.com www.example.com"),
        (f"x.out.default.{SVC}", Kind.A, "NXDOMAIN"),
        (f"inner.default.{SVC}", Kind.A, f"NOERROR web.default.{SVC} 10.96.0.7"),
        (f"loop.default.{SVC}", Kind.A, "SERVFAIL"),
        (f"number.default.{SVC}", Kind.A, "NXDOMAIN"),
        ("7.0.96.10.in-addr.arpa", Kind.PTR, f"NOERROR web.default.{SVC}"),
        ("7.0.96.10.in-addr.arpa", Kind.A, "NOERROR"),
        ("1.1.244.10.in-addr.arpa", Kind.PTR, f"NOERROR db-0.db.default.{SVC}"),
        ("3.1.244.10.in-addr.arpa", Kind.PTR, "elsewhere 3.1.244.10.in-addr.arpa"),
        ("244.10.in-addr.arpa", Kind.PTR, "elsewhere 244.10.in-addr.arpa"),
        (
            "8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
            Kind.PTR,
            f"NOERROR dual.default.{SVC}",
        ),
        ("example.com", Kind.A, "elsewhere example.com"),
        ("notcluster.local", Kind.A, "elsewhere notcluster.local"),
        ("", Kind.NS, "elsewhere "),
    ],
)
def test_what_is_answered(fed: Fed, name: str, kind: int, expected: str):
    """By the specification; NXDOMAIN only for a name that is not there."""
    assert told(fed.zone.resolve(name, kind)) == expected


def test_ports_bring_the_addresses_of_their_hosts(fed: Fed):
    """So that a client need not ask again."""
    answer = fed.zone.resolve(f"_http._tcp.db.default.{SVC}", Kind.SRV)
    assert isinstance(answer, Answer)
    assert [(each.name, each.data) for each in answer.extra] == [
        (f"db-0.db.default.{SVC}", "10.244.1.1"),
        (f"db-1.db.default.{SVC}", "10.244.1.2"),
        (f"10-244-1-4.db.default.{SVC}", "10.244.1.4"),
        (f"db-0.db.default.{SVC}", "fd00:0000:0000:0000:0000:0000:0000:0001"),
    ]


def test_how_long_a_name_may_be_missed_is_said():
    """In the SOA record, whose number changes with the domain."""
    fed = Fed()
    before = fed.zone.authority
    fed.zone.note_change()
    data = fed.zone.authority.data
    assert isinstance(data, Authority)
    assert isinstance(before.data, Authority)
    assert (data.negative_ttl_s, data.serial) == (30, before.data.serial + 1)
    assert fed.zone.resolve("cluster.local", Kind.SOA).records[0].kind is Kind.SOA
    assert told(fed.zone.resolve("cluster.local", Kind.A)) == Code.NOERROR.name

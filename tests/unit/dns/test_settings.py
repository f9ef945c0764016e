"""What a user changes while the server runs."""

from __future__ import annotations

import pytest

from dns.core.records import Code
from dns.core.settings import NO_HOSTS, Hosts, Settings, read_settings
from dns.core.upstream import Server, Upstream
from dns.core.zone import Answer, Elsewhere
from tests.support.dns import Fed, service

FLAGS = Upstream((Server("10.0.0.1"),), {"flag.example": (Server("10.0.0.2"),)})
HOSTS = """
# machines
192.0.2.7  Printer.example. printer
192.0.2.8  printer.example   # the new one
2001:db8::0:7  printer.example
10.0.0.9  web.default.svc.cluster.local
"""


def test_each_key_stands_in_the_place_of_its_flag() -> None:
    """What the ConfigMap does not have is as the flags say."""
    assert read_settings({}) == Settings()
    assert read_settings({}).over(FLAGS) == FLAGS
    data = {
        "upstreamNameservers": '["9.9.9.9", "[2620:fe::fe]:5353"]',
        "stubDomains": '{"Corp.example.": ["10.0.0.53:5353"]}',
    }
    read = read_settings(data).over(FLAGS)
    assert read.servers == (Server("9.9.9.9"), Server("2620:fe::fe", 5353))
    assert read.stubs == {"corp.example": (Server("10.0.0.53", 5353),)}
    assert read_settings({"stubDomains": "{}"}).over(FLAGS) == Upstream(FLAGS.servers, {})
    assert read_settings({"hosts": " \n"}).hosts == NO_HOSTS


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("Corefile", ".:53 {}", "there is no such key"),
        ("upstreamNameservers", "9.9.9.9", "upstreamNameservers: "),
        ("upstreamNameservers", '["dns.example"]', "does not appear to be an IPv4 or IPv6 address"),
        ("upstreamNameservers", '["9.9.9.9:0"]', "no port from 1 to 65535"),
        ("stubDomains", '{"corp.example": []}', "at least one server"),
        ("stubDomains", '{".": ["9.9.9.9"]}', "needs a name"),
        ("stubDomains", '["9.9.9.9"]', "stubDomains: "),
        ("hosts", "192.0.2.7", "line 1: 192.0.2.7 has no name"),
        ("hosts", "# x\nprinter 192.0.2.7", "line 2: 'printer' does not appear"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_key(key: str, text: str, said: str) -> None:
    """As a whole: what was there before goes on."""
    with pytest.raises(ValueError, match=said) as refused:
        read_settings({key: text})
    assert str(refused.value).startswith(f"{key}: ")


def test_hosts_are_read_as_the_file_of_that_name() -> None:
    """Several addresses of a name, several names of an address; without case, comments and the dot at the end."""
    hosts = read_settings({"hosts": HOSTS}).hosts
    assert hosts.addresses["printer.example"] == ("192.0.2.7", "192.0.2.8", "2001:db8::7")
    assert hosts.names["192.0.2.7"] == ("printer.example", "printer")


def test_hosts_come_before_all_other_names() -> None:
    """Before the cluster's own and those of others; of kinds that they do not have there is nothing; they have names, too."""
    zone = Fed().put(service("web", ips=["10.96.0.7"])).zone
    zone.hosts = read_settings({"hosts": HOSTS}).hosts

    def values(name: str, kind: int) -> list[object]:
        answer = zone.resolve(name, kind)
        assert isinstance(answer, Answer)
        assert answer.code is Code.NOERROR
        return [each.data for each in answer.records]

    assert values("printer.example", 1) == ["192.0.2.7", "192.0.2.8"]
    assert values("printer.example", 28) == ["2001:db8::7"]
    assert values("printer.example", 15) == []
    assert values("web.default.svc.cluster.local", 1) == ["10.0.0.9"]
    assert values("7.2.0.192.in-addr.arpa", 12) == ["printer.example", "printer"]
    assert zone.resolve("other.example", 1) == Elsewhere("other.example")
    zone.hosts = Hosts({}, {})
    assert values("web.default.svc.cluster.local", 1) == ["10.96.0.7"]

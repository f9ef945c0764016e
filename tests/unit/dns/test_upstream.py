"""Whom to ask about other names, and what they said."""

from __future__ import annotations

import pytest
from dnslib import RR, A

from dns.config import DnsConfig
from dns.core.messages import Said
from dns.core.upstream import Remembered, Server, Upstream, by_health, read_nameservers, read_server
from machinery.process.config import ConfigError

ONE, TWO, THREE = Server("10.0.0.1"), Server("10.0.0.2"), Server("10.0.0.3")


@pytest.mark.parametrize(
    ("name", "servers"),
    [
        ("example.com", (ONE,)),
        ("corp.example", (TWO,)),
        ("x.corp.example", (TWO,)),
        ("notcorp.example", (ONE,)),
        ("a.lab.corp.example", (THREE,)),
        ("", (ONE,)),
    ],
)
def test_who_is_asked(name: str, servers: tuple[Server, ...]):
    """The servers of the longest domain that a name is in."""
    upstream = Upstream((ONE,), {"corp.example": (TWO,), "lab.corp.example": (THREE,)})
    assert upstream.of(name) == servers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.3.4", ("1.2.3.4", 53)),
        ("1.2.3.4:5353", ("1.2.3.4", 5353)),
        ("fd00::1", ("fd00::1", 53)),
        ("[fd00::1]:54", ("fd00::1", 54)),
        ("1.2.3.4:0", None),
        ("1.2.3.4:x", None),
        ("1.2.3.4:70000", None),
    ],
)
def test_servers_are_read(text: str, expected: tuple[str, int] | None):
    """With a port or without."""
    if expected is None:
        with pytest.raises(ValueError, match="port"):
            read_server(text)
    else:
        assert read_server(text) == expected


def test_a_resolv_conf_names_others_only():
    """We would ask ourselves for ever."""
    text = "nameserver 10.0.0.1 # one\nsearch x\nnameserver\nnameserver 10.96.0.10\nnameserver 10.0.0.2\n"
    assert read_nameservers(text, {"10.96.0.10"}) == (ONE, TWO)


def test_the_silent_are_asked_last():
    """For as long as they are known to be silent."""
    servers = (ONE, TWO, THREE)
    assert by_health(servers, {ONE: 5.0, THREE: 2.0}, 3.0) == (TWO, THREE, ONE)


def _said(ttl_s: int) -> Said:
    return Said(0, (RR("x", 1, ttl=ttl_s, rdata=A("1.2.3.4")),), (), is_truncated=False)


def test_what_was_said_is_remembered_for_as_long_as_it_holds():
    """At most so long, and at most so many; the oldest makes room."""
    memory = Remembered(2, longest_s=30)
    memory.put("a", 1, _said(5), 100)
    memory.put("b", 1, _said(500), 100)
    memory.put("none", 1, _said(0), 100)
    assert (found := memory.get("a", 1, 104.5)) is not None
    assert found.records[0].ttl == 1
    assert memory.get("a", 1, 105) is None
    assert memory.get("b", 28, 105) is None
    assert memory.get("b", 1, 131) is None
    for name in "cde":
        memory.put(name, 1, _said(5), 200)
    assert [memory.get(name, 1, 200) is None for name in "cde"] == [True, False, False]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("listen", ("localhost:53",)),
        ("listen", ()),
        ("upstream", ("1.2.3.4:x",)),
        ("stub_domains", ("corp.example",)),
        ("stub_domains", ("=1.2.3.4",)),
        ("announce_address", "here"),
        ("cluster_dns", "10.96.0"),
        ("ttl_s", 0),
        ("resolv_conf", "/nowhere/resolv.conf"),
    ],
)
def test_a_flag_that_does_not_fit_is_named(field: str, value: object):
    """Before the first socket opens."""
    with pytest.raises(ConfigError) as caught:
        DnsConfig(server="here:1", **{field: value}).validate()
    assert caught.value.field == field


def test_several_servers_of_a_domain_are_several_items():
    """In their order."""
    config = DnsConfig(server="here:1", stub_domains=("Corp.example.=1.2.3.4", "corp.example=1.2.3.5:54"))
    config.validate()
    assert config.stubs == {"corp.example": (Server("1.2.3.4"), Server("1.2.3.5", 54))}

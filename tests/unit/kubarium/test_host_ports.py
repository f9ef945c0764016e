"""What the rules of the plugin portmap do to packets, read as iptables lists them."""

from __future__ import annotations

import pytest

from kubarium.core.net.filtering import End, Packet, passages
from kubarium.core.net.host_ports import read_host_ports

NODE, POD = frozenset({"10.77.0.12"}), "10.244.1.6"
LISTING = """\
-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-N CNI-DN-1
-N CNI-HOSTPORT-DNAT
-N CNI-HOSTPORT-MASQ
-N CNI-HOSTPORT-SETMARK
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A CNI-DN-1 -s 10.244.1.0/24 -p tcp -m tcp --dport 18080 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-1 -s 127.0.0.1/32 -p tcp -m tcp --dport 18080 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-1 -p tcp -m tcp --dport 18080 -j DNAT --to-destination 10.244.1.6:8080
-A CNI-DN-1 -d 10.77.0.12/32 -p udp -m udp --dport 18053 -j DNAT --to-destination 10.244.1.6:53
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"kubarium\\" id: \\"9c6d\\"" -m multiport --dports 18080,18081 -j CNI-DN-1
-A CNI-HOSTPORT-DNAT -p udp -m multiport --dports 18053 -j CNI-DN-1
-A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark 0x2000/0x2000
"""
TABLE = read_host_ports(LISTING)


def passed(packet: Packet, hook: str = "prerouting") -> Packet:
    """Return a packet behind a hook."""
    [found] = passages(TABLE, hook, packet, NODE)
    assert found.end is End.PASSED, found.matches
    return found.packet


@pytest.mark.parametrize(
    ("protocol", "port", "goes_to"),
    [("tcp", 18080, (POD, 8080)), ("udp", 18053, (POD, 53)), ("tcp", 18081, ("10.77.0.12", 18081)), ("udp", 18080, ("10.77.0.12", 18080))],
)  # fmt: skip
def test_a_port_of_the_node_leads_to_the_pod(protocol: str, port: int, goes_to: tuple[str, int]) -> None:
    """By its own protocol, for packets from others and for the node's own; other ports are left alone."""
    for hook in ("prerouting", "output"):
        found = passed(Packet("192.0.2.7", "10.77.0.12", protocol, port), hook)
        assert (found.destination, found.port) == goes_to


def test_only_what_is_for_the_node_itself_is_led_on() -> None:
    """A packet that passes through to somebody else's port of that number is not."""
    assert passed(Packet("192.0.2.7", "10.244.1.9", "tcp", 18080)).destination == "10.244.1.9"


def test_a_pod_of_the_node_is_masqueraded() -> None:
    """It may be the one that it reaches; a stranger keeps its address."""
    near = passed(Packet("10.244.1.9", "10.77.0.12", "tcp", 18080))
    assert passed(near, "postrouting").is_masqueraded
    stranger = passed(Packet("192.0.2.7", "10.77.0.12", "tcp", 18080))
    assert not passed(stranger, "postrouting").is_masqueraded


def test_rules_are_shown_without_their_comments() -> None:
    """Those are longer than the rules."""
    [found] = passages(TABLE, "prerouting", Packet("192.0.2.7", "10.77.0.12", "tcp", 18080), NODE)
    assert [match.text for match in found.matches] == [
        "-m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
        "-p tcp -m multiport --dports 18080,18081 -j CNI-DN-1",
        "-p tcp -m tcp --dport 18080 -j DNAT --to-destination 10.244.1.6:8080",
    ]


@pytest.mark.parametrize("rule", ["-m recent --name x -j CNI-DN-1", "-p tcp -m multiport --dports 1:9 -j CNI-DN-1", "-j NFLOG --nflog-group 1"])  # fmt: skip
def test_what_is_not_known_is_said_to_be_unclear(rule: str) -> None:
    """Nothing is guessed of somebody else's rules."""
    table = read_host_ports(f"-P PREROUTING ACCEPT\n-N CNI-DN-1\n-A PREROUTING {rule}\n")
    [found] = passages(table, "prerouting", Packet("192.0.2.7", "10.77.0.12", "tcp", 5), NODE)
    assert found.end is End.UNCLEAR


def test_ipv6_has_its_own_addresses() -> None:
    """In brackets before the port."""
    table = read_host_ports("-A PREROUTING ! -s fd00::/64 -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00::7]:8080\n")  # fmt: skip
    [found] = passages(table, "prerouting", Packet("fd01::1", "fd00::2", "tcp", 80), frozenset())
    assert (found.packet.destination, found.packet.port) == ("fd00::7", 8080)
    [found] = passages(table, "prerouting", Packet("fd00::1", "fd00::2", "tcp", 80), frozenset())
    assert found.packet.destination == "fd00::2"

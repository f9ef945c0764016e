"""When pods' networks are checked, and which link of which pod the kernel tells of."""

from __future__ import annotations

import struct

import pytest

from dockershim.core.network_checks import LEAST_REST_S, lost_links, owners, rest_s

NEW, DELETED, ADDRESS = 16, 17, 20
CARRIER = 0x10000 | 0x40 | 0x1
NAME, MTU = 3, 4


def message(kind: int, name: str, flags: int = CARRIER) -> bytes:
    """Return a message of the kernel about a link."""
    attributes = struct.pack("=HHI", 8, MTU, 1500) + padded(
        struct.pack("=HH", 5 + len(name), NAME) + name.encode() + b"\0"
    )
    body = struct.pack("=BxHiII", 0, 1, 7, flags, 0) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def padded(data: bytes) -> bytes:
    """Return data up to the next four bytes."""
    return data + bytes(-len(data) % 4)


def test_links_that_went_and_those_without_a_carrier_are_told():
    """Several messages come at once; one about a link that is well is no news, nor is one about something else."""
    messages = (
        message(DELETED, "veth1")
        + message(NEW, "veth22", CARRIER & ~0x10000)
        + message(NEW, "veth333")
        + message(ADDRESS, "veth4444", 0)
        + message(DELETED, "veth55555", 0)
    )
    assert list(lost_links(messages)) == ["veth1", "veth22", "veth55555"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_what_is_cut_off_is_read_as_far_as_it_goes(cut: int):
    """Nothing is raised, and no name is made up."""
    whole = message(DELETED, "veth1")
    assert list(lost_links(whole + whole[:-cut]))[:1] == ["veth1"]
    assert list(lost_links(bytes(cut))) == []


def test_a_link_belongs_to_the_sandbox_whose_plugins_made_it_on_the_node():
    """The name of a pod's own interface is the same in all of them."""
    results = {
        mine: {
            "interfaces": [{"name": "cni0"}, {"name": mine}, {"name": "eth0", "sandbox": "/proc/7/ns/net"}]
        }
        for mine in ("veth1", "veth2")
    }
    assert owners(["veth2", "veth3"], results | {"no-answer": {}}) == ["veth2"]
    assert owners(["eth0"], results) == []


def test_a_round_takes_as_long_as_it_is_to_unless_there_are_too_many():
    """Then the rest between two is the shortest one."""
    assert rest_s(0, 60) == rest_s(1, 60) == 60
    assert rest_s(4, 60) == 15
    assert rest_s(100, 60) == LEAST_REST_S

"""The connectivity check's servers and probes, over real cables: what they say of a connection is what became of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kubarium.core.net.check_ground import PORT
from kubarium.core.net.matrix import NO_PORT, REFUSED, SILENCE, Probe
from kubarium.net.probing import Place, serving, try_all
from kubarium.net.spaces import Spaces
from tests.support import netns
from tests.support.netns import NODE_IPS, POD_IPS
from tests.support.requirements import need

SERVER = POD_IPS["pod-1b"]


@pytest.fixture(scope="module")
def lab() -> Iterator[netns.Lab]:
    """Two nodes with two pods each."""
    need("netns")
    with netns.lab() as made:
        yield made


def probe(protocol: str, address: str = SERVER, port: int = PORT, **fields: object) -> Probe:
    """Return what a pod tries of a server on its node."""
    return Probe("pod address", "pod-1a", "server-a", protocol, address, port, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
async def test_probes_say_what_came_back(lab: netns.Lab, protocol: str) -> None:
    """An answer with the asker's address, a refusal, or nothing; from the own host and over a bridge."""
    drop = f"add table ip t; add chain ip t c {{ type filter hook output priority 0; }}; add rule ip t c ip daddr {SERVER} drop"
    lab.run("pod-2a", "nft", drop)
    lab.run("pod-2b", "nft", drop.replace("drop", "reject"))
    places = {name: Place(f"/run/netns/{lab.space(name)}") for name in POD_IPS}
    answered = {"answers": frozenset({"server-a"}), "seen_as": POD_IPS["pod-1a"]}
    tried = [
        probe(protocol, **answered),
        probe(protocol, **{**answered, "seen_as": NODE_IPS["node-1"]}),
        probe(protocol, port=NO_PORT, end=REFUSED),
        probe(protocol, port=NO_PORT, **answered),
        Probe("", "pod-2a", "", protocol, SERVER, PORT, end=SILENCE),
        Probe("", "pod-2b", "", "udp", SERVER, PORT, end=REFUSED),
        probe(protocol, "10.244.1.99", end=SILENCE),
    ]
    with Spaces() as spaces:
        async with serving(spaces, {"server-a": places["pod-1b"]}, [socket.AF_INET]):
            results = await try_all(spaces, places, tried)
    assert [result.passed for result in results] == [True, False, True, False, True, True, True], results
    lab.run("pod-2a", "nft", "delete table ip t")
    lab.run("pod-2b", "nft", "delete table ip t")


async def test_a_namespace_that_is_not_there(lab: netns.Lab) -> None:
    """It fails the probe, and says why."""
    del lab
    with Spaces() as spaces:
        [result] = await try_all(spaces, {"pod-1a": Place("/run/netns/kubarium-absent")}, [probe("tcp")])
    assert not result.passed

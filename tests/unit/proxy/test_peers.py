"""The peers of a machine's tunnel."""

from __future__ import annotations

from machinery.model.k8s.core_v1 import Node
from machinery.model.machines import MACHINE_ADDRESS
from proxy.core.peers import diff_peers, wanted_peers
from tests.support.builders import meta


def node(name: str, *addresses: str) -> Node:
    """Build a node on the machine of that address."""
    return Node(
        metadata=meta(name, labels=dict.fromkeys((MACHINE_ADDRESS,) if addresses else (), *addresses))
    )


def test_the_peers_are_the_other_machines_that_have_nodes() -> None:
    """Once each, and those that are peers always; what is no address of a machine is nobody's."""
    nodes = [
        node("a", "192.0.2.1"),
        node("b", "192.0.2.2"),
        node("c", "192.0.2.2"),
        node("d"),
        node("e", "0.0.0.0"),
    ]
    assert wanted_peers(nodes, "192.0.2.1", ()) == {"192.0.2.2"}
    assert wanted_peers(nodes, "192.0.2.2", ("192.0.2.9",)) == {"192.0.2.1", "192.0.2.9"}


def test_only_what_is_different_is_written() -> None:
    """New ones before old ones go."""
    lines = diff_peers({"192.0.2.1", "192.0.2.3"}, ["192.0.2.2", "192.0.2.1"], "tunnel")
    assert lines == [
        "fdb append 00:00:00:00:00:00 dev tunnel dst 192.0.2.3",
        "fdb del 00:00:00:00:00:00 dev tunnel dst 192.0.2.2",
    ]
    assert not diff_peers({"192.0.2.1"}, ["192.0.2.1"], "tunnel")

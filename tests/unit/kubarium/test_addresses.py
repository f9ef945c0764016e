"""Where the parts of a cluster listen."""

from __future__ import annotations

from kubarium.core.addresses import Addresses
from kubarium.core.spec import ClusterSpec


def test_nodes_of_two_clusters_share_no_address():
    """Clusters in different slots live on different subnets."""
    first, second = (Addresses(ClusterSpec(slot=slot).with_node()) for slot in (0, 1))
    assert first.node(first.spec.nodes[0]) == "10.77.0.11"
    assert second.node(second.spec.nodes[0]) == "10.77.1.11"


def test_ports_of_two_clusters_are_apart():
    """Clusters in different slots claim different ports."""
    first, second = (Addresses(ClusterSpec(slot=slot)).claimed() for slot in (0, 1))
    assert not {port for *_, port in first} & {port for *_, port in second}


def test_a_hollow_cluster_stays_on_loopback():
    """Without isolated nodes nothing listens beyond loopback, and kubelets take free ports."""
    addresses = Addresses(ClusterSpec(runtime="hollow").with_node())
    assert addresses.host == "127.0.0.1"
    assert addresses.kubelet_listen(addresses.spec.nodes[0]) == "127.0.0.1:0"

"""The nodes' network, as a plan."""

from __future__ import annotations

from kubarium.core.addresses import Addresses
from kubarium.core.network import (
    backbone_namespace,
    batches,
    host_link,
    namespace_of,
    node_namespace,
    plan_backbone,
    plan_no_backbone,
    plan_no_node,
    plan_node,
    plan_nodes,
)
from kubarium.core.spec import MAX_SLOTS, ClusterSpec

ADDRESSES = Addresses(ClusterSpec(name="c", slot=3).with_node())
NODE = ADDRESSES.spec.nodes[0]
LONGEST_INTERFACE_NAME = 15  # IFNAMSIZ of netdevice(7), without its final zero


def test_the_bridge_lies_in_a_namespace_of_its_own():
    """Docker filters what crosses a bridge in the machine's namespace, so ours is not there."""
    bridges = [command for command in plan_backbone(ADDRESSES) if "bridge" in command]
    assert [command[:2] for command in bridges] == [["-n", backbone_namespace("c")]]


def test_a_node_reaches_the_machine_by_default():
    """A node's default route leads to the machine, where the apiserver is."""
    assert ["-n", "kubarium-c.node-1", "route", "add", "default", "via", "10.77.3.1"] in plan_node(
        ADDRESSES, NODE
    )


def test_every_namespace_that_is_made_is_taken_away():
    """The reverse plans delete what the plans added."""
    made = [
        command[2]
        for command in plan_backbone(ADDRESSES) + plan_node(ADDRESSES, NODE)
        if command[:2] == ["netns", "add"]
    ]
    gone = [
        command[2]
        for command in plan_no_backbone(ADDRESSES) + plan_no_node(ADDRESSES, NODE)
        if command[0] == "netns"
    ]
    assert sorted(made) == sorted(gone) == sorted([backbone_namespace("c"), node_namespace("c", "node-1")])


def test_no_two_clusters_have_a_namespace_in_common():
    """Wherever a name is cut in two: node "b-c" of "a", node "c" of "a-b", and the backbone of "a-b-c"."""
    names = [backbone_namespace("a-b-c"), node_namespace("a-b", "c"), node_namespace("a", "b-c")]
    names += [backbone_namespace("a-b"), node_namespace("a", "b"), backbone_namespace("a")]
    assert len(set(names)) == len(names)


def test_interface_names_fit():
    """The kernel's limit on interface names holds in the last slot too."""
    assert len(host_link(MAX_SLOTS - 1)) <= LONGEST_INTERFACE_NAME


def test_nobody_on_the_backbone_shares_a_hardware_address_and_each_keeps_its_own():
    """A machine that comes back has the one that others remember."""
    three = Addresses(ClusterSpec(name="c", slot=3).with_node().with_node().with_node())
    plan = [*plan_backbone(three), *plan_nodes(three, three.spec.nodes)]
    given = [
        command[position + 1]
        for command in plan
        for position, word in enumerate(command)
        if word == "address" and "veth" in command
    ]
    assert given == ["02:4b:0a:4d:03:01", "02:4b:0a:4d:03:0b", "02:4b:0a:4d:03:0c", "02:4b:0a:4d:03:0d"]


def test_three_nodes_need_five_calls():
    """Commands of one namespace stand together: the machine's, the backbone's, then each node's."""
    three = Addresses(ClusterSpec(name="c").with_node().with_node().with_node())
    grouped = batches(plan_nodes(three, three.spec.nodes))
    spaces = [space for space, _ in grouped]
    assert spaces == ["", "kubarium-c", "kubarium-c.node-1", "kubarium-c.node-2", "kubarium-c.node-3"]
    assert all(command[0] != "-n" for _, commands in grouped for command in commands)


def test_ordering_by_namespace_loses_nothing():
    """The plan of several nodes has what the plans of each have, in the same order within a namespace."""
    two = Addresses(ClusterSpec(name="c").with_node().with_node())
    plan = plan_nodes(two, two.spec.nodes)
    for node in two.spec.nodes:
        space = node_namespace("c", node.name)
        assert [each for each in plan if namespace_of(each) == space] == [
            each for each in plan_node(two, node) if namespace_of(each) == space
        ]
    assert len(plan) == sum(len(plan_node(two, node)) for node in two.spec.nodes)


def test_both_ends_of_every_cable_have_the_mtu():
    """The plugins take that of the node's end for its pods; without one the kernel has its own."""
    plans = {
        mtu: plan_backbone(of_mtu) + plan_node(of_mtu, NODE)
        for mtu in (0, 1400)
        for of_mtu in [Addresses(ClusterSpec(name="c", slot=3, mtu=mtu).with_node())]
    }
    cables = [command for command in plans[1400] if "veth" in command]
    assert len(cables) == 2
    assert [command.count("mtu") for command in cables] == [2, 2]
    assert [command[command.index("mtu") + 1] for command in cables] == ["1400", "1400"]
    assert not [command for command in plans[0] if "mtu" in command]


def test_a_node_of_a_dual_stack_cluster_is_reached_by_ipv6():
    """It has an address beside the machine's, forwards, and does not wait for whether somebody else has its addresses."""
    addresses = Addresses(ClusterSpec(name="c", slot=3, ip_families="ipv4,ipv6").with_node())
    [node] = addresses.spec.nodes
    commands = [" ".join(command) for command in plan_backbone(addresses) + plan_node(addresses, node)]
    assert "address add fd00:10:77:3::1/64 dev kubarium3 nodad" in commands
    assert "-n kubarium-c.node-1 address add fd00:10:77:3::11/64 dev eth0 nodad" in commands
    assert "-n kubarium-c.node-1 route add ::/0 via fd00:10:77:3::1" in commands
    assert any("net.ipv6.conf.all.forwarding=1" in command for command in commands)
    plain = plan_backbone(ADDRESSES) + plan_node(ADDRESSES, NODE)
    assert not [command for command in plain if any("ipv6" in word or "fd00" in word for word in command)]

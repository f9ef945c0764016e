"""The network of a cluster with isolated nodes, as a list of commands.

The backbone is a bridge in a namespace of its own (Docker filters what crosses a bridge in the machine's
namespace). The machine and every node hang on it by a veth pair each. Commands are `ip` argument lists;
they are run in order, and each is written so that the reverse plan undoes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from kubarium.core.addresses import Addresses
from kubarium.core.spec import ClusterSpec, NodeSpec

FIRST_VNI = 7700  # of slot 0
VXLAN_PORT = 4789  # RFC 7348
_SWITCHES = ("net.ipv4.ip_forward=1",)
_SWITCHES_6 = (
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv6.conf.default.accept_dad=0",  # addresses are given once; who looks for doubles waits a second
)
Command = list[str]  # the arguments of one `ip` command


def backbone_namespace(cluster: str) -> str:
    """Name the namespace that holds the bridge."""
    return f"kubarium-{cluster}"


def node_namespace(cluster: str, node: str) -> str:
    """Name a node's namespace: by the dot, which no name has, it is no other cluster's (node "b-c" of "a", "c" of "a-b")."""
    return f"{backbone_namespace(cluster)}.{node}"


def host_link(slot: int) -> str:
    """Name the machine's end of its own cable (15 characters at most)."""
    return f"kubarium{slot}"


def plan_backbone(addresses: Addresses) -> list[Command]:
    """Lay the backbone and the machine's own cable."""
    spec = addresses.spec
    space, link, mtu = backbone_namespace(spec.name), host_link(spec.slot), _mtu(spec)
    return [
        ["netns", "add", space],
        ["-n", space, "link", "set", "lo", "up"],
        ["-n", space, "link", "add", "backbone", "type", "bridge", "forward_delay", "0"],
        ["-n", space, "link", "set", "backbone", "up"],
        [
            *("link", "add", link, *mtu, "address", hardware_address(addresses.host), "type", "veth"),
            *("peer", "name", "machine", *mtu, "netns", space),
        ],
        ["-n", space, "link", "set", "machine", "master", "backbone", "up"],
        *(["address", "add", f"{address}/24", "dev", link] for address in addresses.of_machine),
        *(["address", "add", f"{each}/64", "dev", link, "nodad"] for each in addresses.host_ips[1:]),
        ["link", "set", link, "up"],
        *(_plan_tunnel(spec, space) if spec.listen else []),
    ]


def tunnel_link(slot: int) -> str:
    """Name the tunnel's end before it is moved into the backbone's namespace."""
    return f"kubarium{slot}t"


def _plan_tunnel(spec: ClusterSpec, space: str) -> list[Command]:
    """Join the backbone to those of the other machines, by VXLAN over the machines' own network.

    The device sends and receives where it is made, on the machine, whatever namespace it is moved into.
    """
    link, first = tunnel_link(spec.slot), ["remote", spec.joined] if spec.joined else []
    vxlan = ["id", str(FIRST_VNI + spec.slot), "dstport", str(VXLAN_PORT), "local", spec.listen, *first]
    return [
        ["link", "add", link, "type", "vxlan", *vxlan],
        ["link", "set", link, "netns", space, "name", "tunnel"],
        ["-n", space, "link", "set", "tunnel", "mtu", str(spec.link_mtu)],
        ["-n", space, "link", "set", "tunnel", "master", "backbone", "up"],
    ]


def hardware_address(address: str) -> str:
    """Return the MAC address of who has an IPv4 address on the backbone: a locally administered one.

    It stays the same over a restart, as a machine's does: others would send to the old one for as long as they remember it,
    which is up to a minute.
    """
    return ":".join(["02", "4b", *(f"{int(each):02x}" for each in address.split("."))])


def plan_no_backbone(addresses: Addresses) -> list[Command]:
    """Remove the backbone and the machine's cable."""
    spec = addresses.spec
    return [["link", "delete", host_link(spec.slot)], ["netns", "delete", backbone_namespace(spec.name)]]


def plan_node(addresses: Addresses, node: NodeSpec) -> list[Command]:
    """Make a node's namespace and lay its cable."""
    spec = addresses.spec
    backbone, space, port = (
        backbone_namespace(spec.name),
        node_namespace(spec.name, node.name),
        node_port(node),
    )
    mtu = _mtu(spec)
    more_ips, more_hosts = addresses.node_ips(node)[1:], addresses.host_ips[1:]
    return [
        ["netns", "add", space],
        ["netns", "exec", space, "sysctl", "-q", "-w", *_SWITCHES, *(_SWITCHES_6 if more_ips else ())],
        ["-n", space, "link", "set", "lo", "up"],
        [
            *("-n", backbone, "link", "add", port, *mtu, "type", "veth", "peer", "name", "eth0", *mtu),
            *("address", hardware_address(addresses.node(node)), "netns", space),
        ],
        ["-n", backbone, "link", "set", port, "master", "backbone", "up"],
        ["-n", space, "address", "add", f"{addresses.node(node)}/24", "dev", "eth0"],
        *(["-n", space, "address", "add", f"{each}/64", "dev", "eth0", "nodad"] for each in more_ips),
        ["-n", space, "link", "set", "eth0", "up"],
        ["-n", space, "route", "add", "default", "via", addresses.host],
        *(["-n", space, "route", "add", "::/0", "via", each] for each in more_hosts),
    ]


def plan_nodes(addresses: Addresses, nodes: Iterable[NodeSpec]) -> list[Command]:
    """Make several nodes' namespaces, ordered so that what happens in one namespace stands together."""
    commands = [command for node in nodes for command in plan_node(addresses, node)]
    backbone = backbone_namespace(addresses.spec.name)
    ranks = {"": 0, backbone: 1}
    return sorted(commands, key=lambda command: ranks.get(namespace_of(command), len(ranks)))


def batches(commands: list[Command]) -> list[tuple[str, list[Command]]]:
    """Group what follows each other in one namespace, each for one call of `ip -batch`."""
    return [
        (space, [command[2:] if space else command for command in group])
        for space, group in groupby(commands, key=namespace_of)
    ]


def namespace_of(command: Command) -> str:
    """Return the namespace in which a command runs; "" is the machine's own."""
    return command[1] if command[0] == "-n" else ""


def plan_no_node(addresses: Addresses, node: NodeSpec) -> list[Command]:
    """Remove a node's namespace and cable."""
    spec = addresses.spec
    return [
        ["-n", backbone_namespace(spec.name), "link", "delete", node_port(node)],
        ["netns", "delete", node_namespace(spec.name, node.name)],
    ]


def _mtu(spec: ClusterSpec) -> Command:
    return ["mtu", str(spec.link_mtu)] if spec.link_mtu else []


def node_port(node: NodeSpec) -> str:
    """Name the backbone's end of a node's cable."""
    return f"node{node.index}"

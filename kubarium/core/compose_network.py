"""The network of a compose project whose cluster has hosts besides: a tunnel service, and nodes with addresses of the whole's plan.

The engine joins a project's containers by a bridge of its own. The tunnel's container puts its end of that into another bridge,
in a namespace of its own, on which a VXLAN device hangs beside it: so the engine's bridge reaches the other host's. What the
container itself needs of the network goes on over a veth pair.

    node-1 ── the engine's bridge ── eth0 ┐                            ┌ machine: the container's addresses
                                          └ backbone (bridge) ── tunnel (VXLAN, which sends from the container)

The engines stand behind address translation: whence a frame comes says nothing, so nothing is learned from it, and what is for
somebody unknown goes to the other host. Nor has the outer datagram a checksum, which translation breaks where the inner one's is
left to the device.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubarium.core.addresses import Addresses
from kubarium.core.network import FIRST_VNI, VXLAN_PORT, Command, backbone_namespace
from kubarium.core.spec import ClusterSpec, NodeSpec

LINK = "eth0"  # of a container with one network
_OWN = "machine"  # the container's end of the veth pair
_PORT = "own"  # the other, on the bridge


def plan_tunnel(addresses: Addresses, own: Iterable[str], gateway: str) -> list[Command]:
    """Lay the tunnel in a new container.

    Args:
        addresses: of the cluster.
        own: the container's addresses, with their lengths (10.77.200.8/24).
        gateway: the address of its default route.
    """
    spec = addresses.spec
    space, first = backbone_namespace(spec.name), ["remote", spec.joined] if spec.joined else []
    vxlan = ["id", str(FIRST_VNI + spec.slot), "dstport", str(VXLAN_PORT), "nolearning", "noudpcsum", *first]
    everyone = [*own, *([f"{addresses.host}/24"] if spec.joined else [])]
    source = ["src", addresses.host] if spec.joined else []
    return [
        ["netns", "add", space],
        ["link", "add", "tunnel", "type", "vxlan", *vxlan],
        ["link", "set", "tunnel", "netns", space],
        ["link", "set", LINK, "netns", space],
        ["link", "add", _OWN, "type", "veth", "peer", "name", _PORT, "netns", space],
        ["-n", space, "link", "add", "backbone", "type", "bridge", "forward_delay", "0"],
        ["-n", space, "link", "set", "backbone", "up"],
        ["-n", space, "link", "set", "tunnel", "mtu", str(spec.link_mtu)],
        *(["-n", space, "link", "set", each, "master", "backbone", "up"] for each in (LINK, _PORT, "tunnel")),
        *(["address", "add", each, "dev", _OWN] for each in everyone),
        ["link", "set", _OWN, "up"],
        ["route", "add", "default", "via", gateway, "dev", _OWN],
        ["route", "replace", addresses.backbone, "dev", _OWN, *source, "mtu", str(spec.link_mtu)],
    ]


def plan_node_link(addresses: Addresses, node: NodeSpec) -> list[Command]:
    """Make room for the tunnel's header in what a node sends; on a host that joined, add the address that the plan has for it."""
    spec: ClusterSpec = addresses.spec
    own = [["address", "add", f"{addresses.node(node)}/24", "dev", LINK]] if spec.joined else []
    return [["link", "set", LINK, "mtu", str(spec.link_mtu)], *own]

"""Where everything of a cluster listens, derived from its spec.

The instances of a program share its ports and differ in their addresses: number 2 has 127.0.0.2 (Linux gives all of
127.0.0.0/8 to the loopback interface). With isolated nodes there is a backbone, 10.77.<slot>.0/24: .1 is the machine
itself, where the control plane runs; .2 to .9 are the machine's, too, one for each further apiserver, and from .9 downwards one for each further machine; .10 + index is
a node; .211 to .254 are load balancers'. A dual-stack cluster has the same with IPv6, fd00:10:77:<slot>::/64, the last number
with the same digits. Without (hollow runtime, no root needed) everything is on loopback.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from kubarium.core.balancer_pool import FIRST, LAST, read_pool
from kubarium.core.spec import (
    APISERVER,
    ETCD,
    MANY_HOLLOW_NODES,
    MAX_MACHINES,
    ClusterSpec,
    Instance,
    NodeSpec,
)

_LAST_MACHINE = 11  # machine 2 has .9, machine 3 .8 and so on
LOOPBACK = "127.0.0.1"
KUBELET_PORT = 10250
SERVICE_CIDR = "10.96.0.0/16"
CLUSTER_CIDR = "10.244.0.0/16"
WIDE_CLUSTER_CIDR = "10.128.0.0/10"  # 16,384 ranges of nodes
SERVICE_CIDR_6 = "fd00:10:96::/112"
CLUSTER_CIDR_6 = "fd00:10:244::/56"  # a /64 for each of as many nodes as the IPv4 range has a /24 for
WIDE_CLUSTER_CIDR_6 = "fd00:10:128::/50"
FIRST_SERVICE_IP = "10.96.0.1"
CLUSTER_DNS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"


def loopback(instance: Instance) -> str:
    """The loopback address of an instance."""
    return f"127.0.0.{instance.number}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of one cluster."""

    spec: ClusterSpec

    @property
    def backbone(self) -> str:
        """The subnet that joins the nodes."""
        return self._on_backbone("0/24")

    @property
    def host(self) -> str:
        """This machine's own address, as its nodes see it."""
        if self.spec.joined:
            return self._on_backbone(_LAST_MACHINE - self.spec.machine)
        return self._on_backbone(1) if self.spec.isolated else LOOPBACK

    def apiserver(self, instance: Instance) -> str:
        """An apiserver's address, as the nodes see it."""
        if self.spec.door and instance.number == 1:
            return self.spec.door
        return self._on_backbone(instance.number) if self.spec.isolated else loopback(instance)

    @property
    def of_machine(self) -> list[str]:
        """This machine's own addresses on the backbone."""
        if self.spec.joined:
            return [self.host]
        return [self._on_backbone(each.number) for each in self.spec.instances(APISERVER)]

    def node(self, node: NodeSpec) -> str:
        """A node's address."""
        return self._on_backbone(10 + node.index) if self.spec.isolated else LOOPBACK

    def node_ips(self, node: NodeSpec) -> list[str]:
        """A node's addresses, one of each family that the cluster has."""
        return [self.node(node), *self._also(10 + node.index)]

    @property
    def host_ips(self) -> list[str]:
        """This machine's own addresses as its nodes see them, one of each family that the cluster has."""
        return [self.host, *self._also(self.host.rpartition(".")[2])]

    @property
    def machine_ips(self) -> frozenset[str]:
        """The addresses, of each family, that the machines of this cluster have or may have as their nodes see them."""
        numbers = (1, *(_LAST_MACHINE - number for number in range(2, MAX_MACHINES + 1)))
        return frozenset(ip for number in numbers for ip in (self._on_backbone(number), *self._also(number)))

    @property
    def service_cidr(self) -> str:
        """The range of the Services' addresses, or one of each family with a comma."""
        return f"{SERVICE_CIDR},{SERVICE_CIDR_6}" if self.spec.is_dual_stack else SERVICE_CIDR

    @property
    def cluster_cidr(self) -> str:
        """The range of the pods' addresses, or one of each family with a comma: wide enough for each node to have its own."""
        is_wide = self.spec.hollow_nodes > MANY_HOLLOW_NODES
        both = (WIDE_CLUSTER_CIDR, WIDE_CLUSTER_CIDR_6) if is_wide else (CLUSTER_CIDR, CLUSTER_CIDR_6)
        return ",".join(both) if self.spec.is_dual_stack else both[0]

    @property
    def hollow_ranges(self) -> str:
        """The range of which hollow nodes take their own when they register; "" where they wait for one as others do."""
        is_wide = self.spec.hollow_nodes > MANY_HOLLOW_NODES
        return WIDE_CLUSTER_CIDR if is_wide and not self.spec.is_dual_stack else ""

    def _also(self, host: int | str) -> list[str]:
        """Return an address on the backbone by IPv6, where there is such."""
        has_it = self.spec.isolated and self.spec.is_dual_stack
        return [str(IPv6Address(f"fd00:10:77:{self.spec.slot}::{host}"))] if has_it else []

    @property
    def balancer_pool(self) -> str:
        """The addresses of load balancers, from the first to the last, of each family; "" where there is no backbone."""
        if not self.spec.isolated:
            return ""
        first, last = FIRST, LAST
        if self.spec.load_balancer_pool:
            first, last, _ = read_pool(self.spec.load_balancer_pool)
        of_6 = "-".join((*self._also(first), *self._also(last)))
        return f"{self._on_backbone(first)}-{self._on_backbone(last)}{',' if of_6 else ''}{of_6}"

    def kubelet_listen(self, node: NodeSpec) -> str:
        """Where a node's kubelet serves; on shared loopback it takes any free port and registers it."""
        return f"{self.node(node)}:{KUBELET_PORT if self.spec.isolated else 0}"

    @property
    def rest_port(self) -> int:
        """The REST door's port."""
        return self.spec.base_port

    @property
    def grpc_port(self) -> int:
        """The gRPC door's port."""
        return self.spec.base_port + 1

    @property
    def etcd_port(self) -> int:
        """The port for etcd's clients."""
        return self.spec.base_port + 2

    @property
    def etcd_peer_port(self) -> int:
        """The port for etcd's peers."""
        return self.spec.base_port + 3

    @property
    def rest_url(self) -> str:
        """The REST door of the first apiserver: kubeconfig's current context."""
        return self.rest_urls[0]

    @property
    def rest_urls(self) -> list[str]:
        """The REST door of each apiserver."""
        return [f"https://{self._door(each)}:{self.rest_port}" for each in self.spec.instances(APISERVER)]

    @property
    def grpc_servers(self) -> list[str]:
        """The gRPC door of each apiserver, as the machine dials it."""
        return [f"{self._door(each)}:{self.grpc_port}" for each in self.spec.instances(APISERVER)]

    @property
    def dns_port(self) -> int:
        """The DNS server's port, at the machine's own address on the backbone."""
        return self.spec.base_port + 4

    @property
    def compose_dns(self) -> str:
        """The DNS server's address where it is a compose service on the backbone."""
        return self._on_backbone(6)

    @property
    def compose_apiserver(self) -> str:
        """The apiserver's address where it is a compose service on the backbone."""
        return self._on_backbone(2)

    def claimed(self) -> list[tuple[str, str, int]]:
        """List (what, host, port) that have to be free before the cluster starts; etcd's come first."""
        if self.spec.joined:
            return []
        members = [
            (f"the {who} of {each.name}", loopback(each), port)
            for each in self.spec.instances(ETCD)
            for who, port in (("clients", self.etcd_port), ("peers", self.etcd_peer_port))
        ]
        doors = [
            (f"the {door} door of {each.name}", loopback(each), port)
            for each in self.spec.instances(APISERVER)
            for door, port in (("REST", self.rest_port), ("gRPC", self.grpc_port))
        ]
        if self.spec.listen:
            doors.append(("the REST door for further machines", self.spec.listen, self.rest_port))
        port = self.spec.registry_port
        return [*members, *doors, *([("the registry", LOOPBACK, port)] if port else [])]

    def _door(self, apiserver: Instance) -> str:
        """Where this machine dials an apiserver: on loopback, or across the backbone the first machine's."""
        return self.apiserver(apiserver) if self.spec.joined else loopback(apiserver)

    def _on_backbone(self, host: int | str) -> str:
        return f"10.77.{self.spec.slot}.{host}"

"""Where everything of a cluster listens, derived from its spec.

With isolated nodes the backbone is 10.77.<slot>.0/24: .1 is the machine itself, where the control plane
runs, and .10 + index is a node. Without (hollow runtime, no root needed) everything is on loopback.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubarium.core.spec import ClusterSpec, NodeSpec

LOOPBACK = "127.0.0.1"
KUBELET_PORT = 10250
SERVICE_CIDR = "10.96.0.0/16"
CLUSTER_CIDR = "10.244.0.0/16"
FIRST_SERVICE_IP = "10.96.0.1"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of one cluster."""

    spec: ClusterSpec

    @property
    def backbone(self) -> str:
        """The subnet that joins the nodes."""
        return f"10.77.{self.spec.slot}.0/24"

    @property
    def host(self) -> str:
        """The machine's own address, as the nodes see it."""
        return f"10.77.{self.spec.slot}.1" if self.spec.isolated else LOOPBACK

    def node(self, node: NodeSpec) -> str:
        """Give a node's address."""
        return f"10.77.{self.spec.slot}.{10 + node.index}" if self.spec.isolated else LOOPBACK

    def kubelet_listen(self, node: NodeSpec) -> str:
        """Give where a node's kubelet serves; on shared loopback it takes any free port and registers it."""
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
        """What kubeconfig names."""
        return f"https://{LOOPBACK}:{self.rest_port}"

    @property
    def compose_apiserver(self) -> str:
        """The apiserver's address where it is a compose service on the backbone."""
        return f"10.77.{self.spec.slot}.2"

    def claimed(self) -> list[tuple[str, str, int]]:
        """List (what, host, port) that have to be free before the cluster starts."""
        return [
            ("the apiserver's REST door", LOOPBACK, self.rest_port),
            ("the apiserver's gRPC door", LOOPBACK, self.grpc_port),
            ("etcd's clients", LOOPBACK, self.etcd_port),
            ("etcd's peers", LOOPBACK, self.etcd_peer_port),
        ]

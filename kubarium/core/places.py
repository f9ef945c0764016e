"""Where the processes of a cluster run and how they reach each other: on this machine, or as compose services."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubarium.core.addresses import Addresses, loopback
from kubarium.core.certificates import Certificate
from kubarium.core.layout import Layout
from kubarium.core.spec import APISERVER, ClusterSpec, Instance


@dataclass(frozen=True, slots=True)
class Places(ABC):
    """How the components of a cluster reach each other and their files, in one way of launching them."""

    spec: ClusterSpec
    layout: Layout[Any]

    @property
    @abstractmethod
    def own_namespaces(self) -> bool:
        """Whether a node's processes have to enter their network namespace first."""

    @abstractmethod
    def etcd_host(self, member: Instance) -> str:
        """The name or address by which an etcd member is reached."""

    @abstractmethod
    def etcd_binds(self, member: Instance) -> str:
        """The address at which an etcd member listens for clients."""

    @abstractmethod
    def door_host(self, apiserver: Instance) -> str:
        """The name or address by which the control plane reaches an apiserver's doors."""

    @abstractmethod
    def node_door_host(self, apiserver: Instance) -> str:
        """The same, for what runs on a node."""

    @abstractmethod
    def doors_bind(self, apiserver: Instance) -> tuple[str, ...]:
        """The addresses at which an apiserver's doors listen."""

    @abstractmethod
    def advertised(self, apiserver: Instance) -> str:
        """The address of an apiserver among the endpoints of the Service `kubernetes`."""

    @property
    @abstractmethod
    def dns_host(self) -> str:
        """The address by which the nodes reach the DNS server."""

    @property
    @abstractmethod
    def dns_binds(self) -> str:
        """The address and port at which the DNS server listens."""

    @property
    def docker_socket(self) -> str:
        """The socket of the engine that the nodes share."""
        return self.spec.docker_socket

    @property
    def addresses(self) -> Addresses:
        """Where everything of the cluster listens."""
        return Addresses(self.spec)

    @property
    def cgroup_root(self) -> str:
        """The cgroup under which each node has its own."""
        return f"/kubarium/{self.spec.name}"

    @property
    def server(self) -> str:
        """The gRPC doors as the control plane dials them, as a flag names them."""
        return self._servers(self.door_host)

    @property
    def node_server(self) -> str:
        """The gRPC doors as a node dials them, as a flag names them."""
        return self._servers(self.node_door_host)

    @property
    def node_rest_url(self) -> str:
        """The REST door of the first apiserver, as a node dials it."""
        first = self.spec.instances(APISERVER)[0]
        return f"https://{self.node_door_host(first)}:{self.addresses.rest_port}"

    def certificate_file(self, certificate: Certificate) -> str:
        """Name a certificate's file."""
        return str(self.layout.pki / f"{certificate.name}.crt")

    def key_file(self, certificate: Certificate) -> str:
        """Name a private key's file."""
        return str(self.layout.pki / f"{certificate.name}.key")

    def authority_file(self, name: str = "ca") -> str:
        """Name an authority's certificate file."""
        return str(self.layout.pki / f"{name}.crt")

    def authority_key_file(self, name: str = "ca") -> str:
        """Name the file of an authority's private key."""
        return str(self.layout.pki / f"{name}.key")

    def _servers(self, host: Callable[[Instance], str]) -> str:
        port = self.addresses.grpc_port
        return ",".join(f"{host(each)}:{port}" for each in self.spec.instances(APISERVER))


class LocalPlaces(Places):
    """The processes run on this machine."""

    __slots__ = ()

    @property
    def own_namespaces(self) -> bool:
        """Whether nodes are isolated."""
        return self.spec.isolated

    def etcd_host(self, member: Instance) -> str:
        """Loopback."""
        return loopback(member)

    def etcd_binds(self, member: Instance) -> str:
        """Loopback."""
        return loopback(member)

    def door_host(self, apiserver: Instance) -> str:
        """Loopback."""
        return loopback(apiserver)

    def node_door_host(self, apiserver: Instance) -> str:
        """The machine's address on the backbone, where there is one."""
        return self.addresses.apiserver(apiserver)

    def doors_bind(self, apiserver: Instance) -> tuple[str, ...]:
        """Loopback for the user, the backbone for the nodes, the machine's own network for machines that join."""
        others = (self.spec.listen,) if self.spec.listen and apiserver.number == 1 else ()
        return tuple(dict.fromkeys((self.door_host(apiserver), self.node_door_host(apiserver), *others)))

    def advertised(self, apiserver: Instance) -> str:
        """What the nodes dial."""
        return self.node_door_host(apiserver)

    @property
    def dns_host(self) -> str:
        """The machine's address on the backbone."""
        return self.addresses.host

    @property
    def dns_binds(self) -> str:
        """A port of the slot, since the machine may have a DNS server of its own."""
        return f"{self.dns_host}:{self.addresses.dns_port}"


class ComposePlaces(Places):
    """Each is a compose service, and they find each other by name."""

    __slots__ = ()

    @property
    def own_namespaces(self) -> bool:
        """Never: a node's container is its namespace."""
        return False

    def etcd_host(self, member: Instance) -> str:
        """The service's name."""
        return member.name

    def etcd_binds(self, member: Instance) -> str:  # noqa: ARG002 - all containers are alike
        """Every address of the container."""
        return "0.0.0.0"

    def door_host(self, apiserver: Instance) -> str:
        """The service's name."""
        return apiserver.name

    def node_door_host(self, apiserver: Instance) -> str:
        """The service's name; on a host that joined, where that is not known, the address."""
        return self.addresses.apiserver(apiserver) if self.spec.joined else apiserver.name

    def doors_bind(self, apiserver: Instance) -> tuple[str, ...]:  # noqa: ARG002 - all containers are alike
        """Every address of the container."""
        return ("0.0.0.0",)

    def advertised(self, apiserver: Instance) -> str:  # noqa: ARG002 - compose runs one
        """The service's fixed address."""
        return self.addresses.compose_apiserver

    @property
    def dns_host(self) -> str:
        """The service's fixed address."""
        return self.addresses.compose_dns

    @property
    def dns_binds(self) -> str:
        """Every address of the container."""
        return "0.0.0.0:53"

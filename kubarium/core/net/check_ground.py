"""What is deployed for the connectivity check: pods that answer each other, Services of every type, two policies.

Pods come in pairs: those that end in `-a` are on the first node, those in `-b` on the second (or all on one, where there is
no other). Every server answers with its name and the address that it was asked from, by TCP and UDP.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from kubarium.core.addresses import CLUSTER_DOMAIN
from kubarium.core.net.scene import MACHINE
from machinery.model.conditions import find
from machinery.model.k8s.core_v1 import Node

PORT: Final = 8080  # of every server; not 80, which something on the way may answer
PROTOCOLS: Final = ("tcp", "udp")
PODS: Final = ("client-a", "client-b", "server-a", "server-b", "guarded-a", "guarded-b", "confined-b")
SERVERS: Final = tuple(name for name in PODS if name.startswith(("server", "guarded")))
CLIENTS: Final = ("client-a", "client-b")


def choose_nodes(nodes: Iterable[Node], own: Collection[str]) -> tuple[list[str], list[str]]:
    """Return which nodes of this machine can be tried, and those of others, in whose networks nobody from here can be; both by name."""
    names = sorted(each.metadata.name for each in nodes if _is_ready(each))
    return [each for each in names if each in own], [each for each in names if each not in own]


def _is_ready(node: Node) -> bool:
    ready = find(node.status.conditions, "Ready")
    return ready is not None and ready.status == "True" and not node.spec.unschedulable


class Addresses(NamedTuple):
    """Where a Service is."""

    cluster_ip: str
    node_ports: Mapping[str, int]  # by protocol
    balancer: str  # "" for none


@dataclass(frozen=True, slots=True)
class Ground:
    """Where everything is, by the addresses of one family."""

    namespace: str
    machine: str  # its address on the backbone
    nodes: tuple[str, str]  # of the pods that end in -a, and in -b
    node_ips: Mapping[str, str]
    pod_ips: Mapping[str, str]
    services: Mapping[str, Addresses]

    @property
    def is_ipv6(self) -> bool:
        """Whether the addresses are of IPv6."""
        return ":" in self.machine

    def node_of(self, who: str) -> str:
        """Return the node of a pod, or the node itself; "" for the machine."""
        if who in PODS:
            return self.nodes[0] if who.endswith("-a") else self.nodes[1]
        return "" if who == MACHINE else who

    @property
    def hosts(self) -> tuple[str, ...]:
        """The nodes, each once."""
        return tuple(dict.fromkeys(self.nodes))

    @property
    def inside(self) -> tuple[str, ...]:
        """Who asks from inside of the cluster."""
        return (*CLIENTS, *self.hosts)

    @property
    def everybody(self) -> tuple[str, ...]:
        """Who asks."""
        return (*self.inside, MACHINE)


def objects(
    namespace: str, image: str, ground_nodes: tuple[str, str], machine: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what is deployed, in the order of creation; the namespace goes first. `machine` are its addresses."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        *(_with(namespace, each) for each in _policies()),
        *(_with(namespace, each) for each in _services(namespace, machine)),
        *(
            _with(namespace, _pod(name, image, ground_nodes[0 if name.endswith("-a") else 1]))
            for name in PODS
        ),
    ]


def _with(namespace: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "namespace": namespace}}


def _pod(name: str, image: str, node: str) -> dict[str, Any]:
    role = name.rpartition("-")[0]
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "ports": [
            {"name": protocol, "containerPort": PORT, "protocol": protocol.upper()} for protocol in PROTOCOLS
        ],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name, "role": role}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": [container],
        },
    }


def _services(namespace: str, machine: Sequence[str]) -> Iterator[dict[str, Any]]:
    near, far = {"app": "server-a"}, {"app": "server-b"}
    balancer = {"type": "LoadBalancer"}
    own = [f"{each}/{128 if ':' in each else 32}" for each in machine]
    yield _service("near", near, **balancer)
    yield _service("far", far, **balancer)
    yield _service("both", {"role": "server"}, type="NodePort")
    yield _service("nobody", {"app": "nobody"}, **balancer)
    yield _service("inner", near, internalTrafficPolicy="Local")
    yield _service("outer", near, externalTrafficPolicy="Local", **balancer)
    yield _service("narrow", near, loadBalancerSourceRanges=own, **balancer)
    yield _service("sticky", {"role": "server"}, sessionAffinity="ClientIP")
    yield _service("headless", {"role": "server"}, clusterIP="None")
    yield _service("guarded-a", {"app": "guarded-a"}, **balancer)
    yield _service("guarded-b", {"app": "guarded-b"}, **balancer)
    alias = {"type": "ExternalName", "externalName": f"near.{namespace}.svc.{CLUSTER_DOMAIN}"}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"}, "spec": alias}


def _service(name: str, selector: dict[str, str], **spec: Any) -> dict[str, Any]:
    ports = [{"name": protocol, "port": PORT, "protocol": protocol.upper()} for protocol in PROTOCOLS]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector, "ports": ports, "ipFamilyPolicy": "PreferDualStack", **spec},
    }


def _policies() -> Iterator[dict[str, Any]]:
    def policy(name: str, role: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name},
            "spec": {"podSelector": {"matchLabels": {"role": role}}, **spec},
        }

    tcp = [{"protocol": "TCP", "port": PORT}]
    friend = [{"podSelector": {"matchLabels": {"app": "client-a"}}}]
    server = [{"podSelector": {"matchLabels": {"app": "server-a"}}}]
    yield policy("guarded", "guarded", policyTypes=["Ingress"], ingress=[{"from": friend, "ports": tcp}])
    yield policy("confined", "confined", policyTypes=["Egress"], egress=[{"to": server, "ports": tcp}])

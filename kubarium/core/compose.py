"""The cluster as compose services: the same components, one service each, and one a node.

Written for both readers of compose files in use: compose v2 and docker-compose 1.29. The state is a volume of the project:
`down` keeps it, `down -v` forgets it.
"""

from __future__ import annotations

from typing import Any

from kubarium.core.addresses import Addresses
from kubarium.core.network import VXLAN_PORT
from kubarium.core.spec import APISERVER, CONTROLLERS, DNS, ETCD, PUBLISH, SCHEDULER, ClusterSpec

SLOT = 200  # of the backbone; far from the slots that local clusters take first
STATE = "/var/lib/kubarium"  # where every service has the project's volume
_VOLUME = "state"
_BUILD = {"context": ".", "args": {"BASE": "${KUBARIUM_BASE:-debian:bookworm-slim}"}}
IMAGE = "kubarium:latest"  # unless the user names another one
_IMAGE = f"${{KUBARIUM_IMAGE:-{IMAGE}}}"
PUBLISHED = {  # of load balancers' ports: where the user's browser finds them, on loopback unless told otherwise
    80: "${KUBARIUM_HTTP:-127.0.0.1:8080}",
    443: "${KUBARIUM_HTTPS:-127.0.0.1:9443}",
}
_GIVEN_TO_ALL = {
    "image": _IMAGE,
    "restart": "on-failure",
    "environment": {
        "KUBARIUM_PROFILE": "${KUBARIUM_PROFILE:-default}",
        "KUBARIUM_TIME_SCALE": "${KUBARIUM_TIME_SCALE:-1}",
        "KUBARIUM_LISTEN": "${KUBARIUM_LISTEN:-}",
    },
}
TUNNEL = "tunnel"
HOSTS = 2  # the services of the first have the addresses that further machines would have
_TUNNEL_ADDRESS = f"10.77.{SLOT}.8"
JOINED_NODES = 2
_JOINED_SUBNET = "10.78.{slot}.0/24"  # of the second host's engine; the nodes' own addresses come beside it
_OF_A_NODE = {
    "pid": "host",
    "cap_add": ["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"],
    "security_opt": ["seccomp:unconfined", "apparmor:unconfined"],
    "sysctls": {"net.ipv4.ip_forward": "1"},
    "stop_grace_period": "30s",
}
_ENGINE = ["/var/run/docker.sock:/var/run/docker.sock", "/sys/fs/cgroup:/sys/fs/cgroup"]


def compose_spec(
    *, nodes: int = 3, profile: str = "default", time_scale: float = 1.0, listen: str = ""
) -> ClusterSpec:
    """Return the cluster that docker-compose.yml describes.

    Raises:
        ValueError: there is no such profile.
    """
    profiles = {"default", "fast"}
    if profile not in profiles:
        raise ValueError(f"KUBARIUM_PROFILE has to be one of {', '.join(sorted(profiles))}, not {profile!r}")
    spec = ClusterSpec(
        name="compose",
        slot=SLOT,
        profile="fast" if profile == "fast" else "default",
        time_scale=time_scale,
        listen=listen,
        publish=tuple(f"0.0.0.0:{port}:{port}" for port in PUBLISHED),  # in the service's own container
    )
    for _ in range(nodes):
        spec = spec.with_node()
    return spec


def compose_file(spec: ClusterSpec) -> dict[str, Any]:
    """Describe the services."""
    addresses = Addresses(spec)
    ready = {"setup": {"condition": "service_completed_successfully"}}
    services: dict[str, Any] = {
        "setup": _setup(),
        ETCD: _service(ETCD, ready, f"10.77.{SLOT}.3"),
        APISERVER: _service(APISERVER, ready, addresses.compose_apiserver)
        | {"ports": [f"127.0.0.1:{addresses.rest_port}:{addresses.rest_port}"]},
        SCHEDULER: _service(SCHEDULER, ready, f"10.77.{SLOT}.4"),
        CONTROLLERS: _service(CONTROLLERS, ready, f"10.77.{SLOT}.5"),
        DNS: _service(DNS, ready, addresses.compose_dns),
        PUBLISH: _service(PUBLISH, ready, f"10.77.{SLOT}.7")
        | {"ports": [f"{place}:{port}" for port, place in PUBLISHED.items()]},
    }
    for node in spec.nodes:
        services[node.name] = _machine(node.name, ready, addresses.node(node))
    backbone = {"ipam": {"config": [{"subnet": addresses.backbone}]}}
    return {"services": services, "networks": {"backbone": backbone}, "volumes": {_VOLUME: {}}}


def _setup() -> dict[str, Any]:
    """Build the image and write keys, certificates and the kubeconfig, once."""
    return {
        "image": _IMAGE,
        "build": _BUILD,
        "command": ["setup"],
        "environment": _GIVEN_TO_ALL["environment"],
        "volumes": [f"{_VOLUME}:{STATE}", "./.compose:/kubeconfig"],
    }


def _service(name: str, ready: dict[str, Any], address: str) -> dict[str, Any]:
    return {
        **_GIVEN_TO_ALL,
        "command": [name],
        "depends_on": ready,
        "volumes": [f"{_VOLUME}:{STATE}"],
        "networks": {"backbone": {"ipv4_address": address}},
    }


def _machine(name: str, ready: dict[str, Any], address: str) -> dict[str, Any]:
    """Describe a node: what it needs of the kernel, and not a privilege more."""
    return {
        **_service(name, ready, address),
        "hostname": name,
        **_OF_A_NODE,
        "volumes": [f"{_VOLUME}:{STATE}", *_ENGINE],
    }


def first_host_file(spec: ClusterSpec) -> dict[str, Any]:
    """Describe what the first host of two has beside docker-compose.yml: a tunnel, and an apiserver that the other reaches."""
    addresses = Addresses(spec)
    ready = {"setup": {"condition": "service_completed_successfully"}}
    doors = (addresses.rest_port, addresses.grpc_port)
    door = {"ports": [f"{_asked('KUBARIUM_LISTEN')}:{port}:{port}" for port in doors]}
    tunnel = _service(TUNNEL, ready, _TUNNEL_ADDRESS) | _tunnel()
    return {"services": {APISERVER: door, TUNNEL: tunnel}}


def joined_host_file() -> dict[str, Any]:
    """Describe the second host: what joins, its tunnel, and its nodes. Their own addresses are known when it has joined."""
    ready = {"setup": {"condition": "service_completed_successfully"}}
    wanted = {
        name: _asked(name)
        for name in ("KUBARIUM_JOIN", "KUBARIUM_TOKEN", "KUBARIUM_CA_HASH", "KUBARIUM_LISTEN")
    }
    environment = {"KUBARIUM_NAME": "${KUBARIUM_NAME:-compose}", **wanted}
    state = [f"{_VOLUME}:{STATE}"]
    common = {"image": _IMAGE, "environment": environment, "volumes": state, "networks": ["backbone"]}
    service = {**common, "restart": "on-failure", "depends_on": ready}
    nodes = {
        f"node-{number}": {
            **service,
            "command": [f"node-{number}"],
            **_OF_A_NODE,
            "volumes": [*state, *_ENGINE],
        }
        for number in range(1, JOINED_NODES + 1)
    }
    services = {
        "setup": {**common, "build": _BUILD, "command": ["join"]},
        TUNNEL: {**service, "command": [TUNNEL], **_tunnel()},
        **nodes,
    }
    backbone = {"ipam": {"config": [{"subnet": _JOINED_SUBNET.format(slot=SLOT)}]}}
    return {"services": services, "networks": {"backbone": backbone}, "volumes": {_VOLUME: {}}}


def _tunnel() -> dict[str, Any]:
    """Describe what joins a host's backbone with the other's: it lays a bridge in a namespace of its own."""
    return {
        "cap_add": ["NET_ADMIN", "SYS_ADMIN"],
        "security_opt": ["seccomp:unconfined", "apparmor:unconfined"],
        "ports": [f"{_asked('KUBARIUM_LISTEN')}:{VXLAN_PORT}:{VXLAN_PORT}/udp"],
    }


def _asked(variable: str) -> str:
    """Name a variable without which compose says what is missing."""
    return f"${{{variable}:?docs/networking.md says what it is}}"

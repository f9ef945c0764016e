"""What a pod wishes of its network, and what CNI plugins answer.

A pod hangs on the node's bridge, which is its gateway, unless another configuration says otherwise (`cni_conf`). Addresses
come from the node's pod range. Whatever leaves the cluster is masqueraded by the proxy, not here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from dockershim.core.bandwidth import bandwidth
from machinery.model.errors import BadRequest
from machinery.pb import cri_pb2 as cri

BRIDGE: Final = "cni0"
INTERFACE: Final = "eth0"
_PROTOCOLS: Final = {cri.TCP: "tcp", cri.UDP: "udp", cri.SCTP: "sctp"}
_COULD_NOT: Final = range(
    1, 100
)  # codes by which a plugin says that it could not do it; its own ones are higher
_NO_CONTAINER: Final = 3


def wishes(config: Any) -> dict[str, Any]:
    """Return what a sandbox's configuration asks of its network, by the capability of a plugin that it takes.

    Raises:
        BadRequest: a port mapping or a rate cannot be.
    """
    asked = {
        "portMappings": port_mappings(config.port_mappings),
        "bandwidth": bandwidth(config.annotations),
    }
    return {capability: wish for capability, wish in asked.items() if wish}


def pod_arguments(config: Any) -> str:
    """Return who a pod is, as Kubernetes' runtimes tell plugins (CNI_ARGS)."""
    pod = config.metadata
    named = {"K8S_POD_NAMESPACE": pod.namespace, "K8S_POD_NAME": pod.name, "K8S_POD_UID": pod.uid}
    return ";".join(f"{key}={value}" for key, value in {"IgnoreUnknown": "1", **named}.items())


def port_mappings(mappings: Iterable[Any]) -> list[dict[str, Any]]:
    """Write CRI port mappings as CNI's; those without a host port are no mappings.

    Raises:
        BadRequest: a port, an address or a protocol that is none. The plugin would map it to nothing without a word, or take
            the sandbox and never remove it.
    """
    return [
        {
            "hostPort": _port(mapping.host_port, "host_port"),
            "containerPort": _port(mapping.container_port, "container_port"),
            "protocol": _protocol(mapping.protocol),
            **({"hostIP": _address(mapping.host_ip)} if mapping.host_ip else {}),
        }
        for mapping in mappings
        if mapping.host_port > 0
    ]


def _port(number: int, field: str) -> int:
    if not 0 < number < 2**16:
        raise BadRequest(f"port mapping: {field} has to be 1 to 65535, not {number}")
    return number


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise BadRequest(f"port mapping: host_ip: {error}") from error
    return text


def _protocol(number: Any) -> str:
    if number not in _PROTOCOLS:
        raise BadRequest(f"port mapping: there is no protocol {number}")
    return _PROTOCOLS[number]


def result_addresses(result: dict[str, Any]) -> tuple[str, ...]:
    """Read a pod's addresses from a plugin's result."""
    return tuple(item["address"].partition("/")[0] for item in result.get("ips") or ())


def is_broken(code: int) -> bool:
    """Whether a plugin that CHECK fails with this code says that the pod's network is not as it was; else it could not look."""
    return code == _NO_CONTAINER or code not in _COULD_NOT


def error_text(output: dict[str, Any]) -> str:
    """Read what a plugin says about its failure."""
    return ": ".join(filter(None, (str(output.get("msg", "")), str(output.get("details", "")))))

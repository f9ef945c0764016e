"""Configurations for the CNI plugins, and what they answer (CNI specification 0.4.0).

A pod hangs on the node's bridge, which is its gateway. Addresses come from the node's pod range. Whatever leaves the
cluster is masqueraded by the proxy, not here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, Final

from machinery.model.errors import BadRequest
from machinery.pb import cri_pb2 as cri

VERSION: Final = "0.4.0"
NETWORK: Final = "kubarium"
BRIDGE: Final = "cni0"
INTERFACE: Final = "eth0"
_PROTOCOLS: Final = {cri.TCP: "tcp", cri.UDP: "udp", cri.SCTP: "sctp"}


def bridge_config(pod_cidr: str, data_dir: str, mtu: int) -> dict[str, Any]:
    """Write the configuration of the bridge plugin, with host-local for the addresses."""
    ranges = pod_cidr.split(",")
    default = [{"dst": "::/0" if ":" in part else "0.0.0.0/0"} for part in ranges]
    config: dict[str, Any] = {
        "cniVersion": VERSION,
        "name": NETWORK,
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "forceAddress": True,  # a node that comes back with another pod range
        "ipMasq": False,
        "hairpinMode": True,  # a pod reaches itself through its Service
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": part}] for part in ranges],
            "routes": default,
            "dataDir": data_dir,
        },
    }
    return {**config, "mtu": mtu} if mtu else config


def portmap_config(ports: Sequence[dict[str, Any]], previous: dict[str, Any] | None) -> dict[str, Any]:
    """Write the configuration of the portmap plugin, which comes after the bridge."""
    config: dict[str, Any] = {
        "cniVersion": VERSION,
        "name": NETWORK,
        "type": "portmap",
        "capabilities": {"portMappings": True},
        "snat": True,
        "runtimeConfig": {"portMappings": list(ports)},
    }
    return {**config, "prevResult": previous} if previous else config


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


def error_text(output: dict[str, Any]) -> str:
    """Read what a plugin says about its failure."""
    return ": ".join(filter(None, (str(output.get("msg", "")), str(output.get("details", "")))))

"""The configuration of the proxy's process."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from machinery.process.config import (
    ComponentConfig,
    ConfigError,
    check_given,
    check_positive,
    setting,
)
from proxy.core.desired import PRIMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig(ComponentConfig):
    """Flags of the proxy."""

    node_name: str = setting("", help="the node whose packet filter this is, as the API names it")
    cluster_cidr: str = setting(
        "10.244.0.0/16",
        help="network that every pod's address lies in (IPv4); with an IPv6 one after a comma both families are served",
    )
    network_policies: bool = setting(
        default=True, help="enforce NetworkPolicies; false where another program of the node does"
    )
    nodeport_addresses: tuple[str, ...] = setting(
        (),
        help="networks of the node's addresses that node ports are served at, or primary for those that its Node names; any if empty, and of a family that none is of",
    )
    tunnel: str = setting(
        "",
        help="network namespace of a machine's tunnel: keep its peers, the cluster's other machines, and do nothing else",
    )
    tunnel_address: str = setting("", help="with --tunnel: this machine's address, as the others know it")
    tunnel_peers: tuple[str, ...] = setting(
        (), help="with --tunnel: addresses of machines that are peers whether they have nodes or not"
    )
    cleanup: bool = setting(
        default=False, help="remove the rules, routes and addresses of this node's proxies, and end"
    )
    sync_period_s: float = setting(
        30.0, help="look at the kernel's rules and routes that often, changed or not", unit="cluster seconds"
    )
    min_sync_gap_s: float = setting(0.05, help="least time between two writes", unit="wall seconds")
    command_timeout_s: float = setting(
        10.0, help="how long nft, ip and conntrack may take; well above --min-sync-gap-s", unit="wall seconds"
    )

    def validate(self) -> None:
        """Check what has no default, and the ranges.

        Raises:
            ConfigError: a field does not fit; the error names it.
        """
        ComponentConfig.validate(self)
        if not self.cleanup:
            check_given(self, "server", "tunnel_address" if self.tunnel else "node_name")
        _check_cluster_cidr(self.cluster_cidr)
        for text in self.nodeport_addresses:
            _check_node_port_address(text)
        check_positive(self, "sync_period_s", "min_sync_gap_s", "command_timeout_s")


def _check_cluster_cidr(text: str) -> None:
    try:
        versions = [ipaddress.ip_network(each).version for each in text.split(",")]
    except ValueError as error:
        raise ConfigError("cluster_cidr", f"has to be a network: {error}") from None
    if versions not in ([4], [4, 6]):
        raise ConfigError(
            "cluster_cidr", f"has to be an IPv4 network, alone or before an IPv6 one with a comma, not {text}"
        )


def _check_node_port_address(text: str) -> None:
    try:
        if text != PRIMARY:
            ipaddress.ip_network(text)
    except ValueError as error:
        problem = f"{text!r} is neither {PRIMARY} nor a network: {error}"
        raise ConfigError("nodeport_addresses", problem) from None

"""The cluster's ranges of pod addresses, as a flag has them: of IPv4, or of IPv4 and IPv6 with a comma."""

from __future__ import annotations

import ipaddress
from typing import Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

NODE_MASKS: Final = {
    4: 24,
    6: 64,
}  # lengths of the prefixes that nodes get, by the version of IP; Kubernetes' own


def read_ranges(text: str) -> list[Network]:
    """Read the ranges; "" has none.

    Raises:
        ValueError: they are none, or have no room for a node.
    """
    networks = [ipaddress.ip_network(each) for each in text.split(",")] if text else []
    if networks and [each.version for each in networks] not in ([4], [4, 6]):
        raise ValueError(f"has to be an IPv4 range, alone or before an IPv6 one with a comma, not {text}")
    for network in networks:
        if network.prefixlen > (mask := NODE_MASKS[network.version]):
            raise ValueError(f"has to hold a /{mask} for each node, {network} is too small")
    return networks

"""Addresses of simulated pods."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection


def allocate(pod_cidr: str, taken: Collection[str]) -> str | None:
    """Return the first free address of a pod range; None when all are taken.

    The network's address, the gateway (the first one) and the broadcast address are never given.
    """
    hosts = ipaddress.ip_network(pod_cidr).hosts()
    next(hosts, None)
    return next((text for text in map(str, hosts) if text not in taken), None)

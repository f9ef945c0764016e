"""Which certificates a cluster needs: names and places, no keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that some component needs: file stem, who it names, where it is valid."""

    name: str  # pki/<name>.crt and .key
    common_name: str
    organizations: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # names, loopback, the Service `kubernetes`; empty for pure clients
    authority: str = "ca"  # "ca", "etcd-ca" or "front-proxy-ca"
    is_client: bool = True  # whether it may be shown to a server, too

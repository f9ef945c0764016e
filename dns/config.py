"""The configuration of the DNS server's process."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from dns.core.upstream import Server, read_server
from machinery.process.config import (
    ComponentConfig,
    ConfigError,
    check_given,
    check_positive,
    check_readable,
    setting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsConfig(ComponentConfig):
    """Flags of the DNS server."""

    listen: tuple[str, ...] = setting(
        ("0.0.0.0:53",), help="addresses host:port at which questions are answered, over UDP and TCP"
    )
    cluster_domain: str = setting("cluster.local", help="domain of the cluster's names")
    ttl_s: int = setting(30, help="how long clients may remember the cluster's names", unit="seconds")
    upstream: tuple[str, ...] = setting(
        (), help="servers host[:port] for all other names; those of --resolv-conf if empty"
    )
    resolv_conf: str = setting(
        "/etc/resolv.conf", help="file that names the servers for all other names; with none they are refused"
    )
    stub_domains: tuple[str, ...] = setting(
        (),
        help="domains with servers of their own: domain=host[:port], several of one domain as several items",
    )
    upstream_timeout_s: float = setting(2.0, help="how long one other server may take", unit="wall seconds")
    most_forwarded: int = setting(1000, help="questions that others are asked at once; more are refused")
    remembered_s: float = setting(
        30.0, help="how long an answer of another server is told again at most", unit="wall seconds"
    )
    most_connections: int = setting(256, help="TCP connections at once; the longest idle one makes room")
    idle_s: float = setting(10.0, help="how long a TCP connection may be silent", unit="wall seconds")
    announce_address: str = setting(
        "",
        help="address of this server that the cluster's nodes reach: it is put into an EndpointSlice of the Service"
        " kube-dns, which is made; none if empty, for a server that is a workload of the cluster",
    )
    announce_port: int = setting(0, help="port at --announce-address; 0: that of --listen")
    health_listen: str = setting(
        "", help="address host:port of /health, over plain HTTP as pods are probed; none if empty"
    )
    ready_listen: str = setting("", help="likewise of /ready")
    metrics_listen: str = setting("", help="likewise of /metrics")
    cluster_dns: str = setting("10.96.0.10", help="ClusterIP of the Service kube-dns that is announced")

    @property
    def stubs(self) -> dict[str, tuple[Server, ...]]:
        """The domains that have servers of their own.

        Raises:
            ValueError: an item is not of that form.
        """
        found: dict[str, tuple[Server, ...]] = {}
        for text in self.stub_domains:
            domain, equals, server = text.partition("=")
            if not (domain.strip(".") and equals):
                raise ValueError(f"{text!r} is not domain=host[:port]")
            key = domain.strip(".").lower()
            found[key] = (*found.get(key, ()), Server(*read_server(server)))
        return found

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that are named for all other names.

        Raises:
            ValueError: an item is no address.
        """
        return tuple(Server(*read_server(text)) for text in self.upstream)

    @property
    def doors(self) -> tuple[Server, ...]:
        """Where questions are answered.

        Raises:
            ValueError: an item is no address.
        """
        return tuple(Server(*read_server(text)) for text in self.listen)

    def validate(self) -> None:
        """Check what has no default, the addresses, and the ranges.

        Raises:
            ConfigError: a field does not fit; the error names it.
        """
        ComponentConfig.validate(self)
        check_given(self, "server", "listen", "cluster_domain", "cluster_dns")
        for field, read in (("stub_domains", "stubs"), ("upstream", "servers"), ("listen", "doors")):
            try:
                servers = getattr(self, read)
            except ValueError as error:
                raise ConfigError(field, str(error)) from error
            for server in (*servers.values(),) if isinstance(servers, dict) else (servers,):
                for one in server:
                    _check_address(field, one.host)
        for field in ("announce_address", "cluster_dns"):
            if text := getattr(self, field):
                _check_address(field, text)
        for field in ("health_listen", "ready_listen", "metrics_listen"):
            _check_door(field, getattr(self, field))
        if self.upstream == () and self.resolv_conf:
            check_readable("resolv_conf", self.resolv_conf)
        check_positive(self, "ttl_s", "upstream_timeout_s", "most_forwarded", "most_connections", "idle_s")


def _check_door(field: str, text: str) -> None:
    if text:
        try:
            host, _ = read_server(text)
        except ValueError as error:
            raise ConfigError(field, str(error)) from error
        _check_address(field, host)


def _check_address(field: str, text: str) -> None:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        raise ConfigError(field, f"{text!r} is no IP address") from None

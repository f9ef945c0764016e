"""What the apiserver is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from apiserver.rest.limits import Limits
from machinery.process.config import ComponentConfig, ConfigError, check_readable, flag, setting

_LIMITS = Limits()
_PAIRS = (
    ("cert_file", "key_file"),
    ("etcd_cert_file", "etcd_key_file"),
    ("kubelet_cert_file", "kubelet_key_file"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiserverConfig(ComponentConfig):
    """Every field is a flag. `--cert-file` and `--key-file` are what both doors show."""

    etcd_servers: tuple[str, ...] = setting((), help="etcd's client URLs")
    etcd_ca_file: str = setting(
        "", help="PEM certificate of etcd's CA; without it, etcd is spoken to in the clear"
    )
    etcd_cert_file: str = setting("", help="PEM client certificate for etcd")
    etcd_key_file: str = setting("", help="PEM key of --etcd-cert-file")
    rest_listen: tuple[str, ...] = setting(("127.0.0.1:6443",), help="addresses host:port of the REST door")
    grpc_listen: tuple[str, ...] = setting(("127.0.0.1:6444",), help="addresses host:port of the gRPC door")
    advertise_address: str = setting("", help="IPv4 address at which pods reach the REST door; none if empty")
    kubelet_cert_file: str = setting("", help="PEM client certificate for the kubelets")
    kubelet_key_file: str = setting("", help="PEM key of --kubelet-cert-file")
    sa_key_file: str = setting("", help="PEM private key that signs ServiceAccount tokens")
    service_cidr: str = setting("10.96.0.0/16", help="range of the Services' cluster IPs")
    authorization_config: str = setting(
        "",
        help="file with an AuthorizationConfiguration, read again when it changes; without one: Node, then RBAC",
    )
    access_log: bool = setting(
        default=False, help="log each request at level info: verb, path, user, code, latency, user agent"
    )
    max_requests_inflight: int = setting(
        60, help="requests served at once, of all priority levels but exempt; the others wait in fair order"
    )
    rest_handshake_s: float = setting(
        _LIMITS.handshake_s, help="a client's time for TLS", unit="wall seconds"
    )
    rest_head_s: float = setting(
        _LIMITS.head_s, help="a client's time for a head, from its first byte on", unit="wall seconds"
    )
    rest_idle_s: float = setting(
        _LIMITS.idle_s, help="how long a connection is kept; more than --rest-head-s", unit="wall seconds"
    )
    rest_plain_body_s: float = setting(
        _LIMITS.plain_body_s, help="a body that takes longer is read by aiohttp", unit="wall seconds"
    )
    rest_answer_s: float = setting(
        _LIMITS.answer_s, help="for what is no stream, its body included; then 504", unit="wall seconds"
    )
    rest_stalled_s: float = setting(
        _LIMITS.stalled_s, help="a client's time to take the next part of an answer", unit="wall seconds"
    )
    rest_head_bytes: int = setting(_LIMITS.head_bytes, help="largest head; then 431", unit="bytes")
    rest_greetings: int = setting(
        _LIMITS.greetings, help="connections that shake hands at once; above it the longest one is cut"
    )
    rest_connections: int = setting(
        _LIMITS.connections, help="connections at once; above it one that has never asked is cut"
    )

    def validate(self) -> None:
        """Check what has no default, and that files and addresses can be read.

        Raises:
            ConfigError: a field is missing, or has a value that does not work.
        """
        ComponentConfig.validate(self)
        for field in ("etcd_servers", "ca_file", "cert_file", "sa_key_file", "kubelet_cert_file"):
            if not getattr(self, field):
                raise ConfigError(field, "is needed")
        for cert, key in _PAIRS:
            if bool(getattr(self, cert)) != bool(getattr(self, key)):
                raise ConfigError(cert, f"goes together with {flag(key)}")
        for field in (
            "etcd_ca_file",
            "etcd_cert_file",
            "etcd_key_file",
            "kubelet_cert_file",
            "kubelet_key_file",
        ):
            check_readable(field, getattr(self, field))
        check_readable("sa_key_file", self.sa_key_file)
        if self.authorization_config:
            _check_document("authorization_config", self.authorization_config, _authorizers)
        self._check_addresses()
        if self.max_requests_inflight < 1:
            raise ConfigError(
                "max_requests_inflight", f"has to be 1 or more, not {self.max_requests_inflight}"
            )
        try:
            _ = self.rest_limits
        except ValueError as error:
            raise ConfigError("rest_head_s", str(error)) from error

    def _check_addresses(self) -> None:
        for field in ("rest_listen", "grpc_listen"):
            for address in getattr(self, field):
                if not address.rpartition(":")[2].isdigit():
                    raise ConfigError(field, f"has to be host:port, not {address!r}")
        try:
            size = ip_network(self.service_cidr).num_addresses
        except ValueError as error:
            raise ConfigError("service_cidr", str(error)) from error
        if ":" in self.service_cidr or size < 8:
            raise ConfigError(
                "service_cidr", f"has to be an IPv4 range of 8 addresses or more, not {self.service_cidr}"
            )

    @property
    def rest_limits(self) -> Limits:
        """What the REST door takes from a client, and how long it waits for one."""
        return Limits(
            handshake_s=self.rest_handshake_s,
            head_s=self.rest_head_s,
            idle_s=self.rest_idle_s,
            plain_body_s=self.rest_plain_body_s,
            answer_s=self.rest_answer_s,
            stalled_s=self.rest_stalled_s,
            head_bytes=self.rest_head_bytes,
            greetings=self.rest_greetings,
            connections=self.rest_connections,
        )

    @property
    def rest_port(self) -> int:
        """The port of the REST door."""
        return int(self.rest_listen[0].rpartition(":")[2])


def _check_document(field: str, path: str, read: Callable[[Any], object]) -> None:
    from apiserver.configured_files import read_document  # seldom needed, as is all below

    try:
        read(read_document(path))
    except (ValueError, OSError) as error:
        raise ConfigError(field, f"{path}: {error}") from error


def _authorizers(document: Any) -> object:
    from apiserver.core.authz.webhook import compile_condition
    from apiserver.core.configured.authorization import read_authorization

    return read_authorization(document, compile_condition)

"""The configuration of the ingress controller's process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ingress.core.classes import CONTROLLER
from ingress.core.rendering import Settings
from machinery.process.config import ComponentConfig, ConfigError, check_given, check_positive, setting

_PORTS: Final = ("http_port", "https_port", "health_port")
_TIMES: Final = ("connect_timeout_s", "idle_timeout_s", "tunnel_timeout_s", "old_proxy_s", "reload_timeout_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressConfig(ComponentConfig):
    """Flags of the ingress controller."""

    transport: Literal["grpc", "rest"] = setting("rest", help="how to talk to the apiserver")
    token_file: str = setting(
        "",
        help="file with the token of the ServiceAccount to come as, read again for each request; with --transport rest",
    )
    health_socket: str = setting(
        "/run/ingress/control.sock", help="unix socket for /livez, /readyz, /metrics and /faults"
    )
    state_dir: str = setting("/run/ingress", help="folder for the proxy's configuration and its sockets")
    haproxy: str = setting("haproxy", help="the proxy's program")
    controller: str = setting(
        CONTROLLER, help="what the IngressClasses and GatewayClasses name whose objects are followed"
    )
    publish_service: str = setting(
        "",
        help="namespace/name of the Service whose addresses Ingresses get as their status, and beside which each "
        "Gateway gets one; none if empty",
    )
    lease: str = setting(
        "", help="namespace/name of the Lease whose holder alone writes status and events; none if empty"
    )
    http_port: int = setting(8080, help="port for HTTP")
    https_port: int = setting(8443, help="port for HTTPS")
    health_port: int = setting(
        10254, help="port for /livez, /readyz, /metrics and /metrics/proxy, in the clear"
    )
    connections: int = setting(8192, help="connections at once; more wait")
    access_log: bool = setting(default=True, help="whether each request is logged")
    connect_timeout_s: float = setting(
        2.0, help="how long an endpoint may take to be connected", unit="wall seconds"
    )
    idle_timeout_s: float = setting(
        60.0, help="how long client or endpoint may be silent", unit="wall seconds"
    )
    tunnel_timeout_s: float = setting(3600.0, help="the same of a WebSocket", unit="wall seconds")
    old_proxy_s: float = setting(
        300.0, help="how long connections may last under a configuration of before", unit="wall seconds"
    )
    reload_timeout_s: float = setting(
        20.0, help="how long the proxy may take to begin anew", unit="wall seconds"
    )
    reload_gap_s: float = setting(1.0, help="shortest time between two configurations", unit="wall seconds")

    def validate(self) -> None:
        """Check what has no default, and the ranges.

        Raises:
            ConfigError: a field does not fit; the error names it.
        """
        ComponentConfig.validate(self)
        check_given(self, "server", "state_dir", "health_socket", "haproxy", "controller")
        check_positive(self, *_PORTS, *_TIMES, "connections")
        for field in ("publish_service", "lease"):
            if (value := getattr(self, field)) and value.count("/") != 1:
                raise ConfigError(field, f"is namespace/name, not {value!r}")
        if self.token_file and self.transport != "rest":
            raise ConfigError("token_file", "needs --transport rest")
        for field in _PORTS:
            if getattr(self, field) >= 1 << 16:
                raise ConfigError(field, f"has to be below 65536, not {getattr(self, field)}")

    @property
    def proxy(self) -> Settings:
        """What of it the proxy is told."""
        return Settings(
            http_port=self.http_port,
            https_port=self.https_port,
            health_port=self.health_port,
            admin_socket=f"{self.state_dir}/admin.sock",
            control_socket=self.health_socket,
            connections=self.connections,
            logs_requests=self.access_log,
            connect_s=self.connect_timeout_s,
            idle_s=self.idle_timeout_s,
            tunnel_s=self.tunnel_timeout_s,
            old_s=self.old_proxy_s,
        )

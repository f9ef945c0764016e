"""What the apiserver is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from typing import Any

from apiserver.aggregation.build import FrontProxyFiles
from apiserver.core.admission import check_built, chosen
from apiserver.core.admission.chain import NEED_CONFIGURATION
from apiserver.rest.limits import Limits
from machinery.model.endpoints import IPV4, IPV6
from machinery.model.tokens import ISSUER
from machinery.process.config import (
    ComponentConfig,
    ConfigError,
    check_positive,
    check_readable,
    flag,
    setting,
)

_LEAST_SERVICES = 8  # addresses in a range of Services
_LIMITS = Limits()
_PAIRS = (
    ("cert_file", "key_file"),
    ("etcd_cert_file", "etcd_key_file"),
    ("kubelet_cert_file", "kubelet_key_file"),
    ("proxy_client_cert_file", "proxy_client_key_file"),
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
    proxy_client_cert_file: str = setting(
        "", help="PEM client certificate under which requests are passed on to extension servers"
    )
    proxy_client_key_file: str = setting("", help="PEM key of --proxy-client-cert-file")
    requestheader_client_ca_file: str = setting(
        "", help="PEM certificate of the CA of --proxy-client-cert-file, as extension servers are told it"
    )
    requestheader_allowed_names: tuple[str, ...] = setting(
        (), help="common names of that certificate, as extension servers are told them; none: any"
    )
    sa_key_file: str = setting("", help="PEM private key that signs ServiceAccount tokens")
    service_cidr: str = setting(
        "10.96.0.0/16",
        help="range of the Services' cluster IPs; with an IPv6 one after a comma they have both",
    )
    authentication_config: str = setting(
        "",
        help="file with an AuthenticationConfiguration, read again when it changes: issuers, and where nobody may ask",
    )
    authorization_config: str = setting(
        "",
        help="file with an AuthorizationConfiguration, read again when it changes; without one: Node, then RBAC",
    )
    audit_policy_file: str = setting(
        "", help="file with the audit policy; together with --audit-log-path or --audit-webhook-config-file"
    )
    audit_log_path: str = setting("", help='file that audit events are written to, "-" for standard output')
    audit_log_maxsize: int = setting(100, help="size at which the file is left; 0: never", unit="megabytes")
    audit_log_maxbackup: int = setting(0, help="how many old files are kept; 0: all")
    audit_log_maxage: int = setting(0, help="how long old files are kept; 0: for ever", unit="days")
    audit_log_compress: bool = setting(default=False, help="compress old files (gzip)")
    audit_webhook_config_file: str = setting(
        "", help="kubeconfig of the server that audit events are posted to"
    )
    audit_webhook_batch_max_size: int = setting(400, help="most events that are posted at once")
    audit_webhook_batch_max_wait_s: float = setting(
        30.0, help="after how long fewer are posted", unit="wall seconds"
    )
    audit_webhook_batch_buffer_size: int = setting(
        10_000, help="most events that wait to be posted; what comes on top is lost, and counted"
    )
    admission_control_config_file: str = setting(
        "", help="file with an AdmissionConfiguration, read once: how plugins and webhooks are configured"
    )
    enable_admission_plugins: tuple[str, ...] = setting(
        (), help="admission plugins that are on besides the default ones"
    )
    disable_admission_plugins: tuple[str, ...] = setting(
        (), help="admission plugins that are off, although they are on by default"
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
            "proxy_client_cert_file",
            "proxy_client_key_file",
            "requestheader_client_ca_file",
        ):
            check_readable(field, getattr(self, field))
        check_readable("sa_key_file", self.sa_key_file)
        self._check_audit()
        self._check_documents()
        self._check_addresses()
        self._check_admission()
        if self.max_requests_inflight < 1:
            raise ConfigError(
                "max_requests_inflight", f"has to be 1 or more, not {self.max_requests_inflight}"
            )
        try:
            _ = self.rest_limits
        except ValueError as error:
            raise ConfigError("rest_head_s", str(error)) from error

    def _check_documents(self) -> None:
        for field, read in (("authentication_config", _issuers), ("authorization_config", _authorizers)):
            if path := getattr(self, field):
                _check_document(field, path, read)

    def _check_admission(self) -> None:
        try:
            on = chosen(self.enable_admission_plugins, self.disable_admission_plugins)
        except ValueError as error:
            raise ConfigError("enable_admission_plugins", str(error)) from error
        if path := self.admission_control_config_file:
            _check_document("admission_control_config_file", path, partial(_admission, path, on))
        elif lacking := sorted(NEED_CONFIGURATION & on):
            name = "enable_admission_plugins"
            raise ConfigError(name, f"{lacking[0]} needs a configuration (--admission-control-config-file)")

    def _check_audit(self) -> None:
        """Check that there is a policy where there is a log, and that it makes sense."""
        if not self.audit_policy_file and (self.audit_log_path or self.audit_webhook_config_file):
            raise ConfigError("audit_policy_file", "is needed for an audit log")
        if not self.audit_policy_file:
            return
        if not (self.audit_log_path or self.audit_webhook_config_file):
            raise ConfigError("audit_policy_file", "needs a place to log to: --audit-log-path, for example")
        for field in ("audit_log_maxsize", "audit_log_maxbackup", "audit_log_maxage"):
            if getattr(self, field) < 0:
                raise ConfigError(field, f"may not be below 0, not {getattr(self, field)}")
        check_positive(
            self,
            "audit_webhook_batch_max_size",
            "audit_webhook_batch_max_wait_s",
            "audit_webhook_batch_buffer_size",
        )
        _check_document("audit_policy_file", self.audit_policy_file, _policy)
        if self.audit_webhook_config_file:
            _check_document("audit_webhook_config_file", self.audit_webhook_config_file, _remote)

    def _check_addresses(self) -> None:
        for field in ("rest_listen", "grpc_listen"):
            for address in getattr(self, field):
                if not address.rpartition(":")[2].isdigit():
                    raise ConfigError(field, f"has to be host:port, not {address!r}")
        _check_service_ranges(self.service_ranges)

    @property
    def service_ranges(self) -> tuple[str, ...]:
        """The ranges of the Services' addresses, one of each family, the cluster's first family first."""
        return tuple(self.service_cidr.split(","))

    @property
    def families(self) -> tuple[str, ...]:
        """The families of addresses that the cluster has, its first one first."""
        return tuple(IPV6 if ":" in each else IPV4 for each in self.service_ranges)

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
    def front_proxy_files(self) -> FrontProxyFiles:
        """As whom requests are passed on to extension servers."""
        return FrontProxyFiles(
            client_ca_file=self.ca_file,
            ca_file=self.requestheader_client_ca_file,
            cert_file=self.proxy_client_cert_file,
            key_file=self.proxy_client_key_file,
            allowed_names=self.requestheader_allowed_names,
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


def _check_service_ranges(ranges: Sequence[str]) -> None:
    try:
        networks = [ip_network(each) for each in ranges]
    except ValueError as error:
        raise ConfigError("service_cidr", str(error)) from error
    if [each.version for each in networks] not in ([4], [4, 6]) or any(
        each.num_addresses < _LEAST_SERVICES for each in networks
    ):
        raise ConfigError(
            "service_cidr",
            f"has to be an IPv4 range of {_LEAST_SERVICES} addresses or more, alone or before an IPv6 one with a comma, not {','.join(ranges)}",
        )


def _policy(document: Any) -> object:
    from apiserver.core.audit.policy import read_policy

    return read_policy(document)


def _remote(document: Any) -> object:
    from apiserver.core.configured.kubeconfig import read_kubeconfig

    return read_kubeconfig(document)


def _issuers(document: Any) -> object:
    from apiserver.core.authn_issuers import compile_mapping
    from apiserver.core.configured.authentication import read_authentication

    return read_authentication(document, compile_mapping, ISSUER)


def _admission(path: str, on: Collection[str], document: Any) -> object:
    from apiserver.configured_files import beside
    from apiserver.core.admission_configured import read_admission

    found = read_admission(document, beside(path), check_built)
    if lacking := found.lacks(on):
        raise ValueError(f"plugins: the admission plugin {lacking!r} is on, and has no configuration")
    if found.image_policy is not None:
        _check_document("admission_control_config_file", found.image_policy.kubeconfig_file, _remote)
    return found


def _authorizers(document: Any) -> object:
    from apiserver.core.authz.webhook import compile_condition
    from apiserver.core.configured.authorization import read_authorization

    return read_authorization(document, compile_condition)

"""The configuration of the controllers' process."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from controllers.switches import unknown
from controllers.table import CONTROLLERS
from machinery.process.config import ComponentConfig, ConfigError, check_given, check_readable, setting

LEAST_DURATION_S: Final = 600.0  # as of a CertificateSigningRequest's expirationSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllersConfig(ComponentConfig):
    """Every field is a flag."""

    controllers: tuple[str, ...] = setting(
        ("*",),
        help="controllers that run, by kube-controller-manager's names; * is all others, -job is none of that name",
    )
    node_eviction_rate: float = setting(
        0.1, help="nodes a cluster second of a zone whose pods may be evicted as they are not ready"
    )
    secondary_node_eviction_rate: float = setting(
        0.01, help="the same for a zone that is largely down; 0 where that is not larger than the threshold"
    )
    unhealthy_zone_threshold: float = setting(
        0.55, help="share of the nodes of a zone, at least three, with which it is largely down"
    )
    large_cluster_size_threshold: int = setting(
        50, help="nodes of a zone with which it is large: a smaller one that is largely down has no evictions"
    )
    terminated_pod_gc_threshold: int = setting(
        12_500, help="ended pods that there may be before they are deleted; 0 or less: they never are"
    )
    cluster_cidr: str = setting("", help="range that nodes get their pod addresses from; none if empty")
    root_ca_file: str = setting("", help="PEM file published as kube-root-ca.crt; none if empty")

    service_account_private_key_file: str = setting(
        "", help="PEM private key that signs tokens in Secrets of ServiceAccounts; none is made if empty"
    )
    cluster_signing_cert_file: str = setting(
        "",
        help="PEM certificate of the authority that signs CertificateSigningRequests; none is signed if empty",
    )
    cluster_signing_key_file: str = setting("", help="PEM key of --cluster-signing-cert-file")
    cluster_signing_duration_s: float = setting(
        365 * 24 * 3600.0,
        help="longest that certificates last, and that they do where nothing shorter is asked for; at least 600",
        unit="cluster seconds",
    )
    check_invariants: bool = setting(
        default=False, help="end where a controller writes what it does not declare"
    )

    def validate(self) -> None:
        """Check what has no default, the file and the range.

        Raises:
            ConfigError: a field does not fit; the error names it.
        """
        ComponentConfig.validate(self)
        check_given(self, "server")
        if bool(self.cluster_signing_cert_file) != bool(self.cluster_signing_key_file):
            raise ConfigError("cluster_signing_cert_file", "goes together with --cluster-signing-key-file")
        for field in (
            "root_ca_file",
            "service_account_private_key_file",
            "cluster_signing_cert_file",
            "cluster_signing_key_file",
        ):
            check_readable(field, getattr(self, field))
        if wrong := unknown(self.controllers, CONTROLLERS):
            raise ConfigError("controllers", f'"{wrong[0]}" is not in the list of known controllers')
        for field in ("node_eviction_rate", "secondary_node_eviction_rate"):
            if not getattr(self, field) >= 0:
                raise ConfigError(field, "may not be below 0")
        if not 0 <= self.unhealthy_zone_threshold <= 1:
            raise ConfigError("unhealthy_zone_threshold", "has to be between 0 and 1")
        if not self.cluster_signing_duration_s >= LEAST_DURATION_S:
            raise ConfigError("cluster_signing_duration_s", f"has to be at least {LEAST_DURATION_S:g}")
        if self.cluster_cidr:
            _check_range(self.cluster_cidr)


def _check_range(text: str) -> None:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ConfigError("cluster_cidr", f"has to be an IPv4 range: {error}") from error
    if network.prefixlen > 24:
        raise ConfigError("cluster_cidr", f"has to hold a /24 for each node, {text} is too small")

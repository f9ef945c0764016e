"""The configuration of the controllers' process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.address_pool import parse_pools
from controllers.core.pod_ranges import read_ranges
from controllers.switches import unknown
from controllers.table import CONTROLLERS
from machinery.process.config import (
    ComponentConfig,
    ConfigError,
    check_given,
    check_positive,
    check_readable,
    setting,
)

LONGEST_WINDOW_S: Final = 3600.0  # of a stabilization, as in an autoscaler's behavior
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
    horizontal_pod_autoscaler_sync_period_s: float = setting(
        15.0, help="how often a HorizontalPodAutoscaler is looked at", unit="cluster seconds"
    )
    horizontal_pod_autoscaler_downscale_stabilization_s: float = setting(
        300.0,
        help="how long an autoscaler does not shrink below what it asked for, where its behavior does not say it; at most 3600",
        unit="cluster seconds",
    )
    horizontal_pod_autoscaler_tolerance: float = setting(
        0.1,
        help="how far a ratio may be from 1 without that an autoscaler scales, where its behavior does not say it",
    )
    horizontal_pod_autoscaler_cpu_initialization_period_s: float = setting(
        300.0, help="how long the CPU of a pod that is not Ready yet does not count", unit="cluster seconds"
    )
    horizontal_pod_autoscaler_initial_readiness_delay_s: float = setting(
        30.0,
        help="how long after its start a pod that is not Ready is taken for one that never was",
        unit="cluster seconds",
    )
    cluster_cidr: str = setting(
        "",
        help="range that nodes get their pod addresses from, with an IPv6 one after a comma from both; none if empty",
    )
    load_balancer_pool: str = setting(
        "",
        help="addresses that Services of type LoadBalancer get, as first-last or as a network (IPv4), with an IPv6 one after a comma both; they wait if empty",
    )
    root_ca_file: str = setting("", help="PEM file published as kube-root-ca.crt; none if empty")

    service_account_private_key_file: str = setting(
        "", help="PEM private key that signs tokens in Secrets of ServiceAccounts; none is made if empty"
    )
    legacy_service_account_token_clean_up_period_s: float = setting(
        365 * 24 * 3600.0,
        help="how long a generated token in a Secret is not used before it is invalid, and then before it is deleted",
        unit="cluster seconds",
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
        _check_autoscaling(self)
        check_positive(self, "legacy_service_account_token_clean_up_period_s")
        if not 0 <= self.unhealthy_zone_threshold <= 1:
            raise ConfigError("unhealthy_zone_threshold", "has to be between 0 and 1")
        if not self.cluster_signing_duration_s >= LEAST_DURATION_S:
            raise ConfigError("cluster_signing_duration_s", f"has to be at least {LEAST_DURATION_S:g}")
        _check_ranges(self.cluster_cidr)
        if self.load_balancer_pool:
            _check_pool(self.load_balancer_pool)


def _check_pool(text: str) -> None:
    try:
        parse_pools(text)
    except ValueError as error:
        raise ConfigError("load_balancer_pool", f"has to be first-last or a network: {error}") from error


def _check_autoscaling(config: ControllersConfig) -> None:
    check_positive(config, "horizontal_pod_autoscaler_sync_period_s")
    prefix = "horizontal_pod_autoscaler_"
    for name in ("tolerance", "cpu_initialization_period_s", "initial_readiness_delay_s"):
        if not getattr(config, f"{prefix}{name}") >= 0:
            raise ConfigError(f"{prefix}{name}", "may not be below 0")
    if not 0 <= config.horizontal_pod_autoscaler_downscale_stabilization_s <= LONGEST_WINDOW_S:
        raise ConfigError(
            f"{prefix}downscale_stabilization_s", f"has to be between 0 and {LONGEST_WINDOW_S:g}"
        )


def _check_ranges(text: str) -> None:
    try:
        read_ranges(text)
    except ValueError as error:
        raise ConfigError("cluster_cidr", str(error)) from error

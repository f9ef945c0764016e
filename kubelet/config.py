"""What a kubelet is told."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from kubelet.core.eviction.settings import EvictionSettings
from kubelet.core.eviction.thresholds import DEFAULT_HARD, read_thresholds
from kubelet.core.image_access import Verification, VerificationPolicy
from kubelet.core.image_garbage import ImageLimits
from kubelet.core.log_files import MOST_FILES_LEFT_ALONE, LogLimits
from kubelet.core.node_status import read_labels
from kubelet.core.pod_garbage import ContainerLimits
from kubelet.core.sysctls import allowed_sysctls
from machinery.model import quantity
from machinery.model.k8s.core_v1 import Taint
from machinery.model.profile import Intervals, intervals
from machinery.model.taints import read_taint
from machinery.process.config import (
    ComponentConfig,
    ConfigError,
    check_given,
    check_quantity,
    check_readable,
    setting,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletConfig(ComponentConfig):
    """Every field is a flag."""

    node_name: str = setting("", help="name of the node that this kubelet is")
    node_ip: str = setting(
        "127.0.0.1",
        help="address by which the cluster reaches the node; with one of the other family after a comma both",
    )
    listen: tuple[str, ...] = setting((), help="addresses host:port of the Node service (TLS); none if empty")
    cri_socket: str = setting("", help="unix socket of the container runtime (CRI v1)")
    bootstrap_kubeconfig: str = setting(
        "",
        help="kubeconfig with a bootstrap token, as which the kubelet asks for its first client certificate where it has"
        " none that is valid",
    )
    rotate_certificates: bool = setting(
        default=True,
        help="renew the client certificate by a CertificateSigningRequest after 70 to 90 %% of its life",
    )
    tls_cert_file: str = setting(
        "", help="PEM certificate that the kubelet serves with; empty: the one of --cert-file"
    )
    tls_private_key_file: str = setting("", help="PEM key of --tls-cert-file")
    rotate_server_certificates: bool = setting(
        default=False,
        help="ask for the serving certificate by a CertificateSigningRequest, which somebody has to approve, and renew it"
        " (serverTLSBootstrap); until then the kubelet serves with --tls-cert-file",
    )
    root_dir: str = setting("/var/lib/kubelet", help="folder for volumes, logs and other files of pods")
    cpu: str = setting("", help="declared cpu capacity (2, 500m); empty: the machine's")
    memory: str = setting("", help="declared memory capacity (4Gi); empty: the machine's")
    node_labels: tuple[str, ...] = setting((), help="labels key=value of the node")
    register_with_taints: tuple[str, ...] = setting(
        (),
        help="taints key=value:Effect that the node has when it is registered; afterwards they are the API's",
    )
    allowed_unsafe_sysctls: tuple[str, ...] = setting(
        (),
        help="kernel parameters that pods may set beside the safe ones: net.core.somaxconn, kernel.msg*",
    )
    cluster_dns: tuple[str, ...] = setting(
        (), help="addresses of the cluster's DNS, which pods of the policy ClusterFirst ask; none if empty"
    )
    cluster_domain: str = setting("cluster.local", help="domain of the cluster's names; none if empty")
    cgroup_root: str = setting("", help="cgroup under which the node's pods live; empty: none is made")
    machine_id_file: str = setting("", help="file with the node's machine id; empty: the machine's")
    system_uuid_file: str = setting("", help="file with the node's system UUID; empty: the machine's")
    boot_id_file: str = setting(
        "",
        help="file with the id of the node's latest start, read when the kubelet starts; empty: the machine's",
    )
    container_log_max_size: str = setting(
        "10Mi", help="size at which a container's log file is rotated; below 0: none is"
    )
    container_log_max_files: int = setting(
        5, help="files that a container's log has at most, with the one that is written to; at least 2"
    )
    image_pull_credentials_verification_policy: Literal[
        "NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify"
    ] = setting(
        "NeverVerifyPreloadedImages",
        help="for which images that are on the node a pod needs credentials that could pull them",
    )
    preloaded_images_verification_allowlist: tuple[str, ...] = setting(
        (),
        help="with NeverVerifyAllowlistedImages: repositories that everyone may use (docker.io/library/busybox,"
        " registry.example.com/team/*)",
    )
    eviction_hard: tuple[str, ...] = setting(
        DEFAULT_HARD,
        help="what the node has to have left (memory.available<100Mi, nodefs.available<10%%, pid.available<5%%): below that pods"
        " are evicted at once; a threshold of 0%% is none",
    )
    eviction_soft: tuple[str, ...] = setting(
        (), help="likewise, with a grace period: below that for so long pods are evicted"
    )
    eviction_soft_grace_period: tuple[str, ...] = setting(
        (), help="the grace periods of --eviction-soft, in cluster time (memory.available=1m30s)"
    )
    eviction_minimum_reclaim: tuple[str, ...] = setting(
        (),
        help="how much more than its threshold has to be left until no more pods are evicted (nodefs.available=500Mi)",
    )
    eviction_pressure_transition_period_s: float = setting(
        300.0,
        help="how long a node's condition lasts after the pressure was seen last",
        unit="cluster seconds",
    )
    eviction_max_pod_grace_period_s: float = setting(
        0.0,
        help="the most grace period of a pod that is evicted because of a soft threshold",
        unit="cluster seconds",
    )
    image_gc_high_threshold: int = setting(
        85,
        help="how full the disk of the images is, in percent, from where images are removed that nobody uses; 100: none is. Of an"
        " engine that is shared only images go that this node has pulled and that nobody else has named",
    )
    image_gc_low_threshold: int = setting(
        80, help="how full the disk is, in percent, until which images are removed"
    )
    image_minimum_gc_age_s: float = setting(
        120.0, help="how old an image has to be to be removed for its room", unit="cluster seconds"
    )
    image_maximum_gc_age_s: float = setting(
        0.0,
        help="for how long an image may be unused until it is removed, however full the disk is; 0: for ever",
        unit="cluster seconds",
    )
    minimum_container_ttl_s: float = setting(
        0.0, help="how old a dead container has to be to be removed", unit="cluster seconds"
    )
    maximum_dead_containers_per_container: int = setting(
        1, help="old instances that are kept of each container, beside the newest; below 0: all of them"
    )
    maximum_dead_containers: int = setting(
        -1, help="dead containers that are kept on the whole node; below 0: there is no such limit"
    )
    node_status_update_s: float = setting(
        0.0,
        help="how often the kubelet looks whether its node's status has changed; 0: as the profile says",
        unit="cluster seconds",
    )
    check_invariants: bool = setting(
        default=False,
        help="check every step of every pod's life against its invariants; end where one is broken",
    )

    @property
    def labels(self) -> dict[str, str]:
        """The node's labels."""
        return read_labels(self.node_labels)

    @property
    def intervals(self) -> Intervals:
        """How often the kubelet says that its node is alive, and how it is."""
        row = intervals(self.profile)
        every_s = self.node_status_update_s
        return replace(row, node_status_update_s=every_s) if every_s else row

    @property
    def serving_files(self) -> tuple[str, str] | None:
        """The files of the serving certificate and its key that the kubelet was given; None where there are none."""
        if self.tls_cert_file:
            return self.tls_cert_file, self.tls_private_key_file
        return (self.cert_file, self.key_file) if self.cert_file else None

    @property
    def taints(self) -> list[Taint]:
        """The taints that the node is registered with."""
        return [read_taint(text) for text in self.register_with_taints]

    @property
    def log_limits(self) -> LogLimits:
        """How much of a container's log is kept."""
        return LogLimits(quantity.memory_bytes(self.container_log_max_size), self.container_log_max_files)

    @property
    def evictions(self) -> EvictionSettings:
        """When pods are evicted."""
        return EvictionSettings(
            read_thresholds(
                self.eviction_hard,
                self.eviction_soft,
                self.eviction_soft_grace_period,
                self.eviction_minimum_reclaim,
            ),
            self.eviction_pressure_transition_period_s,
            self.eviction_max_pod_grace_period_s,
        )

    @property
    def image_limits(self) -> ImageLimits:
        """When images are removed that nobody uses."""
        return ImageLimits(
            self.image_gc_high_threshold,
            self.image_gc_low_threshold,
            self.image_minimum_gc_age_s,
            self.image_maximum_gc_age_s,
        )

    @property
    def container_limits(self) -> ContainerLimits:
        """How many dead containers are kept."""
        return ContainerLimits(
            self.maximum_dead_containers_per_container,
            self.maximum_dead_containers,
            self.minimum_container_ttl_s,
        )

    @property
    def image_verification(self) -> Verification:
        """For which images on the node a pod needs credentials."""
        policy = VerificationPolicy(self.image_pull_credentials_verification_policy)
        return Verification(policy, self.preloaded_images_verification_allowlist)

    @property
    def published(self) -> dict[str, Any]:
        """What of this a KubeletConfiguration (kubelet.config.k8s.io/v1beta1) has: /configz shows it."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "allowedUnsafeSysctls": list(self.allowed_unsafe_sysctls),
            "cgroupRoot": self.cgroup_root,
            "clusterDNS": list(self.cluster_dns),
            "clusterDomain": self.cluster_domain,
            "containerLogMaxFiles": self.container_log_max_files,
            "containerLogMaxSize": self.container_log_max_size,
            "containerRuntimeEndpoint": f"unix://{self.cri_socket}",
            "evictionHard": _by_signal(self.eviction_hard, "<"),
            "evictionMaxPodGracePeriod": int(self.eviction_max_pod_grace_period_s),
            "evictionMinimumReclaim": _by_signal(self.eviction_minimum_reclaim, "="),
            "evictionPressureTransitionPeriod": f"{self.eviction_pressure_transition_period_s:g}s",
            "evictionSoft": _by_signal(self.eviction_soft, "<"),
            "evictionSoftGracePeriod": _by_signal(self.eviction_soft_grace_period, "="),
            "imageGCHighThresholdPercent": self.image_gc_high_threshold,
            "imageGCLowThresholdPercent": self.image_gc_low_threshold,
            "imageMaximumGCAge": f"{self.image_maximum_gc_age_s:g}s",
            "imageMinimumGCAge": f"{self.image_minimum_gc_age_s:g}s",
            "imagePullCredentialsVerificationPolicy": self.image_pull_credentials_verification_policy,
            "preloadedImagesVerificationAllowlist": list(self.preloaded_images_verification_allowlist),
            "rotateCertificates": self.rotate_certificates,
            "serverTLSBootstrap": self.rotate_server_certificates,
            "tlsCertFile": self.tls_cert_file,
            "tlsPrivateKeyFile": self.tls_private_key_file,
            "registerWithTaints": [msgspec.to_builtins(each) for each in self.taints],
        }

    @property
    def root(self) -> Path:
        """The folder for the files of pods."""
        return Path(self.root_dir)

    @property
    def node_ips(self) -> tuple[str, ...]:
        """The node's addresses, one of each family at most, the first one first."""
        return tuple(self.node_ip.split(","))

    def validate(self) -> None:
        """Check what has no default, and what can be read as something.

        Raises:
            ConfigError: a field has a value that does not work.
        """
        ComponentConfig.validate(self)
        check_given(self, "server", "node_name", "node_ip", "cri_socket")
        self._validate_certificates()
        for field in ("cpu", "memory"):
            check_quantity(field, getattr(self, field))
        self._validate_numbers()
        if problem := _pair_problem(self.node_ips):
            raise ConfigError("node_ip", problem)
        for address in self.cluster_dns:
            if not _is_address(address):
                raise ConfigError("cluster_dns", f"{address!r} is no IP address")
        try:
            _ = self.image_verification
        except ValueError as error:
            raise ConfigError("preloaded_images_verification_allowlist", str(error)) from error
        try:
            read_labels(self.node_labels)
        except ValueError as error:
            raise ConfigError("node_labels", str(error)) from error
        try:
            _ = self.taints
        except ValueError as error:
            raise ConfigError("register_with_taints", str(error)) from error
        try:
            allowed_sysctls("", self.allowed_unsafe_sysctls)
        except ValueError as error:
            raise ConfigError("allowed_unsafe_sysctls", str(error)) from error

    def _validate_certificates(self) -> None:
        if bool(self.tls_cert_file) != bool(self.tls_private_key_file):
            raise ConfigError("tls_cert_file", "goes together with --tls-private-key-file")
        for field in ("bootstrap_kubeconfig", "tls_cert_file", "tls_private_key_file"):
            check_readable(field, getattr(self, field))
        if self.bootstrap_kubeconfig and not self.ca_file:
            raise ConfigError("bootstrap_kubeconfig", "needs --ca-file: the certificate is shown over TLS")
        if self.listen and self.serving_files is None:
            raise ConfigError(
                "listen", "needs --tls-cert-file or --cert-file, with the key: the Node service speaks TLS"
            )

    def _validate_numbers(self) -> None:
        if self.node_status_update_s < 0:
            raise ConfigError("node_status_update_s", f"may not be below 0, not {self.node_status_update_s}")
        try:
            _ = self.log_limits
        except ValueError as error:
            raise ConfigError("container_log_max_size", str(error)) from error
        try:
            _ = self.evictions
        except ValueError as error:
            raise ConfigError("eviction_hard", str(error)) from error
        try:
            _ = self.image_limits
        except ValueError as error:
            raise ConfigError("image_gc_high_threshold", str(error)) from error
        for field in (
            "eviction_pressure_transition_period_s",
            "eviction_max_pod_grace_period_s",
            "minimum_container_ttl_s",
        ):
            if getattr(self, field) < 0:
                raise ConfigError(field, f"may not be below 0, not {getattr(self, field)}")
        if self.container_log_max_files < MOST_FILES_LEFT_ALONE:
            raise ConfigError("container_log_max_files", "has to be greater than 1")


def _by_signal(statements: Sequence[str], sign: str) -> dict[str, str]:
    pairs = (statement.partition(sign) for statement in statements)
    return {name.strip(): text.strip() for name, _, text in pairs}


def _pair_problem(addresses: Sequence[str]) -> str:
    if wrong := [each for each in addresses if not _is_address(each)]:
        return f"{wrong[0]!r} is no IP address"
    is_pair = len(addresses) == len({":" in each for each in addresses})
    return "" if is_pair else "has to be one address, or one of each family with a comma"


def _is_address(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        return False
    return True

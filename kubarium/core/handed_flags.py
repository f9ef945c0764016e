"""The flags that a user may hand to a cluster's programs, each without "--"; all others follow from the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KUBELET_FLAGS: Final = (
    "allowed-unsafe-sysctls",
    "container-log-max-files",
    "container-log-max-size",
    "eviction-hard",
    "eviction-max-pod-grace-period-s",
    "eviction-minimum-reclaim",
    "eviction-pressure-transition-period-s",
    "eviction-soft",
    "eviction-soft-grace-period",
    "image-gc-high-threshold",
    "image-gc-low-threshold",
    "image-maximum-gc-age-s",
    "image-minimum-gc-age-s",
    "image-pull-credentials-verification-policy",
    "log-level",
    "maximum-dead-containers",
    "maximum-dead-containers-per-container",
    "minimum-container-ttl-s",
    "node-status-update-s",
    "preloaded-images-verification-allowlist",
    "record-messages",
    "rotate-certificates",
    "rotate-server-certificates",
)
APISERVER_FLAGS: Final = (
    "admission-control-config-file",
    "audit-log-compress",
    "audit-log-maxage",
    "audit-log-maxbackup",
    "audit-log-maxsize",
    "audit-log-path",
    "audit-policy-file",
    "audit-webhook-batch-buffer-size",
    "audit-webhook-batch-max-size",
    "audit-webhook-batch-max-wait-s",
    "audit-webhook-config-file",
    "authentication-config",
    "authorization-config",
    "disable-admission-plugins",
    "enable-admission-plugins",
    "log-level",
    "max-requests-inflight",
    "record-messages",
)
CONTROLLERS_FLAGS: Final = (
    "cluster-signing-duration-s",
    "controllers",
    "horizontal-pod-autoscaler-cpu-initialization-period-s",
    "horizontal-pod-autoscaler-downscale-stabilization-s",
    "horizontal-pod-autoscaler-initial-readiness-delay-s",
    "horizontal-pod-autoscaler-sync-period-s",
    "horizontal-pod-autoscaler-tolerance",
    "large-cluster-size-threshold",
    "legacy-service-account-token-clean-up-period-s",
    "log-level",
    "node-eviction-rate",
    "record-messages",
    "secondary-node-eviction-rate",
    "terminated-pod-gc-threshold",
    "unhealthy-zone-threshold",
)
SCHEDULER_FLAGS: Final = (
    "bind-timeout-s",
    "bindings",
    "config",
    "confirm-s",
    "log-level",
    "record-messages",
    "requests",
    "volume-bind-timeout-s",
)
PLANE_FLAGS: Final[Mapping[str, tuple[str, ...]]] = {  # by the program: see `ClusterSpec.args_of`
    "apiserver": APISERVER_FLAGS,
    "controllers": CONTROLLERS_FLAGS,
    "scheduler": SCHEDULER_FLAGS,
}

"""What a kubelet refuses to be told."""

from __future__ import annotations

import pytest

from kubelet.config import KubeletConfig
from kubelet.core.eviction.settings import EvictionSettings
from kubelet.core.eviction.thresholds import DEFAULT_HARD, read_thresholds
from kubelet.core.image_access import Verification, VerificationPolicy
from kubelet.core.log_files import LogLimits
from machinery.process.config import ConfigError, parse

NEEDED = {"server": "127.0.0.1:1", "node_name": "node-1", "cri_socket": "/cri.sock"}


@pytest.mark.parametrize(
    ("fields", "limits"),
    [
        ({}, LogLimits(10 * 2**20, 5)),
        ({"container_log_max_size": "64Ki", "container_log_max_files": 2}, LogLimits(64 * 2**10, 2)),
        ({"container_log_max_size": "-1"}, LogLimits(-1, 5)),
    ],
)
def test_logs_are_limited_as_containerlogmaxsize_and_containerlogmaxfiles_say(
    fields: dict[str, object], limits: LogLimits
):
    """A quantity and a number, with the defaults of Kubernetes."""
    config = KubeletConfig(**NEEDED, **fields)  # type: ignore[arg-type]  # a table of any fields
    config.validate()
    assert config.log_limits == limits


def test_pods_are_evicted_as_kubernetes_does_unless_told_otherwise():
    """By the names of KubeletConfiguration's fields."""
    config = KubeletConfig(**NEEDED)  # type: ignore[arg-type]
    assert config.evictions == EvictionSettings(read_thresholds(DEFAULT_HARD), 300.0, 0.0)
    argv = [
        "--eviction-hard=memory.available<5%",
        "--eviction-soft=memory.available<10%,pid.available<1k",
        "--eviction-soft-grace-period=memory.available=1m30s,pid.available=10s",
        "--eviction-minimum-reclaim=memory.available=64Mi",
        *(f"--{name.replace('_', '-')}={value}" for name, value in NEEDED.items()),
    ]
    told = parse(KubeletConfig, argv)
    assert len(told.evictions.thresholds) == 3
    assert told.published["evictionSoft"] == {"memory.available": "10%", "pid.available": "1k"}
    assert told.published["evictionSoftGracePeriod"]["memory.available"] == "1m30s"


def test_images_are_verified_as_kubernetes_does_unless_told_otherwise():
    """By the names of KubeletConfiguration's fields."""
    assert KubeletConfig(**NEEDED).image_verification == Verification(VerificationPolicy.NOT_PRELOADED)  # type: ignore[arg-type]
    argv = [
        "--image-pull-credentials-verification-policy=NeverVerifyAllowlistedImages",
        "--preloaded-images-verification-allowlist=docker.io/library/busybox,r.example.com/*",
        *(f"--{name.replace('_', '-')}={value}" for name, value in NEEDED.items()),
    ]
    assert parse(KubeletConfig, argv).image_verification == Verification(
        VerificationPolicy.NOT_ALLOWLISTED, ("docker.io/library/busybox", "r.example.com/*")
    )


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"preloaded_images_verification_allowlist": ("docker.io/library/busybox",)},
            "--preloaded-images-verification-allowlist: is for the policy NeverVerifyAllowlistedImages only",
        ),
        ({"container_log_max_size": "much"}, "--container-log-max-size: .*quantit"),
        ({"container_log_max_size": ""}, "--container-log-max-size: .*quantit"),
        ({"eviction_hard": ("disk<1",)}, "--eviction-hard: unsupported eviction signal disk"),
        ({"eviction_soft": ("pid.available<1",)}, "--eviction-hard: grace period must be specified"),
        (
            {"eviction_max_pod_grace_period_s": -1.0},
            "--eviction-max-pod-grace-period-s: may not be below 0",
        ),
        ({"container_log_max_files": 1}, "--container-log-max-files: has to be greater than 1"),
        ({"node_ip": "10.0.0.5,10.0.0.6"}, "--node-ip: has to be one address, or one of each family"),
        ({"node_ip": "10.0.0.5,"}, "--node-ip: '' is no IP address"),
        ({"node_ip": "fd00::5%eth0"}, "--node-ip: 'fd00::5%eth0' is no IP address"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(fields: dict[str, object], problem: str):
    """Before anything is started."""
    with pytest.raises(ConfigError, match=problem):
        KubeletConfig(**NEEDED, **fields).validate()  # type: ignore[arg-type]  # a table of any fields

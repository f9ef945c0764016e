"""Which cgroups there are, and what they are held to."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core.cgroups import (
    Limits,
    burstable_shares,
    oom_score_adj,
    pod_group,
    pod_limits,
    qos_groups,
    quota,
    shares,
    systemd_path,
    systemd_slice,
    weight,
)
from tests.support.builders import container, pod, resources

BOTH = {"cpu": "500m", "memory": "64Mi"}


@pytest.mark.parametrize(
    ("millicores", "expected"), [(0, 2), (1, 2), (1000, 1024), (250, 256), (10**9, 262_144)]
)
def test_shares(millicores: int, expected: int):
    """A core is 1024 shares, within the kernel's bounds."""
    assert shares(millicores) == expected


@pytest.mark.parametrize(("millicores", "expected"), [(0, 0), (1, 1000), (500, 50_000), (2000, 200_000)])
def test_quota(millicores: int, expected: int):
    """A core is the whole period; the kernel takes no less than a millisecond."""
    assert quota(millicores) == expected


@pytest.mark.parametrize(("cpu_shares", "expected"), [(0, 0), (2, 1), (1024, 39), (262_144, 10_000)])
def test_weight(cpu_shares: int, expected: int):
    """Shares of v1 become weights of v2 by the mapping that all of Kubernetes uses."""
    assert weight(cpu_shares) == expected


@pytest.mark.parametrize(
    ("requests", "limits", "group"),
    [
        (BOTH, BOTH, "/n/poduid-default-web"),
        (BOTH, {}, "/n/burstable/poduid-default-web"),
        ({}, {}, "/n/besteffort/poduid-default-web"),
    ],
)
def test_groups_by_class(requests: Any, limits: Any, group: str):
    """Guaranteed pods lie directly below the node."""
    assert pod_group("/n/", pod(requests=requests, limits=limits)) == group
    assert qos_groups("/n") == ("/n/burstable", "/n/besteffort")


def test_a_pod_is_bounded_only_where_each_container_is():
    """One container without a limit leaves the pod without."""
    whole = pod(containers=[container("a", limits=BOTH), container("b", limits=BOTH)])
    half = pod(containers=[container("a", limits=BOTH), container("b", requests={"cpu": "1"})])
    assert pod_limits(whole) == Limits(
        1024, 100_000, 128 * 2**20
    )  # by its limits, where nothing is asked for
    assert pod_limits(half) == Limits(cpu_shares=1024)  # only the second one asks for some
    assert pod_limits(pod()) == Limits(cpu_shares=2)


def test_pod_level_limits_bound_a_pod():
    """The pod's own resources count."""
    one = pod(containers=[container(requests={"cpu": "100m"})], resources=resources(BOTH, BOTH))
    assert pod_limits(one) == Limits(512, 50_000, 64 * 2**20)


def test_what_a_pod_asks_for_itself_spares_its_containers():
    """What is not asked for by any of them, is shared evenly by those that last, when it comes to who is killed first."""
    containers = [container("a", requests={"memory": "100Mi"}), container("b")]
    one = pod(containers=containers, resources=resources({"memory": "300Mi"}, {}))
    scores = [oom_score_adj(one, each, 1000 * 2**20) for each in containers]
    assert scores == [800, 900]


def test_burstable_pods_weigh_what_they_ask_for():
    """Others do not count."""
    pods = [pod(requests={"cpu": "500m"}), pod(requests=BOTH, limits=BOTH), pod()]
    assert burstable_shares(pods) == 512
    assert burstable_shares([]) == 2


def test_slices_for_systemd():
    """Dashes separate levels, so those in names become underscores; a slice lies in its parents."""
    assert systemd_slice("/kubarium/c/node-1/burstable/poda-b") == "kubarium-c-node_1-burstable-poda_b.slice"
    assert systemd_path("/kubarium/c/node-1") == ("/kubarium.slice/kubarium-c.slice/kubarium-c-node_1.slice")
    assert (systemd_slice("/"), systemd_path("")) == ("-.slice", "/")

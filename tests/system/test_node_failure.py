"""A node's agent, or a whole machine, dies and stays dead: its pods run elsewhere in the promised time."""

from __future__ import annotations

import time

import docker
import pytest

from kubarium import Cluster
from tests.support.clusters import StartCluster
from tests.support.kubectl import eventually
from tests.support.sleepers import (
    assert_recovery,
    recovery_s,
    start_sleepers,
)
from tests.support.stalls import Stalls

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

# Kubernetes' own: the kubelet's last lease renewal is up to 10 s old, the controller waits 50 s and looks
# every 5 s, then the default toleration of 300 s runs.
UPSTREAM_LEAST_S = 50 - 10 + 300
UPSTREAM_MOST_S = 50 + 10 + 5 + 300


def test_a_killed_kubelet_with_the_fast_profile(start_cluster: StartCluster):
    """With the fast profile the pods of a dead kubelet run elsewhere within 6 s."""
    cluster = start_cluster("fast", nodes=3, runtime="docker", profile="fast")
    kubectl = start_sleepers(cluster)
    assert_recovery(
        kubectl, lambda: cluster.kill("kubelet@node-2"), lambda: cluster.restart("kubelet@node-2")
    )


def test_a_dead_machine_with_the_fast_profile(start_cluster: StartCluster):
    """A machine that loses power takes its containers along; its pods run elsewhere within 6 s."""
    cluster = start_cluster("power", nodes=3, runtime="docker", profile="fast")
    kubectl = start_sleepers(cluster)
    assert_recovery(kubectl, lambda: cluster.kill("node-2"), lambda: cluster.restart("node-2"))
    assert _running_containers(cluster, "node-2") == []
    cluster.restart("node-2")
    ready = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    eventually(lambda: kubectl("get", "node", "node-2", ready) == "True", what="node-2 Ready again")


def test_a_killed_kubelet_at_twenty_times_the_speed(start_cluster: StartCluster):
    """With the default profile and a time scale of 20 it takes a twentieth of Kubernetes' own times."""
    cluster = start_cluster("scaled", nodes=3, runtime="docker", time_scale=20)
    kubectl = start_sleepers(cluster)
    with Stalls() as stalls:
        began = time.monotonic()
        cluster.kill("kubelet@node-2")
        recovery_s(kubectl, "node-2", limit_s=100)
        took = time.monotonic() - began
    # Wall seconds for scheduling and starting a container on a busy machine, which no time scale shortens.
    start_s = 10.0
    assert UPSTREAM_LEAST_S / 20 <= took <= UPSTREAM_MOST_S / 20 + start_s + stalls.total_s


def _running_containers(cluster: Cluster, node: str) -> list[str]:
    client = docker.from_env()
    try:
        labels = {"label": [f"kubarium.cluster={cluster.name}", f"kubarium.node={node}"]}
        found = client.containers.list(filters=labels, ignore_removed=True)
        return [container.name for container in found]
    finally:
        client.close()

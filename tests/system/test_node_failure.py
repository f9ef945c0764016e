"""A node's agent, or a whole machine, dies and stays dead: its pods run elsewhere in the promised time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import docker
import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.stalls import Stalls
from tests.system.conftest import StartCluster

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

# Kubernetes' own: the kubelet's last lease renewal is up to 10 s old, the controller waits 50 s and looks
# every 5 s, then the default toleration of 300 s runs.
UPSTREAM_LEAST_S = 50 - 10 + 300
UPSTREAM_MOST_S = 50 + 10 + 5 + 300
LIMIT_S = 6.0  # with the fast profile
STALL_S = 0.5  # of the machine, from which on a measure is repeated: leases last 2 s


def deployment(replicas: int) -> dict[str, Any]:
    """Build a Deployment of sleepers."""
    labels = {"app": "sleeper"}
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sleeper"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def start_sleepers(cluster: Cluster) -> Kubectl:
    """Run three sleepers on three nodes."""
    kubectl = Kubectl(cluster.kubeconfig)
    kubectl.apply(deployment(3))
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=60s", timeout_s=70)
    assert {pod["spec"]["nodeName"] for pod in kubectl.pods()} == {"node-1", "node-2", "node-3"}
    return kubectl


def recovery_s(kubectl: Kubectl, dead: str, *, limit_s: float) -> float:
    """Tell after how many seconds all three replicas run on the other nodes."""
    began = time.monotonic()
    eventually(
        lambda: _elsewhere(kubectl, dead) == 3,
        timeout_s=limit_s,
        every_s=0.05,
        what="three replicas elsewhere",
    )
    return time.monotonic() - began


def assert_recovery(kubectl: Kubectl, fail: Callable[[], None], mend: Callable[[], None]) -> None:
    """Let node-2 fail; its pods have to run elsewhere within 6 s.

    Where the machine itself stood still meanwhile, it is mended and fails again: up to three times.
    """
    for _ in range(3):
        with Stalls() as stalls:
            fail()
            took_s = recovery_s(kubectl, "node-2", limit_s=30)
        if took_s < LIMIT_S or stalls.longest_s < STALL_S:
            break
        mend()
        spread_again(kubectl)
    events = kubectl("get", "events", "--sort-by=.lastTimestamp")
    assert took_s < LIMIT_S, f"the longest stall of the machine took {stalls.longest_s:.2f} s\n{events}"


def spread_again(kubectl: Kubectl) -> None:
    """Run the sleepers on all nodes once more."""
    kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s", timeout_s=70)
    kubectl("scale", "deployment/sleeper", "--replicas=0")
    eventually(lambda: kubectl.pods() == [], what="no sleeper left")
    kubectl("scale", "deployment/sleeper", "--replicas=3")
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=60s", timeout_s=70)


def _elsewhere(kubectl: Kubectl, dead: str) -> int:
    return sum(is_ready(pod) and pod["spec"]["nodeName"] != dead for pod in kubectl.pods())


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
    cluster.kill("kubelet@node-2")
    took = recovery_s(kubectl, "node-2", limit_s=60)
    start_s = 3.0  # wall seconds for scheduling and starting a container, which no time scale shortens
    assert UPSTREAM_LEAST_S / 20 <= took <= UPSTREAM_MOST_S / 20 + start_s


def _running_containers(cluster: Cluster, node: str) -> list[str]:
    client = docker.from_env()
    try:
        labels = [f"kubarium.cluster={cluster.name}", f"kubarium.node={node}"]
        return [container.name for container in client.containers.list(filters={"label": labels})]
    finally:
        client.close()

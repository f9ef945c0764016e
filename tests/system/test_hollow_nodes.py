"""Hollow nodes beside a real one in one cluster: pods on both, and each node killed, paused and cut off by its name."""

from __future__ import annotations

from typing import Any

import pytest

from kubarium.errors import KubariumError
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

HOLLOW = "kubarium.dev/runtime"
COUNT = 60


def _deployment(name: str, replicas: int, **pod: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    spec = {"containers": [main], "terminationGracePeriodSeconds": 0, **pod}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def _nodes_of(kubectl: Kubectl, app: str) -> list[str]:
    pods = kubectl.get("pods", "-l", f"app={app}")
    return [pod["spec"].get("nodeName", "") for pod in pods if is_ready(pod)]


def _not_ready(kubectl: Kubectl) -> set[str]:
    return {node["metadata"]["name"] for node in kubectl.get("nodes") if not is_ready(node)}


def test_hollow_nodes_stand_beside_a_real_one_and_fail_by_their_names(start_cluster: StartCluster):
    """What tolerates them goes there, what does not never does; the others notice nothing of one that fails."""
    cluster = start_cluster("hollow", nodes=1, runtime="docker", hollow_nodes=COUNT, profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    eventually(lambda: _not_ready(kubectl) == set(), what="all nodes Ready")
    ranges = {node["spec"]["podCIDR"] for node in kubectl.get("nodes")}
    assert len(ranges) == COUNT + 1

    there = {
        "tolerations": [{"key": HOLLOW, "operator": "Exists"}, {"operator": "Exists", "effect": "NoExecute"}],
        "nodeSelector": {HOLLOW: "hollow"},
    }
    kubectl.apply(_deployment("real", 2))
    kubectl.apply(_deployment("simulated", COUNT, **there))
    eventually(lambda: len(_nodes_of(kubectl, "real")) == 2, timeout_s=120, what="the real pods")
    eventually(
        lambda: len(_nodes_of(kubectl, "simulated")) == COUNT, timeout_s=120, what="the simulated pods"
    )
    assert set(_nodes_of(kubectl, "real")) == {"node-1"}
    assert "node-1" not in _nodes_of(kubectl, "simulated")
    name = kubectl.get("pods", "-l", "app=simulated")[0]["metadata"]["name"]
    assert "nothing runs in it" in kubectl("logs", name)

    before = kubectl.get("node", "hollow-0007")["status"]["nodeInfo"]["bootID"]
    assert cluster.kill("hollow-0007") == ["hollow-0007"]
    cluster.pause("hollow-0008")
    cluster.cut("hollow-0009")
    cluster.cut("node-1")
    failed = {"hollow-0007", "hollow-0008", "hollow-0009", "node-1"}
    eventually(lambda: _not_ready(kubectl) == failed, timeout_s=120, what="four nodes that are not Ready")
    powers = cluster.hollow_nodes()
    assert len(powers) == COUNT
    assert [powers[f"hollow-{number:04}"] for number in range(6, 10)] == ["on", "off", "paused", "cut"]
    with pytest.raises(KubariumError, match="switched off"):
        cluster.resume("hollow-0007")
    with pytest.raises(KubariumError, match="no component"):
        cluster.kill("hollow-0061")
    cluster.restart("hollow-0007")
    for node in ("hollow-0008", "hollow-0009", "node-1"):
        cluster.resume(node)
    eventually(lambda: _not_ready(kubectl) == set(), timeout_s=120, what="all nodes Ready again")
    assert kubectl.get("node", "hollow-0007")["status"]["nodeInfo"]["bootID"] != before
    crashed = {each.name for each in cluster.ps() if each.restarts}
    assert crashed <= {"scheduler", "controllers"}, "a leader that cannot renew ends; nobody else does"

"""A fault plan cuts one conversation of a living cluster, over the control socket of the process that it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_faults import put
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

CUT = {"fault": "cut", "from": "kubelet@node-1", "protocol": "resources"}
CONDITION = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'


def use(path: Path, *rules: dict[str, Any]) -> list[dict[str, Any]]:
    """Send a plan, and return its rules with their counts."""
    found: list[dict[str, Any]] = put(path, "/faults", {"rules": rules})["rules"]
    return found


def test_a_node_that_is_cut_off_is_given_up_and_comes_back(start_cluster: StartCluster):
    """The kubelet lives and its processes run, but nothing of it arrives; when the link is back, so is the node."""
    cluster = start_cluster("cut", nodes=1, runtime="hollow", profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    control = cluster.layout.health("kubelet@node-1")
    use(control, CUT)
    eventually(lambda: kubectl("get", "node", "node-1", CONDITION) == "Unknown", what="node-1 Unknown")
    assert {process.state for process in cluster.ps()} == {"ready"}
    extended = use(control, CUT, {"fault": "delay", "delay_s": 0.01, "method": "Get"})
    assert extended[0]["applied"] > 0
    use(control)
    eventually(lambda: kubectl("get", "node", "node-1", CONDITION) == "True", what="node-1 Ready again")

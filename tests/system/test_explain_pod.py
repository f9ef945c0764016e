"""`kubarium explain pod` and `kubarium simulate` on a cluster that runs: what they say is what its scheduler said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


def kubarium(cluster: Cluster, *arguments: str) -> tuple[int, Any]:
    """Run `kubarium … -o json`; return its exit code and what it printed."""
    command = [sys.executable, "-m", "kubarium", *arguments, "--name", cluster.name, "-o", "json"]
    environment = {**os.environ, "KUBARIUM_HOME": str(cluster.layout.home.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """Return a pod that sleeps."""
    container = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    fields = {"terminationGracePeriodSeconds": 0, "containers": [container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": fields}


def unschedulable(kubectl: Kubectl, name: str) -> str:
    """Return what the scheduler says of a pod, once it does."""

    def said() -> str:
        found = kubectl.get("pod", name)["status"].get("conditions", [])
        return next((each["message"] for each in found if each.get("reason") == "Unschedulable"), "")

    return eventually(said)


def test_what_is_explained_is_what_the_scheduler_said(cluster: Cluster, kubectl: Kubectl, tmp_path: Path):
    """Word for word, through both doors; the hint is followed, and the pod gets a node that was named."""
    kubectl.apply(pod("picky", nodeSelector={"example.com/disk": "ssd"}))
    message = unschedulable(kubectl, "picky")
    namespace = kubectl.namespace
    code, found = kubarium(cluster, "explain", "pod/picky", "-n", namespace)
    assert (code, found["message"]) == (1, message.strip())
    by_rest = kubarium(cluster, "explain", f"pod/{namespace}/picky", "--kubeconfig", str(cluster.kubeconfig))
    assert by_rest[1]["message"] == found["message"]
    [hint] = [
        each
        for each in found["hints"]
        if each["changes"] == ["nodeSelector is without example.com/disk: ssd"]
    ]
    kubectl("delete", "pod", "picky")
    kubectl.apply(pod("picky"))
    node = eventually(lambda: kubectl.get("pod", "picky")["spec"].get("nodeName"))
    assert node in hint["nodes"]
    code, found = kubarium(cluster, "explain", "pod/picky", "-n", namespace)
    assert (code, found["node"]) == (0, node)
    assert {each["name"] for each in found["nodes"] if each["fits"]} == set(hint["nodes"])


def test_a_state_that_was_saved_is_simulated_elsewhere(cluster: Cluster, kubectl: Kubectl, tmp_path: Path):
    """Nodes and pods as they were, without what containers run."""
    file = tmp_path / "state.json"
    command = [
        sys.executable,
        "-m",
        "kubarium",
        "simulate",
        "--kubeconfig",
        str(cluster.kubeconfig),
        "--save",
        str(file),
    ]
    subprocess.run(command, check=True, timeout=150)
    items = json.loads(file.read_text())["items"]
    nodes = [each["metadata"]["name"] for each in items if each["kind"] == "Node"]
    assert nodes == ["node-1", "node-2", "node-3"]
    assert not any(
        "command" in each for item in items if item["kind"] == "Pod" for each in item["spec"]["containers"]
    )
    coming = tmp_path / "pods.json"
    coming.write_text(json.dumps(pod("new")))
    _, found = kubarium(cluster, "simulate", "--cluster", str(file), "--pods", str(coming))
    assert [each["node"] in nodes for each in found["placements"] if each["name"] == "new"] == [True]

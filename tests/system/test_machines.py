"""A node's name means the machine: it is paused, loses power and starts again as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

IDS = ("machineID", "systemUUID", "bootID")
WORK = "date +%s%N >> /disk/starts; date +%s%N >> /memory/starts; while :; do date +%s%N > /disk/now; sleep 0.05; done"


def _pod() -> dict[str, Any]:
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("disk", "memory")]
    volumes = [{"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}}]
    main = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", WORK],
        "volumeMounts": mounts,
    }
    spec = {"containers": [main], "volumes": volumes, "tolerations": [{"operator": "Exists"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "clock"}, "spec": spec}


def _volume(cluster: Cluster, kubectl: Kubectl, file: str) -> str:
    uid = kubectl.get("pod", "clock")["metadata"]["uid"]
    volumes = cluster.layout.node("node-1") / "kubelet" / "pods" / uid / "volumes" / "kubernetes.io~empty-dir"
    return (volumes / file).read_text() if (volumes / file).exists() else ""


def test_a_machine_is_paused_and_starts_again_as_a_whole(start_cluster: StartCluster):
    """Its containers stop and go on with it; a power cycle, unlike a kubelet's restart, empties memory and is told of."""
    cluster = start_cluster("machines", nodes=1, runtime="docker", profile="fast")
    kubectl = Kubectl(cluster.kubeconfig)
    kubectl.apply(_pod())
    kubectl("wait", "pod/clock", "--for=condition=Ready", "--timeout=180s", timeout_s=200)

    cluster.pause("node-1")
    assert {item.state for item in cluster.ps() if item.name.endswith("@node-1")} == {"paused"}
    frozen = _volume(cluster, kubectl, "disk/now")
    eventually(lambda: _ready(kubectl) == "Unknown", timeout_s=120, what="NotReady")
    assert _volume(cluster, kubectl, "disk/now") == frozen
    cluster.resume("node-1")
    eventually(lambda: _volume(cluster, kubectl, "disk/now") != frozen, what="the container going on")
    eventually(lambda: _ready(kubectl) == "True", timeout_s=120, what="Ready again")
    before = kubectl.get("node", "node-1")["status"]["nodeInfo"]

    cluster.restart("kubelet@node-1")
    eventually(lambda: _restarts_seen(cluster), what="the kubelet again")
    assert _starts(cluster, kubectl) == (1, 1)
    cluster.kill("node-1")
    cluster.restart("node-1")
    eventually(lambda: _starts(cluster, kubectl) == (2, 1), timeout_s=120, what="the container again")
    eventually(lambda: is_ready(kubectl.get("pod", "clock")), what="the pod Ready again")
    eventually(
        lambda: kubectl.get("node", "node-1")["status"]["nodeInfo"]["bootID"] != before["bootID"],
        what="a new boot id",
    )
    now = kubectl.get("node", "node-1")["status"]["nodeInfo"]
    assert {name: now[name] == before[name] for name in IDS} == {
        "machineID": True,
        "systemUUID": True,
        "bootID": False,
    }
    eventually(lambda: len(_reboots(kubectl)) == 1, what="one Rebooted event")
    assert _reboots(kubectl)[0]["type"] == "Warning"


def _ready(kubectl: Kubectl) -> str:
    return kubectl(
        "get", "node", "node-1", '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    ).strip()


def _restarts_seen(cluster: Cluster) -> bool:
    return {item.name: item.state for item in cluster.ps()}["kubelet@node-1"] == "ready"


def _starts(cluster: Cluster, kubectl: Kubectl) -> tuple[int, int]:
    """Return how many starts of the container the disk and the memory volume know."""
    disk, memory = (_volume(cluster, kubectl, f"{name}/starts").splitlines() for name in ("disk", "memory"))
    return len(disk), len(memory)


def _reboots(kubectl: Kubectl) -> list[dict[str, Any]]:
    found = json.loads(kubectl("get", "events", "--field-selector=reason=Rebooted", "-o", "json"))
    return list(found["items"])

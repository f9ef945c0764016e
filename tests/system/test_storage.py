"""Claims of the default class on real nodes: what is written stays, until the claim goes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

EXAMPLE = Path(__file__).parents[2] / "examples" / "csi-driver"


def counter(name: str) -> dict[str, Any]:
    """Return a pod that counts its starts in a claim's volume."""
    script = "echo x >> /data/starts; wc -l < /data/starts; sleep 3600"
    main = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec = {
        "containers": [main],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "terminationGracePeriodSeconds": 0,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def claim() -> dict[str, Any]:
    """Return a claim that names no class."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def started(kubectl: Kubectl, name: str) -> list[str]:
    """Start a pod; return where it runs, and how often one has been started there."""
    kubectl.apply(counter(name))
    kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    node = kubectl("get", "pod", name, "-o=jsonpath={.spec.nodeName}")
    eventually(lambda: kubectl("logs", name).strip() != "")
    return [node, kubectl("logs", name).strip()]


def _says(kubectl: Kubectl, reason: str) -> bool:
    return reason in kubectl("describe", "pvc", "data")


def test_what_a_pod_writes_stays_until_its_claim_goes(kubectl: Kubectl) -> None:
    """A claim waits for its first pod, gets a folder of that pod's node, grows, and goes with what is in it."""
    kubectl.apply(claim())
    eventually(lambda: "WaitForFirstConsumer" in kubectl("describe", "pvc", "data"))
    node, count = started(kubectl, "first")
    assert count == "1"
    kubectl("delete", "pod", "first")
    assert started(kubectl, "second") == [node, "2"]
    name = kubectl("get", "pvc", "data", "-o=jsonpath={.spec.volumeName}")
    grown = json.dumps({"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
    kubectl("patch", "pvc", "data", "-p", grown)
    eventually(lambda: kubectl("get", "pvc", "data", "-o=jsonpath={.status.capacity.storage}") == "3Gi")
    for reason in ("ProvisioningSucceeded", "VolumeResizeSuccessful"):
        eventually(partial(_says, kubectl, reason), what=reason)
    page = f"/api/v1/nodes/{node}/proxy/localVolumes"
    assert name in json.loads(kubectl("get", "--raw", page))["names"]
    kubectl("delete", "pod/second", "pvc/data", "--wait=false")
    eventually(lambda: kubectl.run("get", "pv", name).code != 0, what="the end of the volume")
    eventually(
        lambda: name not in json.loads(kubectl("get", "--raw", page))["names"], what="its folder's end"
    )


@contextlib.contextmanager
def driver(cluster: Cluster, node: str, folder: Path) -> Iterator[None]:
    """Run the example's CSI driver on a node."""
    kubelet = cluster.layout.node(node) / "kubelet"
    options = [f"--node-id={node}", f"--kubelet-dir={kubelet}", f"--data-dir={folder}"]
    running = subprocess.Popen([sys.executable, str(EXAMPLE / "driver.py"), *options])
    try:
        yield
    finally:
        running.terminate()
        running.wait(60)


def test_a_csi_drivers_volume_stays_and_a_pods_own_goes(
    kubectl: Kubectl, cluster: Cluster, tmp_path: Path
) -> None:
    """The driver registers; its pod goes where it is, and writes through both mounts; a kubelet that begins anew undoes them."""
    (tmp_path / "shared").mkdir()
    with driver(cluster, "node-2", tmp_path):
        kubectl("apply", "-f", str(EXAMPLE / "volume.yaml"))
        try:
            kubectl("wait", "pod/writer", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
            assert (
                kubectl("get", "csinode", "node-2", "-o=jsonpath={.spec.drivers[*].name}")
                == "folders.example.com"
            )
            assert kubectl("get", "pod", "writer", "-o=jsonpath={.spec.nodeName}") == "node-2"
            starts = tmp_path / "shared" / "starts"
            eventually(lambda: starts.exists() and starts.read_text().count("\n") == 1, what="what it writes")
            assert starts.stat().st_gid == 2000
            assert len(list(tmp_path.iterdir())) == 3  # with the pod's own, and its mark
            cluster.kill("kubelet@node-2", restart=True)
            kubectl("delete", "pod", "writer", "--timeout=180s", timeout_s=200)
        finally:
            kubectl(
                "delete",
                "-f",
                str(EXAMPLE / "volume.yaml"),
                "--ignore-not-found",
                "--timeout=180s",
                timeout_s=200,
            )
        eventually(
            lambda: [each.name for each in tmp_path.iterdir()] == ["shared"], what="the end of the pod's own"
        )
        assert (tmp_path / "shared" / "starts").read_text().count("\n") == 1
    eventually(lambda: kubectl("get", "csinode", "node-2", "-o=jsonpath={.spec.drivers[*].name}") == "")

"""Pods and their claims, with the real kubectl: the data stays, and the pods come back to where it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

CLAIM = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Mi"}}},
}


def _user(name: str, script: str) -> dict[str, Any]:
    """Return a pod that runs a script in the volume of the claim, and then goes on."""
    box = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", f"{script}; trap 'exit 0' TERM; while :; do sleep 0.2; done"],
        "workingDir": "/data",
        "volumeMounts": [{"name": "disk", "mountPath": "/data"}],
    }
    disk = {"name": "disk", "persistentVolumeClaim": {"claimName": "data"}}
    metadata = {"name": name}
    spec = {"containers": [box], "volumes": [disk], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture
def node(kubectl: Kubectl, tmp_path: Path) -> Iterator[str]:
    """The one node that a volume of a class of the test's own is on; the class waits for a pod."""
    name = max(each["metadata"]["name"] for each in kubectl.get("nodes"))
    own = f"by-hand-{kubectl.namespace}"
    there = {"key": "kubernetes.io/hostname", "operator": "In", "values": [name]}
    volume = {
        "storageClassName": own,
        "accessModes": ["ReadWriteOncePod"],
        "capacity": {"storage": "1Mi"},
        "local": {"path": str(tmp_path)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [there]}]}},
    }
    kubectl.apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": own},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": own}, "spec": volume},
        {**CLAIM, "spec": {**CLAIM["spec"], "storageClassName": own}},
    )
    yield name
    kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
    kubectl("delete", "pvc", "data")
    kubectl("delete", f"pv/{own}", f"storageclass/{own}")


def test_a_pods_data_is_there_for_the_next_pod(kubectl: Kubectl, node: str, tmp_path: Path):
    """The claim is bound when its pod gets a node; what a pod wrote outlives it, and the next one comes to the same node."""
    assert kubectl.get("pvc", "data")["status"]["phase"] == "Pending"
    kubectl.apply(_user("first", "echo kept > written"))
    kubectl("wait", "pod/first", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    assert kubectl.get("pod", "first")["spec"]["nodeName"] == node
    assert kubectl("get", "pvc", "data").splitlines()[1].split()[1] == "Bound"
    kubectl.apply(_user("second", "cat written"))
    text = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    eventually(lambda: text in kubectl("describe", "pod", "second"), what="why the second pod waits")
    kubectl("delete", "pod", "first", timeout_s=200)
    kubectl("wait", "pod/second", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    eventually(lambda: kubectl("logs", "second") == "kept\n", what="what the first one wrote")
    assert kubectl.get("pod", "second")["spec"]["nodeName"] == node
    kubectl("delete", "pod", "second", timeout_s=200)
    assert (tmp_path / "written").read_text() == "kept\n"

"""What a node does for pods beyond running them, on real containers: images as volumes, debugging, overhead, its own paths."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

NAME = "kubarium-test/volume"
BUSYBOX = "busybox:1.36"


@pytest.fixture(scope="module")
def data(images: None) -> Iterator[str]:
    """An image that is nothing but two files, on the engine that all nodes share."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("top", "of the image"), ("models/small", "1 2 3")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    client = docker.from_env()
    client.api.import_image_from_data(archive.getvalue(), repository=NAME, tag="1")
    yield f"{NAME}:1"
    client.images.remove(f"{NAME}:1")
    client.close()


def sleeper(name: str, **spec: Any) -> dict[str, Any]:
    own = {"name": "main", "image": BUSYBOX, "command": ["sleep", "3600"], **spec.pop("container", {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [own], **spec},
    }


def test_a_pod_mounts_an_image_and_is_debugged_in_its_own_processes(kubectl: Kubectl, data: str) -> None:
    """Its files are there and cannot be written; who debugs the container sees its process, and through it the files."""
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "data", "mountPath": "/models", "subPath": "models"},
    ]
    volume = {"name": "data", "image": {"reference": data}}
    kubectl.apply(sleeper("web", container={"volumeMounts": mounts}, volumes=[volume]))
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=30s")
    assert kubectl("exec", "web", "--", "cat", "/data/top", "/models/small") == "of the image1 2 3"
    assert "Read-only" in kubectl.run("exec", "web", "--", "touch", "/data/new").err
    script = "cat /proc/1/cmdline; ls /proc/1/root/data"
    kubectl("debug", "web", f"--image={BUSYBOX}", "--target=main", "-c", "looks", "--", "sh", "-c", script)
    state = "-o=jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}"
    eventually(lambda: kubectl("get", "pod", "web", state) == "0")
    assert kubectl("logs", "web", "-c", "looks").split("\0") == ["sleep", "3600", "models\ntop\n"]


def test_an_image_that_cannot_be_mounted_is_told_by_the_pod(kubectl: Kubectl, data: str) -> None:
    """One that is nowhere as an image of a container, one without the folder when the container is made."""
    mount = {"name": "data", "mountPath": "/data"}
    none = {"name": "data", "image": {"reference": f"{NAME}:none", "pullPolicy": "Never"}}
    kubectl.apply(
        sleeper("none", container={"volumeMounts": [mount]}, volumes=[none]),
        sleeper(
            "part",
            container={"volumeMounts": [{**mount, "subPath": "nothing"}]},
            volumes=[{"name": "data", "image": {"reference": data}}],
        ),
    )

    def waits(name: str) -> dict[str, str]:
        [status] = kubectl.get("pod", name)["status"].get("containerStatuses") or [{"state": {}}]
        return dict(status["state"].get("waiting") or {})

    eventually(lambda: waits("none").get("reason") == "ErrImageNeverPull")
    eventually(lambda: waits("part").get("reason") == "CreateContainerError")
    assert 'no folder "nothing" to mount' in waits("part")["message"]


def test_the_overhead_of_a_runtime_class_counts(kubectl: Kubectl) -> None:
    """The pod's cgroup has room for it, and the node counts it; its paths tell what it uses and run a command."""
    handler = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "heavy"},
        "handler": "runc",
        "overhead": {"podFixed": {"memory": "64Mi"}},
    }
    limits = {"resources": {"limits": {"memory": "32Mi", "cpu": "100m"}}}
    kubectl.apply(handler, sleeper("heavy", container=limits, runtimeClassName="heavy"))
    try:
        kubectl("wait", "--for=condition=Ready", "pod/heavy", "--timeout=30s")
        found = kubectl.get("pod", "heavy")
        node = f"/api/v1/nodes/{found['spec']['nodeName']}/proxy"
        limits_there = {
            int(file.read_text())
            for name in (
                "memory/kubarium/*/*/**/pod{}/memory.limit_in_bytes",
                "kubarium/*/*/**/pod{}/memory.max",
            )
            for file in Path("/sys/fs/cgroup").glob(name.format(found["metadata"]["uid"]))
        }
        assert limits_there == {(32 + 64) * 2**20}
        told = json.loads(kubectl("get", "--raw", f"{node}/stats/summary"))
        assert found["metadata"]["uid"] in {each["podRef"]["uid"] for each in told["pods"]}
        assert told["node"]["memory"]["workingSetBytes"] > 0
        place = f"{node}/run/{kubectl.namespace}/heavy/main"
        assert kubectl("create", "--raw", f"{place}?cmd=echo+ran", "-f", "/dev/null") == "ran\n"
    finally:
        kubectl("delete", "runtimeclass", "heavy")


def test_a_pod_has_another_name_variables_from_a_file_and_a_rule_by_which_it_runs_again(
    kubectl: Kubectl,
) -> None:
    """An init container writes the file; the container that reads of it ends once with the code of its rule."""
    folder = {"name": "config", "mountPath": "/config"}
    written = "printf \"# for main\\nADDRESS='db.example'\\n\" > /config/app.env"
    source = {"volumeName": "config", "path": "app.env", "key": "ADDRESS"}
    script = 'if [ ! -e /seen/once ]; then touch /seen/once; exit 42; fi; echo "$(hostname) $ADDRESS"; exec sleep 3600'
    kubectl.apply(
        sleeper(
            "named",
            hostnameOverride="front.example.com",
            restartPolicy="Never",
            volumes=[{"name": "config", "emptyDir": {}}, {"name": "seen", "emptyDir": {}}],
            initContainers=[
                {
                    "name": "writes",
                    "image": BUSYBOX,
                    "command": ["sh", "-c", written],
                    "volumeMounts": [folder],
                }
            ],
            container={
                "command": ["sh", "-c", script],
                "env": [{"name": "ADDRESS", "valueFrom": {"fileKeyRef": source}}],
                "volumeMounts": [{"name": "seen", "mountPath": "/seen"}],
                "restartPolicy": "Never",
                "restartPolicyRules": [
                    {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
                ],
            },
        )
    )
    eventually(lambda: kubectl.run("logs", "named").out == "front.example.com db.example\n")
    status = kubectl.get("pod", "named")["status"]
    (main,) = status["containerStatuses"]
    assert (main["restartCount"], main["lastState"]["terminated"]["exitCode"], status["phase"]) == (
        1,
        42,
        "Running",
    )
    hosts = kubectl("exec", "named", "--", "cat", "/etc/hosts")
    assert f"{status['podIP']}\tfront.example.com\n" in hosts

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


def memory_limits(found: dict[str, Any]) -> set[int]:
    """Return what the pod's own cgroup is held to, on either version of cgroups."""
    names = ("memory/kubarium/*/*/**/pod{}/memory.limit_in_bytes", "kubarium/*/*/**/pod{}/memory.max")
    files = (
        file for name in names for file in Path("/sys/fs/cgroup").glob(name.format(found["metadata"]["uid"]))
    )
    return {int(file.read_text()) for file in files}


def test_a_pod_mounts_an_image_and_is_debugged_in_its_own_processes(kubectl: Kubectl, data: str) -> None:
    """Its files are there and cannot be written; who debugs the container sees its process, and through it the files."""
    mounts = [
        {"name": "data", "mountPath": "/data"},
        {"name": "data", "mountPath": "/models", "subPath": "models"},
    ]
    volume = {"name": "data", "image": {"reference": data}}
    kubectl.apply(sleeper("web", container={"volumeMounts": mounts}, volumes=[volume]))
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=180s")
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
    why = 'no folder "nothing" to mount'
    eventually(
        lambda: (found := waits("part")).get("reason") == "CreateContainerError" and why in found["message"]
    )


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
        kubectl("wait", "--for=condition=Ready", "pod/heavy", "--timeout=180s")
        found = kubectl.get("pod", "heavy")
        node = f"/api/v1/nodes/{found['spec']['nodeName']}/proxy"
        assert memory_limits(found) == {(32 + 64) * 2**20}

        def told_pods() -> set[str]:
            told = json.loads(kubectl("get", "--raw", f"{node}/stats/summary"))
            return {each["podRef"]["uid"] for each in told["pods"]}

        eventually(lambda: found["metadata"]["uid"] in told_pods(), what="the pod in its node's summary")
        told = json.loads(kubectl("get", "--raw", f"{node}/stats/summary"))
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

    def runs_again() -> dict[str, Any] | None:  # the log is there before the kubelet tells of it
        status: dict[str, Any] = kubectl.get("pod", "named")["status"]
        (main,) = status["containerStatuses"]
        return status if (main["restartCount"], status["phase"]) == (1, "Running") else None

    status = eventually(runs_again, what="a container that runs again")
    assert status
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 42
    hosts = kubectl("exec", "named", "--", "cat", "/etc/hosts")
    assert f"{status['podIP']}\tfront.example.com\n" in hosts


def test_all_containers_of_a_pod_run_again_because_one_ended_so(kubectl: Kubectl) -> None:
    """In the sandbox that they have, init containers first: its address stays, and what is in its volumes."""
    mounts = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}
    rule = {"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}}
    watch = "if [ -e /log/once ]; then exec sleep 3600; fi; until grep -q main /log/all; do sleep 0.1; done; touch /log/once; exit 88"
    begins = [
        {"name": "setup", "image": BUSYBOX, "command": ["sh", "-c", "echo setup >> /log/all"], **mounts},
        {
            "name": "watcher",
            "image": BUSYBOX,
            "command": ["sh", "-c", watch],
            "restartPolicy": "Always",
            "restartPolicyRules": [rule],
            **mounts,
        },
    ]
    script = "echo main >> /log/all; exec sleep 3600"
    kubectl.apply(
        sleeper(
            "trained",
            restartPolicy="Never",
            initContainers=begins,
            container={"command": ["sh", "-c", script], **mounts},
            volumes=[{"name": "log", "emptyDir": {}}],
        )
    )

    def counts() -> list[int]:
        status = kubectl.get("pod", "trained")["status"]
        told = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        return [each["restartCount"] for each in told]

    eventually(lambda: counts() == [1, 1, 1], what="each container to have run again")
    kubectl("wait", "--for=condition=Ready", "pod/trained", "--timeout=180s")
    kubectl("wait", "--for=condition=AllContainersRestarting=False", "pod/trained", "--timeout=180s")
    read = ("exec", "trained", "-c", "main", "--", "cat", "/log/all")
    eventually(lambda: len(kubectl(*read).split()) >= 4, what="what main writes after its start")
    assert kubectl(*read).split() == ["setup", "main"] * 2


def test_what_a_pod_has_as_a_whole_is_resized_in_place(kubectl: Kubectl) -> None:
    """The pod's group and the container without a limit of its own follow, and nothing is started again."""
    sizes = {"requests": {"memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    kubectl.apply(sleeper("whole", resources=sizes))
    kubectl("wait", "--for=condition=Ready", "pod/whole", "--timeout=180s")
    found = kubectl.get("pod", "whole")
    assert memory_limits(found) == {64 * 2**20}
    for size in ("96Mi", "48Mi"):
        wanted = {"spec": {"resources": {"requests": {"memory": size}, "limits": {"memory": size}}}}
        kubectl("patch", "pod", "whole", "--subresource=resize", "--patch", json.dumps(wanted))
        eventually(
            lambda wanted=wanted: (
                kubectl.get("pod", "whole")["status"]["resources"] == wanted["spec"]["resources"]
            ),
            what=f"the pod to have {size}",
        )
        assert memory_limits(found) == {int(size.removesuffix("Mi")) * 2**20}
    assert kubectl.get("pod", "whole")["status"]["containerStatuses"][0]["restartCount"] == 0

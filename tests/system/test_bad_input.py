"""What cannot be is refused where it came in, with a message that names it; every process stays up."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from kubarium import Cluster, KubariumError
from tests.support.kubectl import Kubectl, eventually
from tests.system.conftest import StartCluster

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


def pod(name: str = "bad", **container: object) -> str:
    """Write a pod manifest with one container."""
    lines = "".join(f"    {key}: {value}\n" for key, value in container.items())
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  restartPolicy: Never\n"
        f"  containers:\n  - name: main\n{lines}"
    )


@pytest.fixture
def steady(cluster: Cluster) -> Iterator[None]:
    """Check that no process of the cluster was restarted meanwhile."""
    before = {process.name: (process.pid, process.restarts) for process in cluster.ps()}
    yield
    assert {process.name: (process.pid, process.restarts) for process in cluster.ps()} == before


@pytest.mark.usefixtures("steady")
@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (pod(image="busybox", imagePolicy="Never"), 'unknown field "spec.containers[0].imagePolicy"'),
        (pod(image="busybox", resources="{limits: {memory: lots}}"), "quantities must match"),
        (pod(name="Not_A_Name", image="busybox"), "RFC 1123"),
        (pod(), "spec.containers[0].image: Required value"),
        (pod(image="busybox", ports="[{containerPort: 99999}]"), "spec.containers[0].ports[0].containerPort"),
        ("apiVersion: v1\nkind: Pod\nmetadata: [", "yaml"),
        ("apiVersion: v1\nkind: Pudding\nmetadata: {name: x}", "Pudding"),
    ],
)
def test_a_bad_manifest_names_what_is_wrong(kubectl: Kubectl, manifest: str, words: str):
    """The message names the field, and nothing is stored."""
    outcome = kubectl.run("apply", "-f", "-", stdin=manifest)
    assert outcome.code != 0
    assert words.lower() in outcome.err.lower()
    assert kubectl("get", "pods", "-o", "name") == ""


@pytest.mark.usefixtures("steady")
def test_an_image_that_does_not_exist(kubectl: Kubectl):
    """The pod waits with ErrImagePull, then ImagePullBackOff, and an event says why."""
    kubectl("run", "missing", "--image=localhost:1/does-not-exist:v1")
    seen: set[str] = set()

    def both() -> bool:
        status = (kubectl.get("pod", "missing")["status"].get("containerStatuses") or [{}])[0]
        seen.add(status.get("state", {}).get("waiting", {}).get("reason", ""))
        return {"ErrImagePull", "ImagePullBackOff"} <= seen

    eventually(both, what=f"both reasons, saw {seen}", every_s=0.05)
    assert "Failed to pull image" in kubectl("get", "events")


@pytest.mark.usefixtures("steady")
def test_a_command_that_does_not_exist(kubectl: Kubectl):
    """The container ends with StartError and 128, and says which command."""
    kubectl.run(
        "apply", "-f", "-", stdin=pod(name="mistyped", image="busybox:1.36", command="[no-such-command]")
    )

    def ended() -> dict | None:
        status = (kubectl.get("pod", "mistyped")["status"].get("containerStatuses") or [{}])[0]
        return status.get("state", {}).get("terminated")

    state = eventually(ended, what="mistyped terminated")
    assert (state["reason"], state["exitCode"]) == ("StartError", 128)
    assert "no-such-command" in state["message"]


@pytest.mark.usefixtures("steady")
def test_a_wrong_certificate_is_refused(cluster: Cluster, kubectl: Kubectl):
    """Somebody without a certificate of the cluster's authority is nobody, and may do nothing."""
    outcome = kubectl.run("--token=forged", "get", "pods", "--client-certificate=", "--client-key=")
    assert outcome.code != 0
    outcome = kubectl.run("get", "pods", "--as=mallory")
    assert 'User "mallory" cannot list resource "pods"' in outcome.err
    assert cluster.is_up()


def test_a_port_in_use_at_up(start_cluster: StartCluster):
    """`up` says which port is taken, for what, and what to do; nothing is left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            KubariumError, match=f"port {port} on 127.0.0.1, meant for the apiserver's REST door"
        ):
            start_cluster("taken", nodes=1, api_port=port)


def test_an_etcd_that_is_away(start_cluster: StartCluster):
    """Without etcd the apiserver answers errors and stays up; what was acknowledged is there later."""
    cluster = start_cluster("away", nodes=1, runtime="docker")
    kubectl = Kubectl(cluster.kubeconfig)
    kubectl("create", "configmap", "kept", "--from-literal=a=1")
    cluster.kill("etcd")
    outcome = kubectl.run("create", "configmap", "lost", "--from-literal=a=1", "--request-timeout=5s")
    assert outcome.code != 0
    cluster.restart("etcd")
    eventually(lambda: kubectl.run("get", "configmap", "kept").code == 0, what="the acknowledged write")
    apiserver = next(process for process in cluster.ps() if process.name == "apiserver")
    assert apiserver.restarts == 0

"""What cannot be is refused where it came in, with a message that names it; every process stays up."""

from __future__ import annotations

import json
import socket
import ssl
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from kubarium import Cluster, KubariumError
from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from tests.support.clusters import StartCluster
from tests.support.kubectl import Kubectl, eventually

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
        (
            "apiVersion: v1\nkind: Pudding\nmetadata: {name: x}",
            'no matches for kind "Pudding" in version "v1"',
        ),
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
    eventually(lambda: "Failed to pull image" in kubectl("get", "events"), what="the event")


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


def somebody(kubectl: Kubectl, folder: Path, **user: str) -> Kubectl:
    """Return a kubectl for the same cluster whose kubeconfig shows these credentials, and no others."""
    config = yaml.safe_load(kubectl.kubeconfig.read_text())
    config["users"][0]["user"] = user
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return replace(kubectl, kubeconfig=path)


@pytest.mark.usefixtures("steady")
def test_a_forged_token_is_refused(kubectl: Kubectl, tmp_path: Path):
    """A token that the cluster did not sign is an error: its bearer is not even nobody."""
    outcome = somebody(kubectl, tmp_path, token="forged").run("get", "pods")
    assert outcome.code != 0
    assert "must be logged in to the server (Unauthorized)" in outcome.err


@pytest.mark.usefixtures("steady")
def test_a_certificate_of_another_authority_is_refused(kubectl: Kubectl, tmp_path: Path):
    """A certificate is worth what its signer is: the right names under a foreign authority open no door."""
    pki = Pki(tmp_path / "pki")
    pki.ensure(Certificate("admin", "kubernetes-admin", organizations=("system:masters",)))
    foreign = somebody(
        kubectl,
        tmp_path,
        **{"client-certificate": str(pki.certificate("admin")), "client-key": str(pki.key("admin"))},
    )
    outcome = foreign.run("get", "pods")
    assert outcome.code != 0
    assert outcome.out == ""  # the handshake fails: nothing is asked, or said
    assert any(words in outcome.err for words in BROKEN_CONNECTION), outcome.err


BROKEN_CONNECTION = (  # kubectl's words depend on whether it was still writing when the door was shut
    "Unable to connect to the server",
    "connection reset by peer",
    "server closed idle connection",
    "EOF",
    "tls:",
)


@pytest.mark.usefixtures("steady")
def test_strangers_may_not_read(kubectl: Kubectl):
    """A user without a role may not list pods, nor may somebody who shows nothing; the answer names them."""
    stranger = kubectl.run("get", "pods", "--as=mallory")
    assert 'User "mallory" cannot list resource "pods"' in stranger.err
    status, said = anonymous_get(kubectl, f"/api/v1/namespaces/{kubectl.namespace}/pods")
    assert status == 403
    assert 'User "system:anonymous" cannot list resource "pods"' in said["message"]


def anonymous_get(kubectl: Kubectl, path: str) -> tuple[int, Any]:
    """Ask as nobody, which kubectl cannot: it wants a user name first."""
    cluster = yaml.safe_load(kubectl.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = b64decode(cluster["certificate-authority-data"]).decode()
    trust = ssl.create_default_context(cadata=authority)
    server = urlsplit(cluster["server"])
    with closing(
        HTTPSConnection(server.hostname or "", server.port, context=trust, timeout=60)
    ) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, json.load(response)


def test_a_port_in_use_at_up(start_cluster: StartCluster):
    """`up` says which port is taken, for what, and what to do; nothing is left behind."""
    for _ in range(5):  # others of the machine may have taken one of the next ports, which is told then
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(KubariumError) as refused:
                start_cluster("taken", nodes=1, api_port=port)
        if f"port {port} on" in str(refused.value):
            break
    assert f"port {port} on 127.0.0.1, meant for the REST door of apiserver" in str(refused.value)


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

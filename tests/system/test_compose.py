"""The same cluster from docker-compose.yml: with docker-compose 1.29 and, where installed, compose v2."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import docker
import pytest

from tests.support.ingress_image import ingress_manifest
from tests.support.kubectl import Kubectl, eventually
from tests.support.product_image import INGRESS_IMAGE, NAMED
from tests.support.requirements import compose_command, need
from tests.support.sleepers import assert_recovery, deployment

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "kubarium-test"
HTTP = "127.0.0.1:18080"
ENVIRONMENT = {
    **os.environ,
    **NAMED,
    "KUBARIUM_PROFILE": "fast",
    "KUBARIUM_HTTP": HTTP,
    "KUBARIUM_HTTPS": "127.0.0.1:18443",
    "COMPOSE_PROJECT_NAME": PROJECT,
}


@pytest.fixture(scope="module", params=["compose", "compose-v2"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """Compose, as docker-compose 1.29 and as compose v2."""
    need("docker", "cni", "kubectl", request.param)
    return compose_command(request.param)


@pytest.fixture(scope="module")
def composed(command: list[str], product_image: str) -> Iterator[tuple[list[str], Kubectl]]:
    """The cluster, up by compose."""
    run(command, "up", "-d")
    try:
        kubectl = Kubectl(ROOT / ".compose" / "kubeconfig")
        eventually(
            lambda: kubectl.run("get", "nodes", "-o", "name").out.count("node/") == 3, what="three nodes"
        )
        kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
        yield command, kubectl
    finally:
        run(command, "down", "--volumes", "--timeout", "30")
        left = containers("kubarium.cluster=compose", stopped=True)
        purge = [sys.executable, "-m", "dockershim", "--purge", "--cluster=compose"]
        subprocess.run([*purge, "--docker-socket=/var/run/docker.sock"], cwd=ROOT, check=True, timeout=200)
        assert left == []  # although a node was killed: the last machine clears up
        assert volumes() == []  # -v means what it says


def run(command: list[str], *arguments: str) -> None:
    """Run compose on the project's own file."""
    subprocess.run([*command, *arguments], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=200)


def test_a_killed_node_service_is_a_dead_machine(composed: tuple[list[str], Kubectl]):
    """`compose kill node-2` takes its pods' containers with it; they run on other nodes within 6 s."""
    command, kubectl = composed
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl.apply(deployment(3))
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=180s", timeout_s=200)
    assert running_on("node-2") != []
    assert_recovery(kubectl, lambda: run(command, "kill", "node-2"), lambda: run(command, "start", "node-2"))
    assert running_on("node-2") == []


def test_a_load_balancer_is_seen_from_the_machine(composed: tuple[list[str], Kubectl]):
    """At the port that the file publishes for its port 80."""
    _, kubectl = composed
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl("create", "deployment", "web", "--image=myregistry/web-app:v1.0.0")
    kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080", "--type=LoadBalancer")
    kubectl("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    pod = kubectl.pods("app=web")[0]["metadata"]["name"]
    eventually(lambda: pod in _seen(), what=f"http://{HTTP}")
    kubectl("delete", "deployment,service", "web")


def _seen(host: str = HTTP) -> str:
    try:
        with urlopen(Request(f"http://{HTTP}/", headers={"Host": host}), timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_an_ingress_is_seen_from_the_machine(composed: tuple[list[str], Kubectl]):
    """By its host, at the port that the file publishes; another host is nobody's."""
    _, kubectl = composed
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    example = ingress_manifest(INGRESS_IMAGE)
    edge = Kubectl(ROOT / ".compose" / "kubeconfig", "kubarium-ingress")
    edge("apply", "-f", "-", stdin=example)
    kubectl("create", "deployment", "shop", "--image=myregistry/web-app:v1.0.0")
    kubectl("expose", "deployment", "shop", "--port=80", "--target-port=8080")
    kubectl("create", "ingress", "shop", "--class=kubarium", "--rule=shop.example/*=shop:80")
    for client, name in ((kubectl, "shop"), (edge, "ingress")):
        client("rollout", "status", f"deployment/{name}", "--timeout=180s", timeout_s=200)
    pod = kubectl.pods("app=shop")[0]["metadata"]["name"]
    eventually(lambda: pod in _seen("shop.example"), what=f"http://{HTTP} of shop.example")
    assert pod not in _seen("other.example")
    kubectl("delete", "ingress,deployment,service", "shop")
    edge("delete", "-f", "-", "--timeout=180s", stdin=example, timeout_s=200)


def test_what_is_there_is_kept_over_down_and_up(composed: tuple[list[str], Kubectl]):
    """Objects, and what pods have on the nodes' disks. A machine dies while it starts pods, and `down` comes at once."""
    command, kubectl = composed
    kubectl.apply(_claim())
    kubectl.apply(_writer())
    kubectl("wait", "pod/writer", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    kubectl("scale", "deployment/sleeper", "--replicas=9")
    run(command, "kill", "node-3")
    run(command, "down", "--timeout", "30")
    assert containers("kubarium.cluster=compose", stopped=True) == []
    assert volumes() == [f"{PROJECT}_state"]
    run(command, "up", "-d")
    eventually(lambda: kubectl.run("get", "deployment", "sleeper").code == 0, timeout_s=120, what="the API")
    eventually(
        lambda: kubectl.run("logs", "writer").out.split() == ["4"],
        what="the writer's second start",
    )
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=180s", timeout_s=200)


def _claim() -> dict[str, Any]:
    """Build a claim of the default class: a folder of the node that its pod goes to."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def _writer() -> dict[str, Any]:
    """Build a pod that counts its starts on its node's disk and in its claim's volume, where nothing drives it away."""
    script = "for each in disk data; do echo x >> /$each/starts; done; cat /*/starts | wc -l; sleep 3600"
    main = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "disk", "mountPath": "/disk"}, {"name": "data", "mountPath": "/data"}],
    }
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": "node-1"},
        "containers": [main],
        "volumes": [
            {"name": "disk", "emptyDir": {}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "writer"}, "spec": spec}


def volumes() -> list[str]:
    """Name the project's volumes that the engine has."""
    with contextlib.closing(docker.from_env()) as client:
        return [found.name for found in client.volumes.list() if found.name.startswith(PROJECT)]


def running_on(node: str) -> list[str]:
    """Ask the engine which of a node's pods' containers run."""
    return containers("kubarium.cluster=compose", f"kubarium.node={node}")


def containers(*labels: str, stopped: bool = False) -> list[str]:
    """Name the containers with these labels that run, and those that do not where they are asked for."""
    client = docker.from_env()
    try:
        found = client.containers.list(all=stopped, filters={"label": list(labels)}, ignore_removed=True)
        return [container.name for container in found]
    finally:
        client.close()

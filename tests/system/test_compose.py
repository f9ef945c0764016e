"""The same cluster from docker-compose.yml: with docker-compose 1.29 and, where installed, compose v2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import compose_command, need
from tests.support.sleepers import assert_recovery, deployment

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
STATE = Path("/var/lib/kubarium/compose")
ENVIRONMENT = {**os.environ, "KUBARIUM_PROFILE": "fast"}


@pytest.fixture(
    scope="module",
    params=["compose", "compose-v2"],
)
def composed(request: pytest.FixtureRequest, images: None) -> Iterator[tuple[list[str], Kubectl]]:
    """The cluster, up by compose."""
    need("docker", "cni", "kubectl", request.param)
    command = compose_command(request.param)
    subprocess.run([str(ROOT / "scripts" / "image")], check=True, timeout=400)
    run(command, "up", "-d")
    try:
        kubectl = Kubectl(ROOT / ".compose" / "kubeconfig")
        eventually(
            lambda: kubectl.run("get", "nodes", "-o", "name").out.count("node/") == 3, what="three nodes"
        )
        kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s", timeout_s=70)
        yield command, kubectl
    finally:
        run(command, "down", "--timeout", "30")
        left = containers("kubarium.cluster=compose", stopped=True)
        purge = [sys.executable, "-m", "dockershim", "--purge", "--cluster=compose"]
        subprocess.run([*purge, "--docker-socket=/var/run/docker.sock"], cwd=ROOT, check=True, timeout=60)
        shutil.rmtree(STATE, ignore_errors=True)
        assert left == []  # although a node was killed: the last machine clears up


def run(command: list[str], *arguments: str) -> None:
    """Run compose on the project's own file."""
    subprocess.run([*command, *arguments], cwd=ROOT, env=ENVIRONMENT, check=True, timeout=200)


def test_a_killed_node_service_is_a_dead_machine(composed: tuple[list[str], Kubectl]):
    """`compose kill node-2` takes its pods' containers with it; they run on other nodes within 6 s."""
    command, kubectl = composed
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl.apply(deployment(3))
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=60s", timeout_s=70)
    assert running_on("node-2") != []
    assert_recovery(kubectl, lambda: run(command, "kill", "node-2"), lambda: run(command, "start", "node-2"))
    assert running_on("node-2") == []


def running_on(node: str) -> list[str]:
    """Ask the engine which of a node's pods' containers run."""
    return containers("kubarium.cluster=compose", f"kubarium.node={node}")


def containers(*labels: str, stopped: bool = False) -> list[str]:
    """Name the containers with these labels that run, and those that do not where they are asked for."""
    client = docker.from_env()
    try:
        found = client.containers.list(all=stopped, filters={"label": list(labels)})
        return [container.name for container in found]
    finally:
        client.close()

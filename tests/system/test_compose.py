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
from tests.support.requirements import need
from tests.system.test_node_failure import assert_recovery, deployment

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_V2 = ROOT / ".tools" / "bin" / "docker-compose-v2"
STATE = Path("/var/lib/kubarium/compose")
ENVIRONMENT = {**os.environ, "KUBARIUM_PROFILE": "fast"}


def compose_commands() -> list[list[str]]:
    """List the compose programs of this machine: 1.29, and v2 as a plugin or as `make setup` has brought it."""
    found = [["docker-compose"]] if shutil.which("docker-compose") else []
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return [*found, ["docker", "compose"]]
    return [*found, [str(COMPOSE_V2)]] if COMPOSE_V2.exists() else found


@pytest.fixture(
    scope="module",
    params=compose_commands() or [[]],
    ids=lambda words: Path(words[-1]).name if words else "none",
)
def composed(request: pytest.FixtureRequest, images: None) -> Iterator[tuple[list[str], Kubectl]]:
    """The cluster, up by compose."""
    need("docker", "cni", "kubectl")
    assert request.param, "neither docker-compose nor docker compose is installed"
    subprocess.run([str(ROOT / "scripts" / "image")], check=True, timeout=400)
    run(request.param, "up", "-d")
    try:
        kubectl = Kubectl(ROOT / ".compose" / "kubeconfig")
        eventually(
            lambda: kubectl.run("get", "nodes", "-o", "name").out.count("node/") == 3, what="three nodes"
        )
        kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s", timeout_s=70)
        yield request.param, kubectl
    finally:
        run(request.param, "down", "--timeout", "30")
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

"""Every part killed on its own while a Deployment is scaled: the system converges, what ran goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "web-app.yaml"
PARTS = [
    "apiserver",
    "scheduler",
    "controllers",
    "kubelet@node-1",
    "dockershim@node-1",
    "proxy@node-1",
    "etcd",
]


@pytest.fixture(scope="module")
def broken(images: None) -> Iterator[Cluster]:
    """A cluster whose parts are killed."""
    with clusters() as start:
        cluster = start("crashes", nodes=3, runtime="docker", time_scale=4)
        kubectl = Kubectl(cluster.kubeconfig, "production")
        kubectl("apply", "-f", str(MANIFEST))
        kubectl("rollout", "status", "deployment/web-app", "--timeout=180s", timeout_s=200)
        yield cluster


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_comes_back_and_nobody_notices(broken: Cluster, part: str):
    """SIGKILL while scaling: replicas converge; containers that ran keep their ids and start times."""
    kubectl = Kubectl(broken.kubeconfig, "production")
    eventually(lambda: len(_ready(kubectl)) == 3, timeout_s=120, what="three replicas before")
    before = {pod["metadata"]["uid"]: _containers(pod) for pod in _ready(kubectl)}
    restarts = {process.name: process.restarts for process in broken.ps()}

    kubectl("scale", "deployment/web-app", "--replicas=5")
    broken.kill(part, restart=True)
    eventually(lambda: _scaled(kubectl, 5), timeout_s=120, what=f"five replicas after {part} was killed")
    after = {pod["metadata"]["uid"]: _containers(pod) for pod in _ready(kubectl)}
    assert {uid: after.get(uid) for uid in before} == before

    kubectl("scale", "deployment/web-app", "--replicas=3")
    eventually(lambda: _scaled(kubectl, 3), timeout_s=120, what="three replicas again")

    def restarted() -> set[str]:
        return {each.name for each in broken.ps() if each.restarts != restarts[each.name]}

    eventually(lambda: part in restarted(), what=f"{part} started again")
    assert restarted() == {part}


def _scaled(kubectl: Kubectl, count: int) -> bool:
    outcome = kubectl.run("get", "pods", "-l", "app=web-app", "-o", "name")
    if outcome.code != 0 or len(outcome.out.split()) != count:
        return False
    return len(_ready(kubectl)) == count


def _ready(kubectl: Kubectl) -> list[dict[str, Any]]:
    outcome = kubectl.run("get", "pods", "-l", "app=web-app", "-o", "json")
    if outcome.code != 0:
        return []
    return [pod for pod in json.loads(outcome.out)["items"] if is_ready(pod)]


def _containers(pod: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (status["containerID"], status["state"]["running"]["startedAt"], status["restartCount"])
        for status in pod["status"]["containerStatuses"]
    ]

"""A cluster with several processes of each kind of its control plane outlives any of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.etcd, pytest.mark.timeout(600)]

UP = ("up", "--etcd", "3", "--apiservers", "2", "--schedulers", "2", "--controllers", "2")
OTHERS = (
    "--nodes",
    "2",
    "--runtime",
    "hollow",
    "--profile",
    "fast",
    "--time-scale",
    "4",
)  # which make it faster
KINDS = {
    "etcd": ("etcd-1", "etcd-2", "etcd-3"),
    "apiserver": ("apiserver-1", "apiserver-2"),
    "scheduler": ("scheduler-1", "scheduler-2"),
    "controllers": ("controllers-1", "controllers-2"),
}
CONTEXTS = {"apiserver-1": "kubarium", "apiserver-2": "kubarium@apiserver-2"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """The cluster that the command starts."""
    need("etcd", "kubectl")
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    try:
        command = [sys.executable, "-m", "kubarium", *UP, *OTHERS]
        environment = {**os.environ, "KUBARIUM_HOME": str(home)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=250
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield Cluster(home=home)
    finally:
        Cluster(home=home).down()
        shutil.rmtree(home, ignore_errors=True)


class Work:
    """What a user does meanwhile: scales a Deployment, and writes what must not be lost."""

    def __init__(self, cluster: Cluster) -> None:
        self._kubectl = Kubectl(cluster.kubeconfig)
        self._replicas = 2
        self.written: set[str] = set()

    def begin(self) -> None:
        self._kubectl("create", "deployment", "web", "--image=web", f"--replicas={self._replicas}")
        self._kubectl("rollout", "status", "deployment/web", "--timeout=180s")

    def go_on(self, name: str, apiserver: str) -> None:
        """Do it through an apiserver that lives; what has no answer is done again, as a user does."""
        context = f"--context={CONTEXTS[apiserver]}"
        eventually(lambda: self._write(name, context), timeout_s=120, what=f"a write while {name} is down")
        self._replicas = 6 - self._replicas
        scale = ("scale", "deployment/web", f"--replicas={self._replicas}", context)
        eventually(lambda: self._kubectl.run(*scale).code == 0, timeout_s=120, what=f"scaling without {name}")
        self._kubectl("rollout", "status", "deployment/web", "--timeout=180s", context)
        ready = ("get", "deployment/web", "-o=jsonpath={.status.readyReplicas}", context)
        eventually(lambda: self._kubectl(*ready) == str(self._replicas), what=f"its replicas without {name}")

    def _write(self, name: str, context: str) -> bool:
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"without-{name}"}}
        outcome = self._kubectl.run("apply", "-f", "-", context, stdin=json.dumps(manifest))
        if outcome.code == 0:
            self.written.add(f"without-{name}")
        return outcome.code == 0

    def kept(self, apiserver: str) -> set[str]:
        """Return what of it an apiserver knows."""
        items = json.loads(
            self._kubectl("get", "configmaps", "-o", "json", f"--context={CONTEXTS[apiserver]}")
        )
        return {item["metadata"]["name"] for item in items["items"]} & self.written


def test_a_cluster_outlives_any_one_of_its_processes(cluster: Cluster):
    """Each member, apiserver, scheduler and controller process killed in turn: work goes on, writes are kept."""
    expected = {name for names in KINDS.values() for name in names}
    assert {process.name for process in cluster.ps() if "@" not in process.name} == expected
    work = Work(cluster)
    work.begin()
    for kind, names in KINDS.items():
        for name in names:
            cluster.kill(name)
            work.go_on(name, next(each for each in CONTEXTS if each != name))
            cluster.restart(name)
            eventually(lambda name=name: _is_ready(cluster, name), what=f"{name} of {kind} after its restart")
    assert len(work.written) == len(expected)
    for apiserver in CONTEXTS:
        eventually(lambda apiserver=apiserver: work.kept(apiserver) == work.written, timeout_s=120)
    crashed = {process.name for process in cluster.ps() if process.restarts}
    assert crashed <= {*KINDS["scheduler"], *KINDS["controllers"]}, (
        "a leader that cannot renew ends; nobody else does"
    )


def _is_ready(cluster: Cluster, name: str) -> bool:
    return next(process.state for process in cluster.ps() if process.name == name) == "ready"

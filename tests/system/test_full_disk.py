"""A cluster whose logs have no room left: the components are worth more than their words."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

pytestmark = pytest.mark.cluster


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder of clusters; that for the logs of "full" is a small disk of its own."""
    need("etcd", "mounts", "kubectl")
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        logs = Path(folder, "full", "logs")
        logs.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "kubarium-test", logs], check=True)
        try:
            yield Path(folder)
        finally:
            Cluster("full", home=Path(folder)).down()
            subprocess.run(
                ["umount", logs], capture_output=True, check=False
            )  # `down` has done it, as a rule


def test_a_full_disk_of_logs_ends_nothing(home: Path):
    """What dies is brought back, requests are answered and logged in vain; with room again the gap is told."""
    with Cluster.up("full", home=home, nodes=1, runtime="hollow", access_log=True) as cluster:
        filler = _fill(cluster.layout.logs)
        for component in ("scheduler", "controllers", "kubelet@node-1", "apiserver"):
            cluster.kill(component, restart=True)
        eventually(lambda: {each.state for each in cluster.ps()} == {"ready"}, timeout_s=120)
        kubectl = Kubectl(cluster.kubeconfig, "default")
        eventually(lambda: kubectl.run("create", "deployment", "web", "--image=x").code == 0, timeout_s=120)
        kubectl("rollout", "status", "deployment", "web", "--timeout=180s")
        filler.unlink()
        kubectl("get", "pods")
        told = cluster.layout.log("apiserver")
        eventually(lambda: "event=log_lines_lost" in told.read_text(), timeout_s=120)
        assert {each.restarts for each in cluster.ps()} <= {0, 1}


def _fill(folder: Path) -> Path:
    """Write until the disk is full; return the file."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert os.statvfs(folder).f_bavail == 0
    return filler

"""Whole clusters in a folder of their own, taken down at the end."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster, KubariumError
from tests.support.images import build_all
from tests.support.requirements import need

StartCluster = Callable[..., Cluster]


@contextlib.contextmanager
def clusters() -> Iterator[StartCluster]:
    """Start clusters in a folder of their own, and take all of them down at the end."""
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    ends = contextlib.ExitStack()

    def start(name: str, **options: Any) -> Cluster:
        cluster = Cluster(name, home=home)
        ends.callback(_take_down, cluster)
        try:
            Cluster.up(name, home=home, check_invariants=True, **options)
        except KeyboardInterrupt:
            _await_answer(cluster)  # what has begun goes on, and can be taken down when it answers
            raise
        return cluster

    ends.callback(shutil.rmtree, home, ignore_errors=True)
    with ends:
        yield start


def _take_down(cluster: Cluster) -> None:
    """End a cluster. One that does not go at once fails its test, and is not in the way of the next ones."""
    try:
        cluster.down()
    except KubariumError:
        cluster.down()
        raise


def _await_answer(cluster: Cluster, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while cluster.layout.spec.exists() and not cluster.is_up() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.fixture(scope="session")
def images() -> None:
    """The stand-in images, under the names that the manifests use."""
    need("docker")
    build_all()


@pytest.fixture
def start_cluster(images: None) -> Iterator[StartCluster]:
    """Start clusters that this test may break."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start

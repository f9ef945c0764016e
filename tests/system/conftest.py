"""Whole clusters of real processes, real etcd, real containers, and the real kubectl."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.images import build_all
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

StartCluster = Callable[..., Cluster]
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def images() -> None:
    """The stand-in images, under the names that the manifests use."""
    need("docker")
    build_all()


@contextlib.contextmanager
def clusters() -> Iterator[StartCluster]:
    """Start clusters in a folder of their own, and take all of them down at the end."""
    home = Path(tempfile.mkdtemp(prefix="kb-", dir="/tmp"))
    started: list[Cluster] = []

    def start(name: str, **options: Any) -> Cluster:
        cluster = Cluster(name, home=home)
        started.append(cluster)
        Cluster.up(name, home=home, **options)
        return cluster

    try:
        yield start
    finally:
        for cluster in started:
            cluster.down()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(images: None) -> Iterator[Cluster]:
    """Three nodes, real containers, Kubernetes' own timings; shared by the tests that break nothing."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("shared", nodes=3, runtime="docker")


@pytest.fixture
def start_cluster(images: None) -> Iterator[StartCluster]:
    """Start clusters that this test may break."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start


@pytest.fixture
def kubectl(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Kubectl in a namespace of this test's own."""
    words = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:50].strip("-")
    name = f"{words}-{next(_NUMBERS)}"  # the one before may still be terminating
    admin = Kubectl(cluster.kubeconfig, name)
    admin("create", "namespace", name)
    eventually(
        lambda: admin.run("get", "serviceaccount", "default").code == 0, what="the default ServiceAccount"
    )
    yield admin
    admin("delete", "namespace", name, "--wait=false")

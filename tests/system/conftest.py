"""Whole clusters of real processes, real etcd, real containers, and the real kubectl."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters, images, start_cluster
from tests.support.kubectl import Kubectl, own_namespace
from tests.support.product_image import product_image
from tests.support.requirements import need

__all__ = ["cluster", "images", "kubectl", "product_image", "start_cluster"]

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(images: None) -> Iterator[Cluster]:
    """Three nodes, real containers, Kubernetes' own timings; shared by the tests that break nothing."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("shared", nodes=3, runtime="docker")


@pytest.fixture
def kubectl(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Kubectl in a namespace of this test's own."""
    words = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:50].strip("-")
    name = f"{words}-{next(_NUMBERS)}"  # the one before may still be terminating
    with own_namespace(cluster.kubeconfig, name) as admin:
        yield admin

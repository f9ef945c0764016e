"""A cluster for each law."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters
from tests.support.requirements import need


@pytest.fixture(scope="module")
def lawful(images: None) -> Iterator[Cluster]:
    """A cluster of one real node, with fast timings."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("laws", nodes=1, runtime="docker", profile="fast")

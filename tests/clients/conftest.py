"""Programs of users on the clients that they use, unmodified, against a cluster with real containers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster
from tests.support.client_programs import Run, run_program, user_environment
from tests.support.client_projects import Project, node_project, python_project
from tests.support.clusters import clusters, images
from tests.support.kubectl import Kubectl, own_namespace
from tests.support.requirements import need

__all__ = ["cluster", "images", "kubectl", "node", "python", "run"]

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(images: None) -> Iterator[Cluster]:
    """Two nodes with real containers. A test that kills a component waits until it is back."""
    need("etcd", "docker", "cni", "kubectl", "uv")
    with clusters() as start:
        yield start("clients", nodes=2, runtime="docker", profile="fast")


@pytest.fixture(scope="session")
def python() -> Project:
    """The programs on Python's clients."""
    need("uv")
    return python_project("python")


@pytest.fixture(scope="session")
def node() -> Project:
    """The programs on the client for Node.js."""
    need("npm")
    return node_project("node")


@pytest.fixture
def kubectl(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Kubectl in a namespace of this test's own."""
    words = request.node.name.split("[")[0].removeprefix("test_").replace("_", "-")[:50].strip("-")
    with own_namespace(cluster.kubeconfig, f"{words}-{next(_NUMBERS)}") as admin:
        yield admin


@pytest.fixture
def run(kubectl: Kubectl, tmp_path: Path) -> Run:
    """Run a user's program in the test's namespace to its end; it has to end well. Returns what it printed."""

    def start(command: list[str], timeout_s: float = 120, **environment: str) -> str:
        known = user_environment(kubectl, tmp_path)
        return run_program(command, known | environment, tmp_path, timeout_s)

    return start

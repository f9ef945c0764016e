"""What people type and see: the pages in `kubectl/`, each a topic, with the real kubectl on whole clusters.

Those in `hollow/` run on simulated containers, all at once; those in `docker/` need real ones. What a page expects is
what Kubernetes' documentation and kubectl's own source say, not what this cluster prints.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters
from tests.support.kubectl import find_kubectl
from tests.support.requirements import need
from tests.support.transcript_run import Transcripts
from tests.support.transcripts import Command, parse

pytestmark = [pytest.mark.cluster, pytest.mark.etcd, pytest.mark.timeout(900)]

PAGES = Path(__file__).parent / "kubectl"
HOLLOW = sorted((PAGES / "hollow").glob("*.md"))
DOCKER = sorted((PAGES / "docker").glob("*.md"))
LEAST = 250

_CALL = re.compile(r"\bkubectl +(?:-\S+ +)*([a-z-]+)")


@pytest.fixture(scope="module")
def hollow_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transcripts]:
    """The pages on a cluster of simulated containers, begun side by side."""
    need("etcd", "kubectl")
    with clusters() as start:
        cluster = start("transcripts", nodes=3, runtime="hollow", profile="fast")
        cluster.add_node(taints=["page=nodes:NoSchedule"])  # node-4, which one page has for itself
        running = Transcripts(cluster.kubeconfig, HOLLOW, tmp_path_factory.mktemp("hollow"))
        try:
            yield running
        finally:
            running.close()


@pytest.fixture(scope="module")
def docker_pages(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transcripts]:
    """The pages on real containers, begun side by side."""
    running = Transcripts(cluster.kubeconfig, DOCKER, tmp_path_factory.mktemp("docker"))
    try:
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("page", HOLLOW, ids=lambda page: page.stem)
def test_a_page_shows_what_kubectl_prints(hollow_pages: Transcripts, page: Path):
    """Each command of the page prints what stands below it."""
    hollow_pages.finish(page)


@pytest.mark.docker
@pytest.mark.parametrize("page", DOCKER, ids=lambda page: page.stem)
def test_a_page_of_real_containers_shows_what_kubectl_prints(docker_pages: Transcripts, page: Path):
    """Each command of the page prints what stands below it."""
    docker_pages.finish(page)


def test_the_pages_use_every_command_of_kubectl():
    """At least 250 calls, and every command that `kubectl help` lists."""
    need("kubectl")
    said = subprocess.run([find_kubectl() or "", "help"], capture_output=True, text=True, check=True).stdout
    known = set(re.findall(r"^  ([a-z-]+) {2,}\S", said, re.MULTILINE))
    calls = [
        call
        for page in (*HOLLOW, *DOCKER)
        for step in parse(page.read_text())
        if isinstance(step, Command)
        for call in _CALL.findall(step.script)
    ]
    assert known - set(calls) == set()
    assert len(calls) >= LEAST

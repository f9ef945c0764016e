"""The labs in docs/labs: what they say is typed is typed, on a cluster of real containers, and prints what they show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kubarium.homes import set_current
from tests.support.clusters import StartCluster
from tests.support.node_image import build_node_image
from tests.support.transcript_run import Transcripts

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

ROOT = Path(__file__).parents[2]
LABS = sorted((ROOT / "docs" / "labs").glob("*.md"))


@pytest.fixture
def lab(request: pytest.FixtureRequest, start_cluster: StartCluster, tmp_path: Path) -> Iterator[Transcripts]:
    """A lab at work on a cluster that it may break, which `kubarium` without a name means."""
    build_node_image()
    cluster = start_cluster("labs", nodes=2, runtime="docker", profile="fast")
    home = cluster.layout.home.parent
    set_current("labs", home)
    running = Transcripts(
        cluster.kubeconfig,
        [request.param],
        tmp_path,
        KUBARIUM_HOME=str(home),
        PATH=f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
    )
    try:
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("lab", LABS, indirect=True, ids=lambda page: page.stem)
def test_a_lab_shows_what_happens(lab: Transcripts, request: pytest.FixtureRequest):
    """Each command of the page prints what stands below it."""
    lab.finish(request.node.callspec.params["lab"])

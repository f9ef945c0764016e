"""A program on each of Python's clients, as its users write it; the assertions are its own."""

from __future__ import annotations

import sys

import pytest

from kubarium import Cluster
from tests.support.client_programs import Run
from tests.support.client_projects import Project

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


@pytest.mark.parametrize("program", ["with_kubernetes", "with_lightkube", "with_kr8s", "with_pykube"])
def test_a_program_on_a_client_gets_what_it_expects(python: Project, run: Run, program: str):
    """It creates, watches, patches, applies, reads containers, and deletes."""
    run(python.command(f"{program}.py"))


def test_an_informer_of_kubernetes_asyncio_follows_through_a_restart(
    cluster: Cluster, python: Project, run: Run
):
    """What it knows after the apiserver was killed is what a list tells."""
    kill = [sys.executable, "-m", "kubarium", "kill", "--name", cluster.name, "--restart", "apiserver"]
    run(python.command("with_kubernetes_asyncio.py", *kill), KUBARIUM_HOME=str(cluster.layout.home.parent))

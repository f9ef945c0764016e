"""A program on each of Python's clients, as its users write it; the assertions are its own."""

from __future__ import annotations

import sys

import pytest

from tests.support.client_projects import python_project
from tests.support.stories import DEADLY, User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]


@pytest.mark.parametrize("program", ["with_kubernetes", "with_lightkube", "with_kr8s", "with_pykube"])
@story()
def test_a_program_on_a_client_gets_what_it_expects(user: User, program: str):
    """It creates, watches, patches, applies, reads containers, and deletes."""
    user.run(python_project("python").command(f"{program}.py"))


@story(DEADLY)
def test_an_informer_of_kubernetes_asyncio_follows_through_a_restart(user: User):
    """What it knows after the apiserver was killed is what a list tells."""
    kill = [sys.executable, "-m", "kubarium", "kill", "--name", user.cluster.name, "--restart", "apiserver"]
    command = python_project("python").command("with_kubernetes_asyncio.py", *kill)
    user.run(command, KUBARIUM_HOME=str(user.cluster.layout.home.parent))

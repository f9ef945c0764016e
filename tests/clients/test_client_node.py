"""A program on @kubernetes/client-node, as its users write it; the assertions are its own."""

from __future__ import annotations

import pytest

from tests.support.client_programs import Run
from tests.support.client_projects import Project

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


def test_a_program_on_client_node_gets_what_it_expects(node: Project, run: Run):
    """Its informer, watch, logs, exec, port-forward, patches and typed objects."""
    run(node.command("with_client_node.mjs"))

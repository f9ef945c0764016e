"""A program on @kubernetes/client-node, as its users write it; the assertions are its own."""

from __future__ import annotations

import pytest

from tests.support.client_projects import node_project
from tests.support.requirements import need
from tests.support.stories import User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]


@story()
def test_a_program_on_client_node_gets_what_it_expects(user: User):
    """Its informer, watch, logs, exec, port-forward, patches and typed objects."""
    need("npm")
    user.run(node_project("node").command("with_client_node.mjs"))

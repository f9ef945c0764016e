"""JupyterHub's spawner for Kubernetes, as it is published."""

from __future__ import annotations

import pytest

from tests.support.client_projects import python_project
from tests.support.stories import User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]


@story()
def test_kubespawner_spawns_polls_and_stops_servers(user: User):
    """Three at once, with their progress; one that a restarted hub finds again, and one that somebody else deletes."""
    user.run(python_project("kubespawner").command("spawn.py"))

"""JupyterHub's spawner for Kubernetes, as it is published."""

from __future__ import annotations

import pytest

from tests.support.client_programs import Run
from tests.support.client_projects import python_project

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


def test_kubespawner_spawns_polls_and_stops_servers(run: Run):
    """Three at once, with their progress; one that a restarted hub finds again, and one that somebody else deletes."""
    project = python_project("kubespawner")
    run(project.command("spawn.py"))

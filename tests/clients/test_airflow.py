"""Airflow's KubernetesPodOperator, as it is published, in a DAG that runs in one process."""

from __future__ import annotations

import pytest

from tests.support.client_projects import python_project
from tests.support.stories import User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]


@story()
def test_a_dag_of_pods_runs_to_its_end(user: User):
    """Logs are read, a sidecar hands a result on, a pod that fails fails its task, pods are deleted or kept at their ends."""
    project = python_project("airflow")
    said = user.run(
        project.command("pods.py"),
        AIRFLOW_HOME=str(user.folder),
        AIRFLOW__CORE__DAGS_FOLDER=str(project.programs),
        AIRFLOW__CORE__LOAD_EXAMPLES="false",
        timeout_s=480,
    )
    assert "hello from a pod" in said
    assert "the answer is 42" in said

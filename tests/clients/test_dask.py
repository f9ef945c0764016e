"""Dask's operator, as it is published: clusters of real schedulers and workers, through the apiserver's death and its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.client_projects import Project, python_project
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.python_images import build_python_image
from tests.support.stories import DEADLY, User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(900)]

IMAGE = "ghcr.io/dask/dask:2026.3.0"
COMMANDS = ("dask-scheduler", "dask-worker")
ALL = "daskcluster,daskworkergroup,daskautoscaler,deployment,replicaset,pod,service"
OWNED = "dask.org/cluster-name=numbers"


@story(DEADLY)
def test_a_dask_cluster_scales_adapts_and_goes(user: User):
    """Its CRDs are those of the package; apiserver and operator are killed in between."""
    project, kubectl = python_project("dask"), user.kubectl
    build_python_image(IMAGE, project, COMMANDS, without=("box", "kubernetes", "kubernetes_asyncio"))
    kubectl("create", "-f", str(_definitions(project)))
    operator = [project.tool("kopf"), "run", "-m", "dask_kubernetes.operator.controller"]
    operator += ["--verbose", f"--namespace={kubectl.namespace}"]
    here = {"DASK_KUBERNETES__NAMESPACE": kubectl.namespace}
    with user.running(operator) as first:
        described = user.run(project.command("describe.py", "numbers", IMAGE))
        kubectl("apply", "--server-side", "-f", "-", stdin=described)
        eventually(lambda: _workers(kubectl) == 1, timeout_s=400, what="the first worker")
        first.kill()
    kubectl("scale", "daskworkergroup/numbers-default", "--replicas=2")
    with user.running(operator):
        user.cluster.kill("apiserver", restart=True)
        eventually(lambda: _workers(kubectl) == 2, what="the second worker")
        user.run(project.command("compute.py", "numbers", "3"), timeout_s=400, **here)
        eventually(
            lambda: _replicas(kubectl) == 2, every_s=1, what="the autoscaler sees that the work is done"
        )
        kubectl("delete", "daskautoscaler", "numbers", "--timeout=180s", timeout_s=200)
        eventually(lambda: _workers(kubectl) == 2, what="the third worker goes")
        kubectl("delete", "daskcluster", "numbers", "--wait=false")
        user.cluster.kill("apiserver", restart=True)
        eventually(
            lambda: _nothing_is_left(kubectl), timeout_s=180, what="the end of all that was the cluster's"
        )
    kubectl("delete", "-f", str(_definitions(project)), "--timeout=180s", timeout_s=200)


def _definitions(project: Project) -> Path:
    """Return the folder of the CustomResourceDefinitions that the package ships."""
    where = "import dask_kubernetes.operator as it; print(it.__path__[0])"
    said = subprocess.run([project.interpreter, "-c", where], capture_output=True, text=True, check=True)
    return Path(said.stdout.strip()) / "deployment" / "helm" / "dask-kubernetes-operator" / "crds"


def _workers(kubectl: Kubectl) -> int:
    found = kubectl.run("get", "pods", "-l", f"{OWNED},dask.org/component=worker", "-o", "json")
    return sum(map(is_ready, json.loads(found.out)["items"])) if found.code == 0 else -1


def _replicas(kubectl: Kubectl) -> int:
    return kubectl.get("daskworkergroup", "numbers-default")["spec"]["worker"]["replicas"]


def _nothing_is_left(kubectl: Kubectl) -> bool:
    found = kubectl.run("get", ALL, "-o", "name")
    return (found.code, found.out) == (0, "")

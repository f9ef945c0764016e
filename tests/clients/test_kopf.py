"""An operator on kopf, through the death of the apiserver and its own."""

from __future__ import annotations

import pytest

from tests.support.client_projects import python_project
from tests.support.kubectl import Kubectl, eventually
from tests.support.stories import DEADLY, User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(900)]

BACKUPS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "backups.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "backups", "singular": "backup", "kind": "Backup", "shortNames": ["bk"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"}
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["source"],
                                "properties": {"source": {"type": "string"}},
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


def backup(name: str, source: str) -> dict[str, object]:
    """Write a Backup."""
    return {
        "apiVersion": "example.com/v1",
        "kind": "Backup",
        "metadata": {"name": name},
        "spec": {"source": source},
    }


@story(DEADLY)
def test_an_operator_works_through_the_apiservers_death_and_its_own(user: User):
    """Children, fields, timers, daemons, status and finalizers, as kopf promises them."""
    python, kubectl = python_project("python"), user.kubectl
    kubectl.apply(BACKUPS)
    kubectl("wait", "--for=condition=Established", "crd/backups.example.com", "--timeout=180s")
    command = [
        python.tool("kopf"),
        "run",
        "--standalone",
        f"--namespace={kubectl.namespace}",
        str(python.programs / "operator_on_kopf.py"),
    ]
    with user.running(command) as operator:
        kubectl.apply(backup("one", "a"))
        # Python compiles what it imports for the first time, beside other programs that do.
        eventually(lambda: _source(kubectl, "one") == "a", timeout_s=400, what="the child")
        eventually(lambda: _status(kubectl, "one").get("phase") == "Made", what="its status")
        assert kubectl.get("backup", "one")["metadata"]["finalizers"] == ["backups.example.com/finalizer"]
        kubectl.apply(backup("one", "b"))
        eventually(lambda: _source(kubectl, "one") == "b", what="the child's change")
        ticks = _status(kubectl, "one").get("ticks", 0)
        user.cluster.kill("apiserver", restart=True)
        eventually(lambda: kubectl.run("get", "--raw", "/readyz").code == 0, what="the apiserver's return")
        eventually(lambda: _status(kubectl, "one").get("ticks", 0) > ticks + 2, what="the timer goes on")
        operator.kill()
    kubectl.apply(backup("two", "x"))
    kubectl("delete", "backup", "one", "--wait=false")
    with user.running(command):
        eventually(lambda: _source(kubectl, "two") == "x", what="the child of what came meanwhile")
        eventually(lambda: kubectl.run("get", "backup", "one").code != 0, what="the end of what went")
        assert kubectl.run("get", "configmap", "ended-one").code == 0
        eventually(
            lambda: kubectl.run("get", "configmap", "backup-one").code != 0, what="the child goes, too"
        )
        kubectl("delete", "backup", "two", "--timeout=180s", timeout_s=200)
    kubectl("delete", "crd", "backups.example.com", "--timeout=180s", timeout_s=200)


def _source(kubectl: Kubectl, name: str) -> str:
    said = kubectl.run("get", "configmap", f"backup-{name}", "-o", "jsonpath={.data.source}")
    return said.out


def _status(kubectl: Kubectl, name: str) -> dict[str, object]:
    return kubectl.get("backup", name).get("status", {})

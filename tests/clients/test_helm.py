"""Helm 4 with its default flags: a chart with hooks, a CustomResourceDefinition and 20 kinds."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.support.client_projects import PROJECTS
from tests.support.kubectl import TOOLS, Kubectl, eventually, is_ready
from tests.support.stories import User, story

pytestmark = [pytest.mark.cluster, pytest.mark.docker, pytest.mark.timeout(600)]

CHART = PROJECTS / "charts" / "shop"
KINDS = (
    "configmap,secret,serviceaccount,role,rolebinding,deployment,statefulset,daemonset,cronjob,service,ingress,networkpolicy,"
    "poddisruptionbudget,horizontalpodautoscaler,limitrange,resourcequota,persistentvolumeclaim,order"
)
CLUSTER_KINDS = "clusterrole,clusterrolebinding,priorityclass"


class Helm:
    """Helm in a user's namespace."""

    def __init__(self, user: User) -> None:
        self._user = user

    def __call__(self, *arguments: str) -> str:
        """Run a command; it has to end well. Return what it printed."""
        return self._user.run(self._command(arguments))

    def tried(self, *arguments: str) -> str:
        """Run a command; return what it said, whatever came of it."""
        done = subprocess.run(
            self._command(arguments),
            env=self._user.environment,
            cwd=self._user.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{done.stdout}{done.stderr}"

    def fails(self, *arguments: str) -> str:
        """Run a command, which has to fail; return what it said."""
        with pytest.raises(AssertionError) as caught:
            self(*arguments)
        return str(caught.value)

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        program = shutil.which("helm", path=str(TOOLS)) or "helm"
        return [program, f"--namespace={self._user.kubectl.namespace}", *arguments]


@story()
def test_a_chart_is_installed_tested_upgraded_taken_back_and_removed(user: User):
    """Nothing but defaults: server-side apply, and waiting for the hooks."""
    kubectl, helm = user.kubectl, Helm(user)
    assert "shop is at http://shop.example/ (revision 1)" in helm("install", "shop", str(CHART))
    found = kubectl("get", KINDS, "-o", "name").split()
    assert {name.partition("/")[0].partition(".")[0] for name in found} == set(KINDS.split(","))
    names = [each for each in found if each.endswith(("/shop", "/shop-db", "/shop-agent", "/shop-nightly"))]
    assert len(names) == 18
    cluster_wide = kubectl("get", CLUSTER_KINDS, "-o", "name").split()
    assert len([each for each in cluster_wide if each.endswith(f"/{kubectl.namespace}-shop")]) == 3
    assert _phase(kubectl, "shop-pre-install") == _phase(kubectl, "shop-post-install") == "Succeeded"
    assert kubectl.get("order", "shop")["spec"] == {"item": "book", "count": 1}
    kubectl("rollout", "status", "deployment/shop", "--timeout=180s", timeout_s=200)
    said = helm.tried("test", "shop")
    assert "Phase:          Succeeded" in said, kubectl.run("logs", "shop-answers")

    helm("upgrade", "shop", str(CHART), "--set", "replicas=1,maintenance=true,greeting=bye")
    assert kubectl.get("configmap", "shop")["data"] == {"GREETING": "bye", "MAINTENANCE": "yes"}
    assert kubectl.get("deployment", "shop")["spec"]["replicas"] == 1
    assert "pod shop-answers failed" in helm.fails("test", "shop")
    assert [each["revision"] for each in json.loads(helm("history", "shop", "-o", "json"))] == [1, 2]

    helm("rollback", "shop", "1")
    assert kubectl.get("configmap", "shop")["data"] == {"GREETING": "hello"}
    kubectl("rollout", "status", "deployment/shop", "--timeout=180s", timeout_s=200)
    of_shop = "app.kubernetes.io/instance=shop"
    eventually(lambda: sum(map(is_ready, kubectl.pods(of_shop))) == 2, what="both pods")
    assert "deployed" in helm("status", "shop")

    helm("uninstall", "shop")

    def left() -> list[str]:
        found = kubectl("get", KINDS, "-o", "name", "--ignore-not-found").split()
        return [each for each in found if each.split("/")[1].startswith("shop")]

    eventually(lambda: not left(), what="nothing is left")
    assert _phase(kubectl, "shop-pre-delete") == "Succeeded"
    assert kubectl.run("get", "crd", "orders.shop.example").code == 0  # Helm leaves them, by design


@story()
def test_others_fields_are_a_conflict_for_helm(user: User):
    """What somebody else has set is not overwritten in silence; `--force-conflicts` does it."""
    kubectl, helm = user.kubectl, Helm(user)
    helm("install", "shop", str(CHART), "--no-hooks")
    kubectl("scale", "deployment", "shop", "--replicas=3")
    said = helm.fails("upgrade", "shop", str(CHART), "--no-hooks", "--set", "replicas=1")
    assert "conflict" in said
    assert ".spec.replicas" in said
    helm("upgrade", "shop", str(CHART), "--no-hooks", "--set", "replicas=1", "--force-conflicts")
    assert kubectl.get("deployment", "shop")["spec"]["replicas"] == 1
    helm("uninstall", "shop", "--no-hooks", "--wait")


def _phase(kubectl: Kubectl, pod: str) -> str:
    return kubectl.get("pod", pod)["status"]["phase"]

"""Pods of higher priority take the places of others on a cluster that runs, and by kubectl.

What is scarce is a resource that a node is said to have: `example.com/fakecpu`. Other pods of the cluster are not concerned.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

FAKE = "example.com/fakecpu"
NODE = "node-2"
CLASSES = {f"p{number}": {"value": number} for number in range(1, 5)} | {
    "patient": {"value": 5, "preemptionPolicy": "Never"}
}
FINALIZER = "example.com/test-finalizer"


@pytest.fixture(autouse=True)
def scarce(kubectl: Kubectl) -> Iterator[None]:
    """1,000 of the resource on one node, and the PriorityClasses."""
    for name, fields in CLASSES.items():
        kubectl.apply(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                **fields,
            }
        )
    amounts = {"capacity": {FAKE: "1000"}, "allocatable": {FAKE: "1000"}}
    patch(kubectl, amounts)
    yield
    kubectl("delete", "rs,pod", "--all", "--grace-period=0", "--force")
    patch(kubectl, {"capacity": {FAKE: None}, "allocatable": {FAKE: None}})
    kubectl("delete", "priorityclass", *CLASSES)


def patch(kubectl: Kubectl, status: dict[str, Any]) -> None:
    text = json.dumps({"status": status})
    kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "-p", text)


def spec(of: str, amount: int, *, grace: int = 0) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sleep", "3600"],
        "resources": {"requests": {FAKE: str(amount)}, "limits": {FAKE: str(amount)}},
    }
    return {"terminationGracePeriodSeconds": grace, "priorityClassName": of, "containers": [container]}


def pod(name: str, of: str, amount: int, *, grace: int = 0, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **meta},
        "spec": spec(of, amount, grace=grace),
    }


def replica_set(name: str, of: str, replicas: int, amount: int) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec(of, amount)},
        },
    }


def started(kubectl: Kubectl, *names: str) -> None:
    kubectl("wait", "--for=condition=Ready", *(f"pod/{name}" for name in names), "--timeout=180s")


def message(kubectl: Kubectl, name: str) -> str:
    conditions = kubectl.get("pod", name)["status"].get("conditions", [])
    return next((each["message"] for each in conditions if each.get("reason") == "Unschedulable"), "")


def watch_nominations(kubectl: Kubectl) -> Iterator[str]:
    """Yield a pod's name and its nominated node whenever one changes, beginning with those that are there."""
    form = "-o=jsonpath={.metadata.name}={.status.nominatedNodeName}{'\\n'}"
    with subprocess.Popen(
        kubectl.command("get", "pods", "-w", form), stdout=subprocess.PIPE, text=True
    ) as watch:
        try:
            for line in watch.stdout or ():
                yield line.strip()
        finally:
            watch.kill()


def test_a_victim_is_told_and_ends_in_its_own_time(kubectl: Kubectl):
    """Its containers end, and the other pod runs; a finalizer holds the object, which says why."""
    kubectl.apply(pod("low", "p1", 800, grace=3, finalizers=[FINALIZER]))
    started(kubectl, "low")
    watch = watch_nominations(kubectl)
    assert next(watch) == "low="
    kubectl.apply(pod("high", "p2", 800))
    victim = eventually(
        lambda: (found := kubectl.get("pod", "low"))["metadata"].get("deletionTimestamp") and found
    )
    assert victim["metadata"]["deletionGracePeriodSeconds"] in {0, 3}
    [told] = [each for each in victim["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert (told["status"], told["reason"]) == ("True", "PreemptionByScheduler")
    assert told["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    uid = kubectl.get("pod", "high")["metadata"]["uid"]
    said = eventually(
        lambda: kubectl("get", "events", "-o=jsonpath={.items[?(@.reason=='Preempted')].message}")
    )
    assert said == f"Preempted by pod {uid} on node {NODE}"
    assert f"high={NODE}" in watch  # for as long as the other one takes to end
    watch.close()
    started(kubectl, "high")
    found = kubectl.get("pod", "high")
    assert (found["spec"]["nodeName"], found["status"].get("nominatedNodeName")) == (NODE, None)
    assert NODE in kubectl("get", "pod", "high", "-o", "wide")
    held = kubectl.get("pod", "low")
    ended = held["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"]
    assert (ended, held["status"]["phase"], held["metadata"]["finalizers"]) == (137, "Failed", [FINALIZER])
    assert any(
        each["reason"] == "PreemptionByScheduler" for each in held["status"]["conditions"] if "reason" in each
    )
    kubectl("patch", "pod", "low", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    kubectl("wait", "--for=delete", "pod/low", "--timeout=180s")


def test_who_preempts_whom(kubectl: Kubectl):
    """Not a pod with preemptionPolicy Never; a critical one anybody; a budget has a more important pod go."""
    kubectl.apply(
        pod("kept", "p1", 500, labels={"app": "kept"}),
        pod("other", "p2", 500),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}},
        },
    )
    started(kubectl, "kept", "other")
    eventually(lambda: kubectl.get("pdb", "kept")["status"].get("currentHealthy") == 1)
    kubectl.apply(pod("patient", "patient", 500))
    never = "preemption: not eligible due to preemptionPolicy=Never."
    eventually(lambda: message(kubectl, "patient").endswith(never))
    kubectl.apply(pod("high", "p3", 500))
    kubectl("wait", "--for=delete", "pod/other", "--timeout=180s")
    kubectl("delete", "pod", "patient")
    started(kubectl, "high")
    kubectl.apply(pod("critical", "system-cluster-critical", 1000))
    started(kubectl, "critical")
    eventually(lambda: [each["metadata"]["name"] for each in kubectl.get("pods")] == ["critical"])
    kubectl.apply(pod("late", "p4", 1))
    nobody = "No preemption victims found for incoming pod"
    eventually(lambda: nobody in message(kubectl, "late"))
    kubectl("delete", "pdb", "kept")


def test_replica_sets_of_four_priorities_settle(kubectl: Kubectl):
    """The highest run whole, and no pod of theirs is taken away; each lower one waits."""
    sizes = {
        "rs-pod1": ("p1", 5, 200),
        "rs-pod2": ("p2", 4, 200),
        "rs-pod3": ("p3", 2, 300),
        "rs-pod4": ("p4", 1, 400),
    }
    for name, size in sizes.items():
        kubectl.apply(replica_set(name, *size))
        eventually(
            lambda name=name, size=size: kubectl.get("rs", name)["status"].get("readyReplicas") == size[1]
        )
    ready = "-o=jsonpath={range .items[*]}{.metadata.name}={.status.readyReplicas} {end}"
    eventually(
        lambda: kubectl("get", "rs", ready).split() == ["rs-pod1=", "rs-pod2=", "rs-pod3=2", "rs-pod4=1"]
    )
    for name in ("rs-pod3", "rs-pod4"):
        made = f"-o=jsonpath={{.items[?(@.involvedObject.name=='{name}')].reason}}"
        expected = ["SuccessfulCreate"] * sizes[name][1]
        # Events come after what they tell of.
        reasons = eventually(
            lambda made=made, expected=expected: (
                len(found := kubectl("get", "events", made).split()) >= len(expected) and found
            )
        )
        assert reasons == expected

    def waiting() -> list[str]:
        return [each["metadata"]["name"] for each in kubectl.get("pods") if not each["spec"].get("nodeName")]

    eventually(lambda: len(waiting()) == 9, what="nine pods that wait")

"""Pods that write more than they may, and a node that runs short of memory, with real containers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

BUSYBOX = "busybox:1.36"
TAINT = "node.kubernetes.io/memory-pressure"
SMALL = {"tests.kubarium.dev/small": "true"}


def pod(name: str, script: str, *, container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    main = {"name": "main", "image": BUSYBOX, "command": ["sh", "-c", script], **(container or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [main], "terminationGracePeriodSeconds": 600, **spec},
    }


def evicted(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Wait until a pod is evicted; return its status."""

    def status() -> dict[str, Any] | None:
        found: dict[str, Any] = kubectl.get("pod", name)["status"]
        return found if found.get("reason") == "Evicted" else None

    return eventually(status, timeout_s=180, what=f"{name} evicted")  # type: ignore[return-value]


def events(kubectl: Kubectl, name: str, reason: str) -> list[str]:
    listed = kubectl.get("events", f"--field-selector=involvedObject.name={name},reason={reason}")
    return [f"{each['type']}: {each['message']}" for each in listed]


def test_a_container_that_writes_more_than_its_limit_is_evicted(kubectl: Kubectl) -> None:
    """It ends at once, whatever its grace period; who writes as much into a volume without a limit goes on."""
    write = "trap '' TERM; dd if=/dev/zero of={} bs=1M count=8 2>/dev/null; while :; do sleep 1; done"
    limits = {"resources": {"limits": {"ephemeral-storage": "4Mi"}}}
    free = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    kubectl.apply(
        pod("writer", write.format("/tmp/file"), container=limits),
        pod("free", write.format("/data/file"), container=free, volumes=[{"name": "data", "emptyDir": {}}]),
    )
    status = evicted(kubectl, "writer")
    assert status["phase"] == "Failed"
    text = "Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. "
    assert status["message"] == text
    assert "DisruptionTarget" not in {each["type"] for each in status["conditions"]}
    [end] = [each["state"]["terminated"] for each in status["containerStatuses"]]
    assert end["exitCode"] == 137
    eventually(lambda: events(kubectl, "writer", "Evicted") == [f"Warning: {text}"])
    eventually(lambda: is_ready(kubectl.get("pod", "free")), what="the other one goes on")


def test_a_deployment_replaces_a_pod_whose_volume_is_too_large(kubectl: Kubectl, tmp_path: Path) -> None:
    """The first pod writes too much, and only that one: a folder that all nodes see says who was first."""
    script = "mkdir /seen/first 2>/dev/null && head -c 4194304 /dev/zero >/cache/file; exec sleep 3600"
    made = pod(
        "web",
        script,
        container={
            "volumeMounts": [
                {"name": "cache", "mountPath": "/cache"},
                {"name": "seen", "mountPath": "/seen"},
            ],
        },
        volumes=[
            {"name": "cache", "emptyDir": {"sizeLimit": "2Mi"}},
            {"name": "seen", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
        ],
    )
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": made["spec"]}
    kubectl.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        }
    )

    def outcome() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        pods = kubectl.pods("app=web")
        gone = [each for each in pods if each["status"].get("reason") == "Evicted"]
        return gone, [each for each in pods if is_ready(each)]

    gone, ready = eventually(
        lambda: found if all(map(len, found := outcome())) else None,
        what="one evicted, one ready",
    )  # type: ignore[misc]
    assert [each["status"]["message"] for each in gone] == [
        'Usage of EmptyDir volume "cache" exceeds the limit "2Mi". '
    ]
    assert len(ready) == 1


@pytest.fixture(scope="module")
def small(cluster: Cluster) -> Iterator[str]:
    """A node of little memory that only the pods of this file go to."""
    name = cluster.add_node(
        memory="256Mi",
        labels=SMALL,
        taints=["tests.kubarium.dev/small:NoSchedule"],
        kubelet_args={
            "eviction-hard": "memory.available<100Mi",
            "eviction-pressure-transition-period-s": "5",
        },
    )
    cluster.wait_ready()
    yield name
    cluster.remove_node(name)


def holding(name: str, mebibytes: int, **container: Any) -> dict[str, Any]:
    """Build a pod for the small node that holds so much memory: files in memory are nobody's to drop."""
    script = f"head -c {mebibytes * 2**20} /dev/zero >/held/file; exec sleep 3600"
    return pod(
        name,
        script,
        container={"volumeMounts": [{"name": "held", "mountPath": "/held"}], **container},
        volumes=[{"name": "held", "emptyDir": {"medium": "Memory"}}],
        nodeSelector=SMALL,
        tolerations=[{"key": "tests.kubarium.dev/small", "operator": "Exists"}],
    )


def pressure(kubectl: Kubectl, node: str) -> tuple[str, list[str]]:
    """Return the status of a node's condition, and the effects of its taint."""
    found = kubectl.get("node", node)
    [status] = [each["status"] for each in found["status"]["conditions"] if each["type"] == "MemoryPressure"]
    return status, [each["effect"] for each in found["spec"].get("taints", []) if each["key"] == TAINT]


def test_a_node_short_of_memory_evicts_who_asked_for_none(kubectl: Kubectl, small: str) -> None:
    """What the cluster needs itself stays; while the node is short nobody new comes, then everybody does."""
    needed = holding("needed", 70, resources={"requests": {"memory": "100Mi"}})
    needed["spec"]["priorityClassName"] = "system-node-critical"
    kubectl.apply(needed)
    eventually(lambda: is_ready(kubectl.get("pod", "needed")))
    assert pressure(kubectl, small) == ("False", [])
    kubectl.apply(holding("greedy", 110))
    status = evicted(kubectl, "greedy")
    low = "The node was low on resource: memory. Threshold quantity: 100Mi, available: "
    assert status["message"].startswith(low)
    assert "Container main was using " in status["message"]
    [why] = [each for each in status["conditions"] if each["type"] == "DisruptionTarget"]
    assert (why["status"], why["reason"]) == ("True", "TerminationByKubelet")
    eventually(lambda: pressure(kubectl, small) == ("False", []), what="calm again")
    kubectl("exec", "needed", "--", "sh", "-c", f"head -c {110 * 2**20} /dev/zero >/held/more")
    eventually(lambda: pressure(kubectl, small) == ("True", ["NoSchedule"]), what="short")
    kubectl.apply(holding("late", 1))

    def is_kept_away() -> bool:
        conditions = kubectl.get("pod", "late")["status"].get("conditions", [])
        return any("untolerated taint" in each.get("message", "") for each in conditions)

    eventually(is_kept_away, what="late kept away")
    assert is_ready(kubectl.get("pod", "needed"))
    kubectl("exec", "needed", "--", "rm", "/held/more")
    eventually(lambda: pressure(kubectl, small) == ("False", []), what="calm again")
    eventually(lambda: is_ready(kubectl.get("pod", "late")))

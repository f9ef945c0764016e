"""How containers end, and what they may use."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.stalls import Stalls, taking
from tests.support.waiting import rest

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


def pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Build a pod with one busybox container that runs a shell script."""
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", script],
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "restartPolicy": "Never", **spec},
    }


def wait_ready(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Wait until a pod is Ready, and return it."""
    return eventually(
        lambda: (found := kubectl.get("pod", name)) and is_ready(found) and found, what=f"{name} Ready"
    )


def test_sigterm_ignored_is_killed_at_the_grace_period(kubectl: Kubectl):
    """A container that ignores SIGTERM runs for its grace period, and at most a second longer."""
    kubectl.apply(pod("deaf", "trap '' TERM; while :; do sleep 1; done", terminationGracePeriodSeconds=3))
    wait_ready(kubectl, "deaf")
    with taking(at_least_s=3, less_than_s=10):  # the machine is shared; the default grace would be 30
        kubectl("delete", "pod", "deaf")


def test_prestop_runs_before_sigterm(kubectl: Kubectl):
    """PreStop is over before SIGTERM comes, and a container that handles it exits 0 in time."""
    script = "trap 'echo term >>/log/order; exit 0' TERM; while :; do sleep 0.1; done"
    spec = pod(
        "polite",
        script,
        terminationGracePeriodSeconds=20,
        volumes=[{"name": "log", "hostPath": {"path": "/tmp/kubarium-prestop", "type": "DirectoryOrCreate"}}],
        container={
            "volumeMounts": [{"name": "log", "mountPath": "/log"}],
            "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "echo stop >>/log/order; sleep 1"]}}},
        },
    )
    spec["metadata"]["finalizers"] = ["tests.kubarium.dev/look"]
    kubectl.apply(
        pod(
            "broom",
            "rm -f /log/order",
            volumes=spec["spec"]["volumes"],
            container={"volumeMounts": spec["spec"]["containers"][0]["volumeMounts"]},
        )
    )
    eventually(lambda: kubectl.get("pod", "broom")["status"]["phase"] == "Succeeded")
    node = kubectl.get("pod", "broom")["spec"]["nodeName"]
    kubectl.apply(spec)
    wait_ready(kubectl, "polite")
    kubectl("delete", "pod", "polite", "--wait=false")
    ended = eventually(
        lambda: kubectl.get("pod", "polite")["status"]["containerStatuses"][0]["state"].get("terminated"),
        timeout_s=120,
        what="polite terminated",
    )
    assert ended["exitCode"] == 0
    assert ended["reason"] == "Completed"
    kubectl("patch", "pod", "polite", "--type=json", '-p=[{"op":"remove","path":"/metadata/finalizers"}]')
    reader = pod(
        "reader",
        "cat /log/order",
        volumes=spec["spec"]["volumes"],
        nodeName=node,
        container={"volumeMounts": spec["spec"]["containers"][0]["volumeMounts"]},
    )
    kubectl.apply(reader)
    eventually(lambda: kubectl.get("pod", "reader")["status"]["phase"] == "Succeeded")
    assert kubectl("logs", "reader").split() == ["stop", "term"]


def test_over_the_memory_limit_is_oom_killed(kubectl: Kubectl):
    """A container that takes more than its limit ends with OOMKilled and 137."""
    kubectl.apply(pod("greedy", "tail /dev/zero", container={"resources": {"limits": {"memory": "32Mi"}}}))
    ended = eventually(
        lambda: (
            (kubectl.get("pod", "greedy")["status"].get("containerStatuses") or [{}])[0]
            .get("state", {})
            .get("terminated")
        ),
        what="greedy terminated",
    )
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_what_a_pod_is_limited_to_as_a_whole_bounds_its_containers_together(kubectl: Kubectl):
    """Each keeps 70 MB, for which there is room; for both together there is none."""
    script = (
        "mkfifo /tmp/f; (head -c 70000000 /dev/zero; echo kept >&2; sleep 60) >/tmp/f & "
        "exec tail -c 70000000 /tmp/f >/dev/null"
    )
    limited = {"resources": {"limits": {"cpu": "1", "memory": "100Mi"}}}
    alone, couple = pod("alone", script, **limited), pod("couple", script, **limited)
    [one] = couple["spec"]["containers"]
    couple["spec"]["containers"] = [{**one, "name": name} for name in ("left", "right")]
    kubectl.apply(alone, couple)

    def ended() -> list[str]:
        statuses = kubectl.get("pod", "couple")["status"].get("containerStatuses") or []
        terminated = [each["state"].get("terminated") or {} for each in statuses]
        return [each["reason"] for each in terminated if each]

    assert eventually(ended, what="the end of one of both") == ["OOMKilled"]
    eventually(lambda: kubectl("logs", "alone") == "kept\n", what="what one keeps alone")
    status = kubectl.get("pod", "alone")["status"]
    assert (status["phase"], status["qosClass"]) == ("Running", "Guaranteed")


def test_half_a_core_is_half_a_core(kubectl: Kubectl):
    """A busy container with limits.cpu 500m gets half a second of CPU time a second."""
    script = "i=0; while :; do i=$((i+1)); done"
    kubectl.apply(pod("busy", script, container={"resources": {"limits": {"cpu": "500m"}}}))
    wait_ready(kubectl, "busy")
    read = ("exec", "busy", "--", "cat", "/proc/1/stat")
    with Stalls() as stalls:
        before, began = _ticks(kubectl(*read)), time.monotonic()
        rest(5, "what is measured")
        busy_s = (_ticks(kubectl(*read)) - before) / 100
        took_s = time.monotonic() - began
    assert busy_s < 0.6 * took_s
    assert busy_s > 0.4 * (took_s - stalls.total_s)  # while the machine stands still, nobody works


def _ticks(stat: str) -> int:
    fields = stat.rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])

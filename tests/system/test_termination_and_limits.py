"""How containers end, and what they may use."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.stalls import taking
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
    """A container that ignores SIGTERM runs for its grace period, and not for the default one."""
    script = "trap '' TERM; echo deaf; while :; do sleep 1; done"
    kubectl.apply(pod("deaf", script, terminationGracePeriodSeconds=3))
    eventually(lambda: kubectl.run("logs", "deaf").out == "deaf\n", what="a container that ignores SIGTERM")
    with taking(at_least_s=3, less_than_s=20):  # the machine is shared; the default grace would be 30
        kubectl("delete", "pod", "deaf")


def test_prestop_runs_before_sigterm(kubectl: Kubectl, tmp_path: Path):
    """PreStop is over before SIGTERM comes, and a container that handles it exits 0 in time."""
    script = "trap 'echo term >>/log/order; exit 0' TERM; echo polite; while :; do sleep 0.1; done"
    spec = pod(
        "polite",
        script,
        terminationGracePeriodSeconds=20,
        volumes=[{"name": "log", "hostPath": {"path": str(tmp_path), "type": "Directory"}}],
        container={
            "volumeMounts": [{"name": "log", "mountPath": "/log"}],
            "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "echo stop >>/log/order; sleep 1"]}}},
        },
    )
    spec["metadata"]["finalizers"] = ["tests.kubarium.dev/look"]
    kubectl.apply(spec)
    eventually(
        lambda: kubectl.run("logs", "polite").out == "polite\n", what="a container that handles SIGTERM"
    )
    kubectl("delete", "pod", "polite", "--wait=false")
    ended = eventually(
        lambda: kubectl.get("pod", "polite")["status"]["containerStatuses"][0]["state"].get("terminated"),
        timeout_s=120,
        what="polite terminated",
    )
    assert ended["exitCode"] == 0
    assert ended["reason"] == "Completed"
    kubectl("patch", "pod", "polite", "--type=json", '-p=[{"op":"remove","path":"/metadata/finalizers"}]')
    assert (tmp_path / "order").read_text().split() == ["stop", "term"]


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
        "mkfifo /tmp/f; (head -c 70000000 /dev/zero; echo kept >&2; sleep 600) >/tmp/f & "
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
    """A busy container with limits.cpu 500m gets half a second of CPU time a second, whoever else wants some.

    It has at most that; and as long as it is held back it has worked before, in each tenth of a second.
    """
    script = "i=0; while :; do i=$((i+1)); done"
    kubectl.apply(pod("busy", script, container={"resources": {"limits": {"cpu": "500m"}}}))
    wait_ready(kubectl, "busy")
    began = time.monotonic()
    busy_before_s, held_before_s = _used(kubectl, "busy")
    rest(5, "what is measured")
    busy_s, held_s = (
        now - before
        for now, before in zip(_used(kubectl, "busy"), (busy_before_s, held_before_s), strict=True)
    )
    took_s = time.monotonic() - began
    assert busy_s < 0.6 * took_s
    assert busy_s > 0.8 * held_s


def _used(kubectl: Kubectl, name: str) -> tuple[float, float]:
    """Return for how many seconds a pod's container has worked, and for how many its limit has held it back."""
    files = "/proc/1/stat /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat"  # of either version of cgroups
    stat, *told = kubectl("exec", name, "--", "sh", "-c", f"cat {files} 2>/dev/null; true").splitlines()
    fields = stat.rsplit(")", 1)[1].split()
    counts = {each.split()[0]: int(each.split()[1]) for each in told}
    held_s = counts["throttled_time"] / 1e9 if "throttled_time" in counts else counts["throttled_usec"] / 1e6
    return (int(fields[11]) + int(fields[12])) / 100, held_s

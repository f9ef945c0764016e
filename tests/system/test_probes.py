"""Probes of real containers: what they see, and what follows from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from kubarium.core.network import node_namespace
from tests.support.kubectl import Kubectl, eventually, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

QUICK = {"periodSeconds": 1, "failureThreshold": 2}
GRPC_PORT = 25_051  # none that connections get


def pod(name: str, script: str, *, spec: dict[str, Any] | None = None, **probes: Any) -> dict[str, Any]:
    """Build a pod with one busybox container that runs a shell script."""
    container = {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script], **probes}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1, **(spec or {})},
    }


def status(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Read the status of the pod's container."""
    statuses = kubectl.get("pod", name)["status"].get("containerStatuses")
    return statuses[0] if statuses else {}


def await_running(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """Wait until a pod's container runs; give its state."""
    return eventually(lambda: status(kubectl, name).get("state", {}).get("running"), what=f"{name} runs")


def await_ready(kubectl: Kubectl, name: str, ready: bool) -> None:
    """Wait until a pod is Ready, or is not."""
    eventually(lambda: is_ready(kubectl.get("pod", name)) is ready, what=f"{name} Ready: {ready}")


def messages(kubectl: Kubectl, name: str, reason: str) -> str:
    """Return what the pod's events of a reason say, a line each: other failures may come beside the expected one."""
    events = kubectl.get("events", f"--field-selector=involvedObject.name={name}")
    return "\n".join(event["message"] for event in events if event["reason"] == reason)


def test_exec_readiness_follows_the_command_and_the_endpoints_follow_it(kubectl: Kubectl):
    """A pod that is not ready is no endpoint, and is not restarted."""
    probe = {"exec": {"command": ["cat", "/tmp/ready"]}, **QUICK}
    kubectl.apply(pod("choosy", "exec sleep 1000", readinessProbe=probe))
    kubectl("expose", "pod", "choosy", "--port=80")

    def ready_endpoints() -> list[bool]:
        slices = kubectl.get("endpointslices", "-l", "kubernetes.io/service-name=choosy")
        return [item["conditions"]["ready"] for found in slices for item in found["endpoints"] or []]

    await_running(kubectl, "choosy")
    eventually(lambda: ready_endpoints() == [False])
    kubectl("exec", "choosy", "--", "touch", "/tmp/ready")
    await_ready(kubectl, "choosy", ready=True)
    eventually(lambda: ready_endpoints() == [True])
    kubectl("exec", "choosy", "--", "rm", "/tmp/ready")
    await_ready(kubectl, "choosy", ready=False)
    eventually(lambda: ready_endpoints() == [False])
    assert status(kubectl, "choosy")["restartCount"] == 0
    why = "Readiness probe failed: cat: can't open"
    eventually(lambda: why in messages(kubectl, "choosy", "Unhealthy"), what="the event")


def test_http_liveness_restarts_a_container_that_answers_with_an_error(kubectl: Kubectl):
    """After failureThreshold failures; the container that was killed is remembered, the new one is fine again."""
    script = "[ -e /keep/once ] && echo ok >/health; touch /keep/once; exec httpd -f -p 8080 -h /"
    probe = {"httpGet": {"path": "/health", "port": 8080}, **QUICK}
    shared = {"volumes": [{"name": "keep", "emptyDir": {}}]}
    mount = [{"name": "keep", "mountPath": "/keep"}]
    kubectl.apply(pod("sick", script, spec=shared, livenessProbe=probe, volumeMounts=mount))
    eventually(lambda: (now := status(kubectl, "sick")) and now["restartCount"] > 0 and now["ready"])
    for reason, text in (
        ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 404"),
        ("Killing", "Container main failed liveness probe, will be restarted"),
    ):
        eventually(
            lambda reason=reason, text=text: text in messages(kubectl, "sick", reason).splitlines(), what=text
        )  # type: ignore[misc]
    assert "terminated" in status(kubectl, "sick")["lastState"]


def test_tcp_startup_holds_the_others_back(kubectl: Kubectl):
    """While the startup probe has not succeeded, liveness does not count and the pod is not ready."""
    script = "until [ -e /tmp/go ]; do sleep 0.1; done; exec httpd -f -p 8080 -h /tmp"
    port = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    kubectl.apply(
        pod(
            "slow",
            script,
            startupProbe={**port, "failureThreshold": 600},
            livenessProbe={
                **port,
                "failureThreshold": 1,
                "timeoutSeconds": 60,
            },  # a closed port refuses at once
        )
    )
    started = await_running(kubectl, "slow")
    assert status(kubectl, "slow")["started"] is False
    kubectl("exec", "slow", "--", "touch", "/tmp/go")
    await_ready(kubectl, "slow", ready=True)
    found = status(kubectl, "slow")
    assert (found["started"], found["restartCount"]) == (True, 0)
    assert found["state"]["running"] == started


def test_grpc_readiness_asks_the_health_service(cluster: Cluster, kubectl: Kubectl, tmp_path: Path):
    """The server runs in the node's network, where the pod is; NOT_SERVING is not ready."""
    probe = {"grpc": {"port": GRPC_PORT}, **QUICK}
    spec = {"hostNetwork": True, "nodeName": "node-1"}
    good = tmp_path / "good"
    with health_server(node_namespace(cluster.name, "node-1"), good):
        kubectl.apply(pod("healthy", "exec sleep 1000", spec=spec, readinessProbe=probe))
        eventually(lambda: 'responded with "NOT_SERVING"' in messages(kubectl, "healthy", "Unhealthy"))
        good.touch()
        await_ready(kubectl, "healthy", ready=True)
    await_ready(kubectl, "healthy", ready=False)
    why = "failed to connect service"
    eventually(lambda: why in messages(kubectl, "healthy", "Unhealthy"), what="the event")


@contextmanager
def health_server(namespace: str, good: Path) -> Iterator[None]:
    """Serve in a node's network namespace; SERVING while the file is there."""
    module = [sys.executable, "-m", "tests.support.health_server", str(GRPC_PORT), str(good)]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(["ip", "netns", "exec", namespace, *module], cwd=root)
    try:
        yield
    finally:
        process.kill()
        process.wait()

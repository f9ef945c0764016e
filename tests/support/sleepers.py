"""Three sleepers on three nodes, and how long they are away when one of the nodes fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kubarium import Cluster
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.stalls import Stalls

LIMIT_S = 6.0  # with the fast profile


def deployment(replicas: int) -> dict[str, Any]:
    """Build a Deployment of sleepers."""
    labels = {"app": "sleeper"}
    container = {
        "name": "main",
        "image": "busybox:1.36",
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "sleeper"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def start_sleepers(cluster: Cluster) -> Kubectl:
    """Run three sleepers on three nodes."""
    kubectl = Kubectl(cluster.kubeconfig)
    kubectl.apply(deployment(3))
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=180s", timeout_s=200)
    while not _are_spread(kubectl):  # a node that was late had none; its pods would not be missed
        spread_again(kubectl)
    return kubectl


def _are_spread(kubectl: Kubectl) -> bool:
    return {pod["spec"]["nodeName"] for pod in kubectl.pods()} == {"node-1", "node-2", "node-3"}


def recovery_s(kubectl: Kubectl, dead: str, *, limit_s: float) -> float:
    """Return after how many seconds all three replicas run on the other nodes."""
    began = time.monotonic()
    eventually(
        lambda: _elsewhere(kubectl, dead) == 3,
        timeout_s=limit_s,
        every_s=0.05,
        what="three replicas elsewhere",
    )
    return time.monotonic() - began


def assert_recovery(kubectl: Kubectl, fail: Callable[[], None], mend: Callable[[], None]) -> None:
    """Fail node-2; its pods have to run elsewhere within 6 s.

    The moments in which the machine itself stood still do not count. Where it takes longer, it is mended and fails again, up to
    three times: others may have had the processors.
    """
    for left in (2, 1, 0):
        with Stalls() as stalls:
            fail()
            took_s = recovery_s(kubectl, "node-2", limit_s=60)
        if took_s - stalls.total_s < LIMIT_S:
            return
        if left:
            mend()
            spread_again(kubectl)
    events = kubectl("get", "events", "--sort-by=.lastTimestamp")
    raise AssertionError(f"it took {took_s:.2f} s, {stalls.total_s:.2f} of them stalls\n{events}")


def spread_again(kubectl: Kubectl) -> None:
    """Run the sleepers once more, on all nodes."""
    kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=180s", timeout_s=200)
    kubectl("scale", "deployment/sleeper", "--replicas=0")
    eventually(lambda: kubectl.pods() == [], what="no sleeper left")
    kubectl("scale", "deployment/sleeper", "--replicas=3")
    kubectl("rollout", "status", "deployment/sleeper", "--timeout=180s", timeout_s=200)


def _elsewhere(kubectl: Kubectl, dead: str) -> int:
    return sum(is_ready(pod) and pod["spec"]["nodeName"] != dead for pod in kubectl.pods())

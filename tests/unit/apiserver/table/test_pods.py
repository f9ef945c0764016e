"""What `kubectl get pods` says of a pod."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apiserver.core.table import Moment
from apiserver.core.table.pods import PODS

NOW = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()
RUNNING = {"running": {}}
READY = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]


def container(name: str = "main", state: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"name": name, "state": state or {}, "restartCount": 0, **fields}


def terminated(code: int = 0, **fields: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, **fields}}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def pod(*containers: dict[str, Any], inits: tuple[dict[str, Any], ...] = (), **fields: Any) -> dict[str, Any]:
    sidecars = fields.pop("sidecars", ())
    return {
        "metadata": {
            "name": "web",
            "creationTimestamp": "2025-01-01T11:00:00Z",
            **fields.pop("metadata", {}),
        },
        "spec": {
            "containers": [{"name": each["name"]} for each in containers] or [{"name": "main"}],
            "initContainers": [
                {"name": each["name"], **({"restartPolicy": "Always"} if each["name"] in sidecars else {})}
                for each in inits
            ],
            **fields.pop("spec", {}),
        },
        "status": {
            "phase": "Running",
            "containerStatuses": list(containers),
            "initContainerStatuses": list(inits),
            **fields,
        },
    }


def printed(obj: dict[str, Any]) -> dict[str, Any]:
    return dict(zip([each.name for each in PODS.columns], PODS.row(obj, Moment(NOW)), strict=True))


@pytest.mark.parametrize(
    ("obj", "ready", "status"),
    [
        (pod(phase="Pending"), "0/1", "Pending"),
        (pod(container(state=RUNNING, ready=True)), "1/1", "Running"),
        (pod(container(state=waiting("CrashLoopBackOff"))), "0/1", "CrashLoopBackOff"),
        (pod(container(state=waiting("ContainerCreating")), phase="Pending"), "0/1", "ContainerCreating"),
        (pod(container(state=terminated(reason="Completed")), phase="Succeeded"), "0/1", "Completed"),
        (pod(container(state=terminated(137, reason="OOMKilled"))), "0/1", "OOMKilled"),
        (pod(container(state=terminated(3)), phase="Failed"), "0/1", "ExitCode:3"),
        (pod(container(state=terminated(0, signal=9)), phase="Failed"), "0/1", "Signal:9"),
        (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted"),
        (
            pod(
                container("a", RUNNING, ready=True),
                container("b", terminated(reason="Completed")),
                conditions=READY,
            ),
            "1/2",
            "Running",
        ),
        (
            pod(container("a", RUNNING, ready=True), container("b", terminated(reason="Completed"))),
            "1/2",
            "NotReady",
        ),
        (pod(phase="Pending", inits=(container("i", RUNNING), container("j"))), "0/1", "Init:0/2"),
        (pod(phase="Pending", inits=(container("i", terminated()), container("j"))), "0/1", "Init:1/2"),
        (pod(phase="Pending", inits=(container("i", terminated(1)),)), "0/1", "Init:ExitCode:1"),
        (pod(phase="Pending", inits=(container("i", terminated(1, reason="Error")),)), "0/1", "Init:Error"),
        (
            pod(phase="Pending", inits=(container("i", waiting("ImagePullBackOff")),)),
            "0/1",
            "Init:ImagePullBackOff",
        ),
        (
            pod(
                container(state=RUNNING, ready=True),
                inits=(container("s", RUNNING, started=True, ready=True),),
                sidecars=("s",),
                conditions=READY,
            ),
            "2/2",
            "Running",
        ),
        (
            pod(container(state=RUNNING, ready=True), metadata={"deletionTimestamp": "2025-01-01T12:00:30Z"}),
            "1/1",
            "Terminating",
        ),
        (
            pod(metadata={"deletionTimestamp": "2025-01-01T12:00:30Z"}, reason="NodeLost"),
            "0/1",
            "Unknown",
        ),
        (
            pod(
                container(state=terminated(reason="Completed")),
                phase="Succeeded",
                metadata={"deletionTimestamp": "2025-01-01T12:00:30Z"},
            ),
            "0/1",
            "Completed",
        ),
        (
            pod(
                phase="Pending",
                conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            ),
            "0/1",
            "SchedulingGated",
        ),
    ],
)
def test_ready_and_status(obj: dict[str, Any], ready: str, status: str):
    """READY and STATUS follow from the containers."""
    row = printed(obj)
    assert (row["Ready"], row["Status"]) == (ready, status)


def test_restarts_tell_when_the_last_one_was():
    """The newest end of a container counts."""
    restarted = container(
        state=RUNNING, restartCount=3, lastState=terminated(1, finishedAt="2025-01-01T11:55:00Z"), ready=True
    )
    assert printed(pod(restarted))["Restarts"] == "3 (5m ago)"
    assert printed(pod(container(state=RUNNING, restartCount=2)))["Restarts"] == "2"


@pytest.mark.parametrize(
    ("state", "is_initialized", "restarts"),
    [
        (RUNNING, False, "3"),  # it begins again: what was before does not count yet
        (RUNNING, True, "12"),  # an init container that somebody has started anew, beside what runs
        (terminated(), True, "12"),
    ],
)
def test_restarts_of_init_containers_count_while_the_pod_initializes(
    state: dict[str, Any], is_initialized: bool, restarts: str
):
    """Afterwards those of sidecars and main containers, whatever an init container does."""
    side = container("side", RUNNING, started=True, ready=True, restartCount=2)
    init = container("init", state, restartCount=1)
    conditions = [{"type": "Initialized", "status": str(is_initialized)}]
    main = container(state=RUNNING, ready=True, restartCount=10)
    obj = pod(main, inits=(side, init), sidecars=("side",), conditions=conditions)
    assert printed(obj)["Restarts"] == restarts


def test_the_wide_columns():
    """Address, node, nominated node and readiness gates."""
    obj = pod(
        container(state=RUNNING, ready=True),
        podIPs=[{"ip": "10.0.0.5"}],
        spec={"nodeName": "node-1", "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
        conditions=[{"type": "a", "status": "True"}],
    )
    row = printed(obj)
    assert (row["IP"], row["Node"], row["Nominated Node"], row["Readiness Gates"]) == (
        "10.0.0.5",
        "node-1",
        "<none>",
        "1/2",
    )

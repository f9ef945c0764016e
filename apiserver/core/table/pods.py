"""Pods: READY, STATUS and RESTARTS are read out of the containers, as `kubectl get pods` always has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from apiserver.core.table.table import AGE, NAME, NONE, UNKNOWN, Cells, Column, Moment, Table, age, name, wide
from apiserver.core.values import Json, metadata, spec

_NODE_LOST: Final = "NodeLost"


@dataclass(slots=True)
class _Summary:
    reason: str
    ready: int = 0
    total: int = 0
    restarts: int = 0  # of the init containers while it initializes, afterwards of those that go on
    last_restart: str = ""  # the newest finishedAt, in the form that the restarts are counted in


def _row(pod: Json, moment: Moment) -> Cells:
    summary = _summarize(pod)
    status = pod.get("status") or {}
    addresses = [each.get("ip", "") for each in status.get("podIPs") or ()] or [status.get("podIP", "")]
    gates = spec(pod).get("readinessGates") or ()
    return [
        name(pod),
        f"{summary.ready}/{summary.total}",
        summary.reason,
        _restarts(summary, moment),
        age(pod, moment),
        addresses[0] or NONE,
        spec(pod).get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(gates, status.get("conditions") or ()) if gates else NONE,
    ]


def _summarize(pod: Json) -> _Summary:
    status = pod.get("status") or {}
    summary = _Summary(status.get("reason") or status.get("phase", ""))
    if _is_gated(status):
        summary.reason = "SchedulingGated"
    inits = {each["name"]: each for each in spec(pod).get("initContainers") or ()}
    summary.total = len(spec(pod).get("containers") or ()) + sum(map(_is_sidecar, inits.values()))
    lasting = _Summary("")
    if not _initializing(summary, status, inits, lasting) or _is_initialized(status):
        summary.restarts, summary.last_restart = lasting.restarts, lasting.last_restart
        _main_containers(summary, status)
    _deleted(summary, pod, status)
    return summary


def _is_gated(status: Json) -> bool:
    return any(
        each.get("type") == "PodScheduled" and each.get("reason") == "SchedulingGated"
        for each in status.get("conditions") or ()
    )


def _is_initialized(status: Json) -> bool:
    return any(
        each.get("type") == "Initialized" and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )


def _is_sidecar(container: Json) -> bool:
    return container.get("restartPolicy") == "Always"


def _initializing(summary: _Summary, status: Json, inits: dict[str, Json], lasting: _Summary) -> bool:
    """Look at the init containers, and count the restarts of sidecars as `lasting`.

    Return whether one of them is what the pod waits for.
    """
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        _count(summary, container)
        sidecar = _is_sidecar(inits.get(container.get("name", ""), {}))
        if sidecar:
            _count(lasting, container)
        if _has_passed(summary, container, sidecar=sidecar):
            continue
        summary.reason = _init_reason(container, index, len(inits))
        return True
    return False


def _has_passed(summary: _Summary, container: Json, *, sidecar: bool) -> bool:
    terminated = (container.get("state") or {}).get("terminated")
    if terminated is not None and terminated.get("exitCode", 0) == 0:
        return True
    if sidecar and container.get("started"):
        summary.ready += bool(container.get("ready"))
        return True
    return False


def _init_reason(container: Json, index: int, total: int) -> str:
    state = container.get("state") or {}
    if (terminated := state.get("terminated")) is not None:
        return f"Init:{_ended(terminated)}"
    waiting = (state.get("waiting") or {}).get("reason", "")
    if waiting not in {"", "PodInitializing"}:
        return f"Init:{waiting}"
    return f"Init:{index}/{total}"


def _main_containers(summary: _Summary, status: Json) -> None:
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        _count(summary, container)
        state = container.get("state") or {}
        waiting, terminated = (state.get("waiting") or {}).get("reason", ""), state.get("terminated")
        if waiting:
            summary.reason = waiting
        elif terminated is not None:
            summary.reason = _ended(terminated)
        elif container.get("ready") and state.get("running") is not None:
            running = True
            summary.ready += 1
    if summary.reason == "Completed" and running:
        summary.reason = "Running" if _is_ready(status) else "NotReady"


def _ended(terminated: Json) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _is_ready(status: Json) -> bool:
    return any(
        each.get("type") == "Ready" and each.get("status") == "True"
        for each in status.get("conditions") or ()
    )


def _deleted(summary: _Summary, pod: Json, status: Json) -> None:
    if not metadata(pod).get("deletionTimestamp"):
        return
    if status.get("reason") == _NODE_LOST:
        summary.reason = "Unknown"
    elif status.get("phase") not in {"Failed", "Succeeded"}:
        summary.reason = "Terminating"


def _count(summary: _Summary, container: Json) -> None:
    summary.restarts += container.get("restartCount", 0)
    ended = ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""
    summary.last_restart = max(summary.last_restart, ended)


def _restarts(summary: _Summary, moment: Moment) -> str:
    if not summary.restarts or not summary.last_restart:
        return str(summary.restarts)
    since = moment.since(summary.last_restart)
    return str(summary.restarts) if since == UNKNOWN else f"{summary.restarts} ({since} ago)"


def _gates(gates: Iterable[Json], conditions: Iterable[Json]) -> str:
    wanted = [each.get("conditionType") for each in gates]
    true = {each.get("type") for each in conditions if each.get("status") == "True"}
    return f"{sum(gate in true for gate in wanted)}/{len(wanted)}"


PODS: Final = Table(
    (
        NAME,
        Column("Ready", description="How many containers are ready, of how many."),
        Column("Status", description="What the pod does, as its containers tell."),
        Column("Restarts", description="How often containers were started again, and when last."),
        AGE,
        wide("IP"),
        wide("Node"),
        wide("Nominated Node"),
        wide("Readiness Gates"),
    ),
    _row,
)

"""Probes the running containers of the node, one small task for each probe.

Fed by the pod workers (`watch` after each sync), asked by them for results; `on_change` wakes the worker of a pod
whose result has changed. A container's startup probe holds back the other two until it has succeeded. A probe that
has found its container dead waits for the container to be replaced.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Protocol, TypeAlias

from kubelet.containment import fault_text, log_fault
from kubelet.core.probing import (
    PROBE_OUTPUT_LIMIT,
    Outcome,
    ProbeKind,
    Progress,
    first_delay_s,
    grace_of,
    initial,
    judge_status,
    observe,
    period_s,
    probe_of,
    resolve_port,
    status_flags,
    timeout_s,
)
from kubelet.core.references import container_reference
from kubelet.http_probe import HttpProblem, describe_os_error, http_get
from machinery.client.events import WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, DeadlineExceeded
from machinery.model.k8s.core_v1 import Container, HTTPGetAction, Pod, Probe, TCPSocketAction
from machinery.model.log import SILENT, EventLog
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL
from machinery.process.metrics import Counter

_LEAST_TIMEOUT_S: Final = 1.0  # wall seconds: work does not get faster where time does
_AGAIN_S: Final = 10.0  # cluster seconds, after a fault that is not the container's
_TRIES: Final = 3  # of a probe that could not be made at all

_TOTAL: Final = (
    "prober_probe_total",
    "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.",
    ("container", "namespace", "pod", "pod_uid", "probe_type", "result"),
)
_RESULTS: Final = {Outcome.SUCCESS: "successful", Outcome.WARNING: "successful", Outcome.FAILURE: "failed"}

_Key: TypeAlias = tuple[str, str]  # pod uid, container


class ExecRuntime(Protocol):
    """What this needs of the CRI client."""

    async def exec_sync(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> cri.ExecSyncResponse:
        """Run a command in a container; DeadlineExceeded when it has not ended after so many wall seconds."""
        ...


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container that runs now."""

    name: str
    id: str
    started_s: float  # cluster seconds since the epoch


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a container may live on; if not, what found it dead and how long it has to end."""

    alive: bool
    probe: str = ""  # "Liveness" or "Startup"
    message: str = ""
    grace_s: int | None = None


_ALIVE: Final = Verdict(alive=True)


@dataclass(slots=True)
class _Watched:
    pod: Pod
    container: Container
    running: RunningContainer
    pod_ip: str
    progress: dict[ProbeKind, Progress]
    started: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass(slots=True)
class Probes:
    """What the node's containers say about themselves."""

    runtime: ExecRuntime
    events: EventRecorder
    clock: Clock
    log: EventLog = SILENT
    _: KW_ONLY
    on_change: Callable[[str], None]
    _watched: dict[_Key, _Watched] = field(init=False, default_factory=dict)
    _group: asyncio.TaskGroup | None = field(init=False, default=None)
    _simulated: bool = field(init=False, default=False)
    _counted: Counter = field(init=False, default_factory=lambda: Counter(*_TOTAL))

    def metrics(self) -> str:
        """Return how often each probe had which result, as Prometheus reads it."""
        return "\n".join(self._counted.lines()) + "\n"

    def simulate(self) -> None:
        """Report every probe as answered: on a simulated runtime no process listens and no packet may leave."""
        self._simulated = True

    async def run(self) -> None:
        """Own the probes' tasks until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for watched in self._watched.values():
                self._start(watched)
            await asyncio.get_running_loop().create_future()

    def watch(self, pod: Pod, containers: Sequence[RunningContainer], pod_ip: str) -> None:
        """Probe exactly these containers of a pod. Idempotent; a new id is a new container."""
        uid = pod.metadata.uid
        specs = {spec.name: spec for spec in (*pod.spec.initContainers, *pod.spec.containers)}
        chosen = {running.name: running for running in containers if running.name in specs}
        for key in [key for key in self._watched if key[0] == uid and key[1] not in chosen]:
            self._drop(key)
        for name, running in chosen.items():
            self._watch_one(pod, specs[name], running, pod_ip)

    def forget(self, pod_uid: str) -> None:
        """Stop probing a pod, and counting its probes."""
        self._counted.forget("pod_uid", pod_uid)
        for key in [key for key in self._watched if key[0] == pod_uid]:
            self._drop(key)

    def started(self, pod_uid: str, container: str, container_id: str) -> bool:
        """Whether a running container has started up."""
        watched = self._find(pod_uid, container, container_id)
        return watched is not None and watched.started.is_set()

    def ready(self, pod_uid: str, container: str, container_id: str) -> bool:
        """Whether a running container is ready."""
        watched = self._find(pod_uid, container, container_id)
        if watched is None or not watched.started.is_set():
            return False
        progress = watched.progress.get(ProbeKind.READINESS)
        return progress is None or bool(progress.result)

    def alive(self, pod_uid: str, container: str, container_id: str) -> Verdict:
        """Whether a running container may live on."""
        watched = self._find(pod_uid, container, container_id)
        if watched is None:
            return _ALIVE
        for kind in (ProbeKind.STARTUP, ProbeKind.LIVENESS):
            progress, probe = watched.progress.get(kind), probe_of(watched.container, kind)
            if probe and progress and progress.result is False:
                message = f"Container {container} failed {kind.value.lower()} probe, will be restarted"
                return Verdict(False, kind.value, message, grace_of(watched.pod, probe))  # noqa: FBT003
        return _ALIVE

    def _find(self, pod_uid: str, container: str, container_id: str) -> _Watched | None:
        watched = self._watched.get((pod_uid, container))
        return watched if watched is not None and watched.running.id == container_id else None

    def _watch_one(self, pod: Pod, container: Container, running: RunningContainer, pod_ip: str) -> None:
        key = (pod.metadata.uid, container.name)
        known = self._watched.get(key)
        if known is not None and known.running.id == running.id:
            known.pod, known.container, known.pod_ip = pod, container, pod_ip
            return
        self._drop(key)
        self._watched[key] = watched = _begin(pod, container, running, pod_ip)
        if self._group is not None:
            self._start(watched)

    def _start(self, watched: _Watched) -> None:
        assert self._group is not None  # noqa: S101 - only called once there is one
        for kind in watched.progress:
            name = f"probe-{kind.value.lower()}-{watched.pod.metadata.name}-{watched.container.name}"
            watched.tasks.append(self._group.create_task(self._probe(watched, kind), name=name))

    def _drop(self, key: _Key) -> None:
        if watched := self._watched.pop(key, None):
            for task in watched.tasks:
                task.cancel()

    async def _probe(self, watched: _Watched, kind: ProbeKind) -> None:
        """Probe until nothing more is to do; what nobody foresaw ends one round, and is told."""
        while True:
            try:
                await self._probe_till_done(watched, kind)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this probe's
                log_fault(self.log, "probe_ended", error, pod=watched.pod.metadata.name, kind=kind.value)
                self._tell(watched, kind, Outcome.ERROR, fault_text(error))
                await self.clock.sleep(_AGAIN_S)
            else:
                return

    async def _probe_till_done(self, watched: _Watched, kind: ProbeKind) -> None:
        """Probe until the container is dropped, has started up (startup), or is found dead."""
        if kind is not ProbeKind.STARTUP:
            await watched.started.wait()
        elif watched.started.is_set():
            return
        probe = probe_of(watched.container, kind)
        if probe is None:
            return
        await self.clock.sleep(first_delay_s(probe, running_s=self.clock.now() - watched.running.started_s))
        while True:
            begun_s = self.clock.monotonic()
            if await self._try_and_note(watched, kind, probe):
                return
            await self.clock.sleep(period_s(probe) - (self.clock.monotonic() - begun_s))

    async def _try_and_note(self, watched: _Watched, kind: ProbeKind, probe: Probe) -> bool:
        """Try once; return whether this probe has nothing more to do."""
        if kind is not ProbeKind.READINESS and watched.pod.metadata.deletionTimestamp is not None:
            return True  # what is being stopped is not restarted
        outcome, text = await self._try(watched, probe)
        self._tell(watched, kind, outcome, text)
        before = watched.progress[kind]
        self._count(watched, kind, outcome)
        after = watched.progress[kind] = observe(before, outcome, probe)
        if kind is ProbeKind.STARTUP and after.result:
            watched.started.set()
        if after.result is not before.result:
            self.on_change(watched.pod.metadata.uid)
        return kind is not ProbeKind.READINESS and (
            after.result is False or (kind is ProbeKind.STARTUP and after.result is True)
        )

    def _count(self, watched: _Watched, kind: ProbeKind, outcome: Outcome) -> None:
        meta = watched.pod.metadata
        where = (watched.container.name, meta.namespace, meta.name, meta.uid)
        self._counted.add(1, *where, kind.value, _RESULTS.get(outcome, "unknown"))

    async def _try(self, watched: _Watched, probe: Probe) -> tuple[Outcome, str]:
        if self._simulated:
            return Outcome.SUCCESS, ""
        limit_s = max(_LEAST_TIMEOUT_S, self.clock.timescale.wall(timeout_s(probe)))
        outcome, text = Outcome.ERROR, ""
        for _ in range(_TRIES):
            outcome, text = await self._try_once(watched, probe, limit_s)
            if outcome is not Outcome.ERROR:
                break
        return outcome, text

    async def _try_once(self, watched: _Watched, probe: Probe, limit_s: float) -> tuple[Outcome, str]:
        try:
            return await self._make(watched, probe, limit_s)
        except ValueError as error:
            return Outcome.ERROR, str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this probe's
            log_fault(self.log, "probe_failed", error, pod=watched.pod.metadata.name)
            return Outcome.ERROR, fault_text(error)

    async def _make(self, watched: _Watched, probe: Probe, limit_s: float) -> tuple[Outcome, str]:
        if probe.exec:
            return await self._exec(watched, probe.exec.command, limit_s)
        if probe.httpGet:
            return await _http(watched, probe.httpGet, limit_s)
        if probe.tcpSocket:
            return await _tcp(watched, probe.tcpSocket, limit_s)
        if probe.grpc:
            from kubelet.grpc_probe import grpc_check

            return await grpc_check(watched.pod_ip, probe.grpc.port, probe.grpc.service, limit_s, WALL)
        return (
            Outcome.ERROR,
            f"missing probe handler for {watched.pod.metadata.name}:{watched.container.name}",
        )

    async def _exec(self, watched: _Watched, command: Sequence[str], limit_s: float) -> tuple[Outcome, str]:
        try:
            answer = await self.runtime.exec_sync(watched.running.id, command, limit_s)
        except DeadlineExceeded:
            return Outcome.FAILURE, f'command timed out: "{" ".join(command)}" timed out after {limit_s:g}s'
        except ApiError as error:
            return Outcome.ERROR, error.message
        text = (answer.stdout + answer.stderr)[:PROBE_OUTPUT_LIMIT].decode(errors="replace")
        return (Outcome.SUCCESS if answer.exit_code == 0 else Outcome.FAILURE), text

    def _tell(self, watched: _Watched, kind: ProbeKind, outcome: Outcome, text: str) -> None:
        texts = {
            Outcome.FAILURE: ("Unhealthy", f"{kind.value} probe failed: {text}"),
            Outcome.WARNING: ("ProbeWarning", f"{kind.value} probe warning: {text}"),
            Outcome.ERROR: ("Unhealthy", f"{kind.value} probe errored and resulted in unknown state: {text}"),
        }
        if outcome in texts:
            about = container_reference(watched.pod, watched.container.name)
            self.events.record(about, WARNING, *texts[outcome])


def _begin(pod: Pod, container: Container, running: RunningContainer, pod_ip: str) -> _Watched:
    was_started, was_ready = status_flags(pod, container.name, running.id)
    flags = {ProbeKind.STARTUP: was_started, ProbeKind.LIVENESS: True, ProbeKind.READINESS: was_ready}
    progress = {
        kind: initial(kind, was_good=flags[kind])
        for kind in ProbeKind
        if probe_of(container, kind) is not None
    }
    watched = _Watched(pod, container, running, pod_ip, progress)
    if ProbeKind.STARTUP not in progress or was_started:
        watched.started.set()
    return watched


async def _http(watched: _Watched, action: HTTPGetAction, limit_s: float) -> tuple[Outcome, str]:
    port = resolve_port(watched.container, action.port)
    headers = [(header.name, header.value) for header in action.httpHeaders]
    host = action.host or watched.pod_ip
    try:
        status, body = await http_get(
            host, port, action.path or "/", headers, action.scheme or "HTTP", limit_s
        )
    except HttpProblem as problem:
        return Outcome.FAILURE, str(problem)
    outcome = judge_status(status)
    if outcome is Outcome.FAILURE:
        return outcome, f"HTTP probe failed with statuscode: {status}"
    text = body.decode(errors="replace")
    if outcome is Outcome.WARNING:
        text = f"Probe terminated redirects, Response body: {text}"
    return outcome, text


async def _tcp(watched: _Watched, action: TCPSocketAction, limit_s: float) -> tuple[Outcome, str]:
    port = resolve_port(watched.container, action.port)
    host = action.host or watched.pod_ip
    try:
        async with WALL.timeout_wall(limit_s):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome.FAILURE, f"dial tcp {host}:{port}: i/o timeout"
    except (socket.gaierror, ValueError):  # IDNA and inet_pton raise ValueError
        return Outcome.FAILURE, f"dial tcp: lookup {host}: no such host"
    except OSError as error:
        return Outcome.FAILURE, f"dial tcp {host}:{port}: {describe_os_error(error)}"
    writer.transport.abort()
    return Outcome.SUCCESS, ""

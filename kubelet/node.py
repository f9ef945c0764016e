"""Registers the node, reports its status, renews its lease.

Writes to the apiserver (Node, its status, the Lease in kube-node-lease), asks the runtime how it is, and passes the
node's pod range on to it. Pod workers may begin when `registered` is set. A Node that a user has deleted is not
registered again before the kubelet is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import msgspec

from kubelet.cgroups import Cgroups
from kubelet.core.node_status import (
    PRESSURE_HOLD_S,
    RUNTIME_GRACE_S,
    Machine,
    RuntimeState,
    Usage,
    compute_conditions,
    compute_status,
    differs,
    network_is_ready,
    new_node,
    node_labels,
    pressures,
    runtime_problems,
)
from kubelet.lease import NodeLease
from kubelet.machine_info import memory_available_bytes
from machinery.client.api import Api
from machinery.client.events import NORMAL, EventRecorder
from machinery.client.informer import Informer
from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.conditions import is_true
from machinery.model.errors import AlreadyExists, ApiError, NotFound, NotImplementedHere
from machinery.model.k8s.core_v1 import Node as NodeObject
from machinery.model.k8s.core_v1 import NodeStatus
from machinery.model.log import SILENT, EventLog
from machinery.model.profile import Intervals
from machinery.model.requests import PatchType, Selection
from machinery.model.resources import NODES
from machinery.model.store import Change
from machinery.pb import cri_pb2 as cri

_RETRY: Final = Backoff(initial_s=0.1, cap_s=2.0)  # wall seconds


class NodeRuntime(Protocol):
    """What this needs of the CRI client."""

    async def version(self) -> cri.VersionResponse:
        """Name the runtime."""
        ...

    async def status(self) -> cri.StatusResponse:
        """Tell how the runtime is."""
        ...

    async def runtime_config(self) -> cri.RuntimeConfigResponse:
        """Tell which cgroup driver it uses."""
        ...

    async def update_runtime_config(self, pod_cidr: str) -> None:
        """Give it the node's pod range."""
        ...

    async def list_images(self) -> Sequence[cri.Image]:
        """List the images on the node."""
        ...


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Who the node is, and how often it says so."""

    name: str
    ip: str
    labels: Mapping[str, str]
    intervals: Intervals
    root_dir: Path


@dataclass(slots=True)
class _Memory:
    """What is known between two looks."""

    runtime: RuntimeState = field(default_factory=RuntimeState)
    answered_s: float = 0.0  # monotonic: when the runtime answered last, or the kubelet began
    has_answered: bool = False
    unready_looks: int = 0  # in a row
    given_cidr: str = ""
    images: Sequence[cri.Image] = ()
    pressed_s: dict[str, float] = field(default_factory=dict)  # by type: when it was seen last
    status: NodeStatus | None = None  # as it was written last
    written_s: float = 0.0


class Node:
    """The node, as the cluster sees it."""

    def __init__(
        self,
        api: Api,
        runtime: NodeRuntime,
        clock: Clock,
        events: EventRecorder,
        log: EventLog = SILENT,
        *,
        settings: NodeSettings,
        machine: Machine,
        cgroups: Cgroups,
        port: Callable[[], int],
    ) -> None:
        self._api = api
        self._runtime = runtime
        self._clock = clock
        self._events = events
        self._log = log
        self._settings = settings
        self._machine = machine
        self._cgroups = cgroups
        self._port = port
        self._memory = _Memory(answered_s=clock.monotonic())
        self._pulse = asyncio.Event()
        self._own: NodeObject | None = None
        self.registered = asyncio.Event()
        self.ready = asyncio.Event()  # set while the node says that it is Ready

    def allocatable(self) -> Mapping[str, str]:
        """Give what pods may use."""
        return self._machine.allocatable

    def labels(self) -> Mapping[str, str] | None:
        """Give the node's labels as the API has them; None before they are known."""
        return self._own.metadata.labels if self._own else None

    def pulse(self) -> None:
        """Look at once: the runtime has come back, or gone."""
        self._pulse.set()

    async def run(self) -> None:
        """Register, then keep the node's status and lease fresh until cancelled."""
        await self._cgroups.setup_node(self._machine.cpu_millicores, self._machine.memory_bytes)
        self._own = await self._register()
        self._log.info("node_registered", node=self._settings.name, uid=self._own.metadata.uid)
        self._events.record(self._own, NORMAL, "Starting", "Starting kubelet.")
        self.registered.set()
        lease = NodeLease(
            self._api,
            self._clock,
            self._log,
            name=self._settings.name,
            node_uid=self._own.metadata.uid,
            intervals=self._settings.intervals,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(lease.run(), name="node-lease")
            group.create_task(self._follow_self(), name="own-node")
            group.create_task(self._report(), name="node-status")

    async def _register(self) -> NodeObject:
        """Have the Node object, however long it takes."""
        failures = 0
        while True:
            try:
                return await self._create_or_adopt()
            except ApiError as error:
                failures += 1
                self._log.warning("node_not_registered", error=error, attempts=failures)
                await self._clock.sleep(self._clock.timescale.cluster(_RETRY.delay(failures)))

    async def _create_or_adopt(self) -> NodeObject:
        settings, system = self._settings, self._machine.system
        try:
            return await self._api.create(NODES, new_node(settings.name, settings.labels, system))
        except AlreadyExists:
            pass
        found = await self._api.get(NODES, settings.name)
        wanted = node_labels(settings.name, settings.labels, system)
        if all(found.metadata.labels.get(key) == value for key, value in wanted.items()):
            return found
        return await self._api.patch(NODES, settings.name, {"metadata": {"labels": wanted}})

    async def _follow_self(self) -> None:
        selection = Selection(field_selector=f"metadata.name={self._settings.name}")
        informer = Informer(self._api, NODES, selection, clock=self._clock, log=self._log)
        informer.subscribe(self._note_self)
        await informer.run()

    def _note_self(self, change: Change[NodeObject]) -> None:
        if change.new is None:
            self._log.warning("node_deleted", node=self._settings.name, action="start the kubelet again")
            return
        self._own = change.new
        is_newly_ranged = change.new.spec.podCIDR and change.new.spec.podCIDR != self._memory.given_cidr
        was_overruled = self.ready.is_set() and not is_true(change.new.status.conditions, "Ready")
        if is_newly_ranged or was_overruled:
            self._pulse.set()

    async def _report(self) -> None:
        failures = 0
        while True:
            self._pulse.clear()
            try:
                await self._look_and_write()
                failures = 0
            except NotFound as error:
                self._log.warning("node_is_gone", node=self._settings.name, error=error)
                failures = 0
            except ApiError as error:
                failures += 1
                write = self._log.warning if failures == 1 or failures % 20 == 0 else self._log.debug
                write("node_status_not_written", error=error, attempts=failures)
            await event_within(self._pulse, self._clock, self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        """Give the cluster seconds until the next look: soon while something is missing."""
        regular_s = self._settings.intervals.node_status_update_s
        if self.ready.is_set() and not failures:
            self._memory.unready_looks = 0
            return regular_s
        self._memory.unready_looks += 1
        retry_s = _RETRY.delay(failures or self._memory.unready_looks)
        return min(regular_s, self._clock.timescale.cluster(retry_s))

    async def _look_and_write(self) -> None:
        await self._ask_runtime()
        await self._write_status()

    async def _ask_runtime(self) -> None:
        memory = self._memory
        try:
            await self._ask(memory)
        except ApiError as error:
            silent_s = self._clock.monotonic() - memory.answered_s
            if silent_s > RUNTIME_GRACE_S:
                problem = (
                    f"container runtime is down: {error.message}"
                    if memory.has_answered
                    else "container runtime is down"
                )
                memory.runtime = RuntimeState(memory.runtime.version, (problem,))
            return
        memory.answered_s, memory.has_answered = self._clock.monotonic(), True

    async def _ask(self, memory: _Memory) -> None:
        if not memory.has_answered:
            await self._learn_driver()
        version = await self._runtime.version()
        answer = await self._runtime.status()
        cidr = self._own.spec.podCIDR if self._own else ""
        if cidr and (cidr != memory.given_cidr or not network_is_ready(answer.status)):
            await self._runtime.update_runtime_config(cidr)
            memory.given_cidr = cidr
            answer = await self._runtime.status()
        text = f"{version.runtime_name}://{version.runtime_version}"
        memory.runtime = RuntimeState(text, runtime_problems(answer.status))
        if (
            self.ready.is_set() or memory.images
        ):  # the list only serves people and schedulers: not before Ready
            memory.images = await self._runtime.list_images()

    async def _learn_driver(self) -> None:
        try:
            config = await self._runtime.runtime_config()
        except NotImplementedHere:  # older runtimes do not tell
            return
        if config.HasField("linux") and config.linux.cgroup_driver == cri.SYSTEMD and self._cgroups.root:
            self._cgroups.driver = "systemd"
            await self._cgroups.setup_node(self._machine.cpu_millicores, self._machine.memory_bytes)

    async def _write_status(self) -> None:
        memory, own = self._memory, self._own
        if own is None or (not memory.has_answered and self._may_be_ready_still(own)):
            return  # a kubelet that starts again does not know better than the one before it
        now_text = self._clock.timescale.format(self._clock.now())
        conditions = compute_conditions(
            own.status.conditions, self._pressures(), memory.runtime, now_text=now_text
        )
        status = compute_status(
            self._machine,
            memory.runtime,
            conditions,
            name=self._settings.name,
            ip=self._settings.ip,
            port=self._port(),
            images=memory.images,
        )
        if self._is_worth_writing(own, status):
            await self._write(status)
        self._note_ready(own, is_ready=is_true(conditions, "Ready"))

    def _may_be_ready_still(self, own: NodeObject) -> bool:
        is_new = not is_true(own.status.conditions, "Ready")
        return not is_new and self._clock.monotonic() - self._memory.answered_s <= RUNTIME_GRACE_S

    def _is_worth_writing(self, own: NodeObject, status: NodeStatus) -> bool:
        last = self._memory.status
        if last is None or differs(last, status) or differs(own.status, status):
            return True
        return (
            self._clock.monotonic() - self._memory.written_s >= self._settings.intervals.node_status_report_s
        )

    async def _write(self, status: NodeStatus) -> None:
        body = msgspec.to_builtins(status)
        body.setdefault("images", [])
        self._own = await self._api.patch(
            NODES,
            self._settings.name,
            {"status": body},
            subresource="status",
            kind=PatchType.STRATEGIC_MERGE,
        )
        self._memory.status, self._memory.written_s = status, self._clock.monotonic()

    def _note_ready(self, own: NodeObject, *, is_ready: bool) -> None:
        if is_ready == self.ready.is_set():
            return
        reason = "NodeReady" if is_ready else "NodeNotReady"
        self._log.info(
            "node_ready" if is_ready else "node_not_ready", problems=", ".join(self._memory.runtime.problems)
        )
        self._events.record(own, NORMAL, reason, f"Node {self._settings.name} status is now: {reason}")
        if is_ready:
            self.ready.set()
            self._pulse.set()  # the images are still to be told
        else:
            self.ready.clear()

    def _pressures(self) -> dict[str, bool]:
        """Give what presses now, or did within the hold: a node that swings is not worth new pods."""
        now_s = self._clock.monotonic()
        for type_, presses in pressures(self._usage()).items():
            if presses:
                self._memory.pressed_s[type_] = now_s
        seen = self._memory.pressed_s
        return {
            type_: type_ in seen and now_s - seen[type_] < PRESSURE_HOLD_S
            for type_ in ("MemoryPressure", "DiskPressure", "PIDPressure")
        }

    def _usage(self) -> Usage:
        disk = os.statvfs(self._settings.root_dir)
        return Usage(
            memory_available_bytes=self._memory_available(),
            disk_available=disk.f_bavail / disk.f_blocks if disk.f_blocks else None,
            inodes_available=disk.f_favail / disk.f_files if disk.f_files else None,
        )

    def _memory_available(self) -> int | None:
        used = self._cgroups.memory_used_bytes()
        if used is not None:
            return self._machine.memory_bytes - used
        return None if self._machine.declared else memory_available_bytes()

"""Registers the node, reports its status, renews its lease.

Writes to the apiserver (Node, its status, the Lease in kube-node-lease), asks the runtime how it is, and passes the
node's pod range on to it; when and what is decided in kubelet/core/node_watch.py. Pod workers may begin when `registered` is set. A Node that a user has deleted is not
registered again before the kubelet is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec

from kubelet.cgroups import Cgroups
from kubelet.core import node_watch
from kubelet.core.admission import Abilities
from kubelet.core.node_status import (
    NODE_ANNOTATIONS,
    Features,
    Machine,
    RuntimeState,
    compute_conditions,
    compute_status,
    extended_resources,
    handler_features,
    network_is_ready,
    new_boot_id,
    new_node,
    new_restrictions,
    node_labels,
    runtime_notes,
    runtime_problems,
    withdrawn_resources,
)
from kubelet.core.node_watch import NodeWatch
from kubelet.core.sysctls import NO_SYSCTLS, AllowedSysctls
from kubelet.lease import NodeLease
from machinery.client.api import Api
from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.client.informer import Informer
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.conditions import is_true
from machinery.model.errors import AlreadyExists, ApiError, NotFound, NotImplementedHere
from machinery.model.insist import insist, tell_first
from machinery.model.k8s.core_v1 import Node as NodeObject
from machinery.model.k8s.core_v1 import NodeStatus, Taint
from machinery.model.log import SILENT, EventLog
from machinery.model.profile import Intervals
from machinery.model.requests import PatchType, Selection
from machinery.model.resources import NODES
from machinery.model.store import Change
from machinery.pb import cri_pb2 as cri


class NodeRuntime(Protocol):
    """What this needs of the CRI client."""

    async def version(self) -> cri.VersionResponse:
        """Name the runtime."""
        ...

    async def status(self) -> cri.StatusResponse:
        """Return how the runtime is."""
        ...

    async def runtime_config(self) -> cri.RuntimeConfigResponse:
        """Return which cgroup driver it uses."""
        ...

    async def update_runtime_config(self, pod_cidr: str) -> None:
        """Pass the node's pod range to it."""
        ...

    async def list_images(self) -> Sequence[cri.Image]:
        """List the images on the node."""
        ...


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Who the node is, and how often it says so."""

    name: str
    ips: Sequence[str]
    labels: Mapping[str, str]
    intervals: Intervals
    root_dir: Path
    taints: Sequence[Taint] = ()  # when it is registered; afterwards they are the API's
    sysctls: AllowedSysctls = NO_SYSCTLS
    pod_cidr: str = ""  # when it is registered; "": a controller gives it one


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
        volumes_in_use: Callable[[], list[str]] = list,
        pressures: Callable[[], frozenset[str]] = frozenset,
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
        self._volumes_in_use = volumes_in_use
        self._pressures = pressures
        self._subscribers: list[Callable[[], None]] = []
        self._watch = NodeWatch(answered_s=clock.monotonic())
        self._images: Sequence[cri.Image] = ()
        self._pulse = asyncio.Event()
        self._own: NodeObject | None = None
        self.registered = asyncio.Event()
        self.ready = asyncio.Event()  # set while the node says that it is Ready

    def allocatable(self) -> Mapping[str, str]:
        """Return what pods may use."""
        return {**self._machine.allocatable, **extended_resources(self._own)}

    def own(self) -> NodeObject | None:
        """Return the node as the API has it; None before it is known."""
        return self._own

    def labels(self) -> Mapping[str, str] | None:
        """Return the node's labels as the API has them; None before they are known."""
        return self._own.metadata.labels if self._own else None

    def abilities(self) -> Abilities:
        """Return what else pods may ask for here; what the runtime can is known once it has answered."""
        return Abilities(
            self._settings.sysctls,
            has_app_armor=self._machine.has_app_armor,
            keeps_groups_apart=self._watch.runtime.keeps_groups_apart,
            pressures=self._pressures(),
        )

    @property
    def runtime_name(self) -> str:
        """Return what the runtime calls itself; "" before it has answered."""
        return self._watch.runtime.version.partition("://")[0]

    def handlers(self) -> Mapping[str, Features]:
        """Return what the runtime's handlers can do; nothing before it has answered."""
        return self._watch.runtime.handlers

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Call a function when the API has the node otherwise than before."""
        self._subscribers.append(on_change)

    def pulse(self) -> None:
        """Look at once: the runtime has come back, or gone, or other volumes are in use."""
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
        told = tell_first(self._log.warning, "node_not_registered", every=20)
        return await insist(self._create_or_adopt, self._clock, node_watch.RETRY, told)

    async def _create_or_adopt(self) -> NodeObject:
        settings, system = self._settings, self._machine.system
        try:
            return await self._api.create(
                NODES, new_node(settings.name, settings.labels, settings.taints, system, settings.pod_cidr)
            )
        except AlreadyExists:
            pass
        found = await self._api.get(NODES, settings.name)
        wanted = node_labels(settings.name, settings.labels, system)
        meta = found.metadata
        if wanted.items() <= meta.labels.items() and NODE_ANNOTATIONS.items() <= meta.annotations.items():
            return found
        patch = {"metadata": {"labels": wanted, "annotations": NODE_ANNOTATIONS}}
        return await self._api.patch(NODES, settings.name, patch)

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
        for on_change in self._subscribers:
            on_change()
        if node_watch.wants_look(self._watch, change.new, is_ready=self.ready.is_set()):
            self._pulse.set()

    async def _report(self) -> None:
        failures = 0
        while True:
            self._pulse.clear()
            try:
                await self._ask_runtime()
                await self._write_status()
                failures = 0
            except NotFound as error:
                self._log.warning("node_is_gone", node=self._settings.name, error=error)
                failures = 0
            except ApiError as error:
                failures += 1
                write = self._log.warning if failures == 1 or failures % 20 == 0 else self._log.debug
                write("node_status_not_written", error=error, attempts=failures)
            self._watch = node_watch.looked(self._watch, failures=failures, is_ready=self.ready.is_set())
            regular_s = self._settings.intervals.node_status_update_s
            wait_s = node_watch.pause_s(self._watch, failures, regular_s, self._clock.timescale)
            await event_within(self._pulse, self._clock, wait_s)

    async def _ask_runtime(self) -> None:
        try:
            runtime = await self._ask()
        except ApiError as error:
            self._watch = node_watch.silent(self._watch, error.message, self._clock.monotonic())
        else:
            self._watch = node_watch.answered(self._watch, runtime, self._clock.monotonic())

    async def _ask(self) -> RuntimeState:
        if not self._watch.has_answered:
            await self._learn_driver()
        version = await self._runtime.version()
        answer = await self._runtime.status()
        is_network_ready = network_is_ready(answer.status)
        if cidr := node_watch.range_to_give(self._watch, self._own, is_network_ready=is_network_ready):
            await self._runtime.update_runtime_config(cidr)
            self._watch = replace(self._watch, given_cidr=cidr)
            answer = await self._runtime.status()
        text = f"{version.runtime_name}://{version.runtime_version}"
        if self.ready.is_set() or self._images:  # they only serve people and schedulers: not before Ready
            self._images = await self._runtime.list_images()
        return RuntimeState(
            text,
            runtime_problems(answer.status),
            runtime_notes(answer.status),
            keeps_groups_apart=answer.features.supplemental_groups_policy,
            handlers=handler_features(answer.runtime_handlers),
        )

    async def _learn_driver(self) -> None:
        try:
            config = await self._runtime.runtime_config()
        except NotImplementedHere:  # older runtimes do not tell
            return
        if config.HasField("linux") and config.linux.cgroup_driver == cri.SYSTEMD and self._cgroups.root:
            self._cgroups.driver = "systemd"
            await self._cgroups.setup_node(self._machine.cpu_millicores, self._machine.memory_bytes)

    async def _write_status(self) -> None:
        own, now_s = self._own, self._clock.monotonic()
        if own is None or not node_watch.knows_enough(self._watch, own, now_s):
            return
        now_text = self._clock.timescale.format(self._clock.now())
        pressed, runtime = self._pressures(), self._watch.runtime
        conditions = compute_conditions(own.status.conditions, pressed, runtime, now_text=now_text)
        status = compute_status(
            self._machine,
            runtime,
            conditions,
            name=self._settings.name,
            ips=self._settings.ips,
            port=self._port(),
            images=self._images,
            volumes_in_use=self._volumes_in_use(),
            extended=extended_resources(own),
        )
        if node_watch.is_worth_writing(self._watch, own, status, now_s, self._settings.intervals):
            await self._write(status)
        self._note_ready(own, is_ready=is_true(conditions, "Ready"))

    async def _write(self, status: NodeStatus) -> None:
        body = msgspec.to_builtins(status)
        body.setdefault("images", [])
        body["capacity"] = dict(self._machine.capacity)  # the rest of it is for others to say
        body["allocatable"].update(dict.fromkeys(withdrawn_resources(self._own)))
        if (
            len(self._settings.ips) > 1
        ):  # lists of addresses are merged by their types, of which two are the same
            body["addresses"].append({"$patch": "replace"})
        before = self._own
        if before is not None and before.status.volumesInUse:
            body.setdefault("volumesInUse", [])
        self._own = await self._api.patch(
            NODES,
            self._settings.name,
            {"status": body},
            subresource="status",
            kind=PatchType.STRATEGIC_MERGE,
        )
        self._watch = node_watch.written(self._watch, status, self._clock.monotonic())
        if before is not None and (boot_id := new_boot_id(before.status, status)):
            text = f"Node {self._settings.name} has been rebooted, boot id: {boot_id}"
            self._events.record(before, WARNING, "Rebooted", text)
        for note in new_restrictions(before.status.conditions if before else (), self._watch.runtime):
            self._events.record(self._own, WARNING, note.reason, note.message)

    def _note_ready(self, own: NodeObject, *, is_ready: bool) -> None:
        if is_ready == self.ready.is_set():
            return
        reason = "NodeReady" if is_ready else "NodeNotReady"
        problems = ", ".join(self._watch.runtime.problems)
        self._log.info("node_ready" if is_ready else "node_not_ready", problems=problems)
        self._events.record(own, NORMAL, reason, f"Node {self._settings.name} status is now: {reason}")
        if is_ready:
            self.ready.set()
            self._pulse.set()  # the images are still to be told
        else:
            self.ready.clear()

"""Sees what the runtime has: one look at all pods, for all of them.

The runtime's event stream is the fast path: an exit is known when it happens. A list of everything at intervals is
the safety net, and the only path with a runtime that tells no events. What has not changed is not asked about
again. `on_change` is told the uid of a pod whose picture has changed; pictures never go back in time, since what
was asked before a newer answer came is thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, TypeAlias, cast

from kubelet.core import labels
from kubelet.core.observed import (
    ContainerState,
    ObservedContainer,
    ObservedPod,
    ObservedSandbox,
    observe_pod,
    read_container,
    read_sandbox,
)
from kubelet.runtime import Runtime
from machinery.client.waiting import event_within
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound, NotImplementedHere
from machinery.model.log import SILENT, EventLog
from machinery.pb import cri_pb2 as cri

_PERIOD_S: Final = 1.0  # cluster seconds between two looks, but not more often than the wall allows:
_LEAST_WALL_S: Final = 0.25
_LEAST_STREAMING_WALL_S: Final = (
    3.0  # where events tell what matters; a stream that ends is a reason to look at once
)
_RETRY: Final = Backoff(initial_s=0.1, cap_s=1.0)  # wall seconds

ReadMessage: TypeAlias = Callable[[Any], str]  # a CRI ContainerStatus → the termination message


class Relist:
    """The node's pods as the runtime shows them."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        log: EventLog = SILENT,
        *,
        host_ips: tuple[str, ...] = (),
        read_message: ReadMessage = lambda _: "",
        on_health: Callable[[], None] = lambda: None,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._log = log
        self._host_ips = host_ips
        self._read_message = read_message
        self._on_health = on_health
        self._pods: dict[str, ObservedPod] = {}
        self._touched: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._serial = 0
        self._kick = asyncio.Event()
        self._streaming = False
        self._subscribers: list[Callable[[str], None]] = []
        self.listed = asyncio.Event()  # set once everything has been seen
        self.is_answering = False

    def subscribe(self, on_change: Callable[[str], None]) -> None:
        """Tell the uid of every pod whose picture changes."""
        self._subscribers.append(on_change)

    @property
    def uids(self) -> Iterable[str]:
        """The uids of all pods that the runtime has something of."""
        return tuple(self._pods)

    def observed(self, uid: str) -> ObservedPod:
        """Give the newest picture of a pod."""
        return self._pods.get(uid) or ObservedPod(uid)

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_for_ever(), name="relist")
            group.create_task(self._follow_events(), name="container-events")

    async def refresh(self, uid: str) -> None:
        """Look at one pod now, however long the runtime does not answer."""
        failures = 0
        while True:
            try:
                await self._refresh(uid)
            except ApiError as error:
                failures += 1
                if failures == 1:
                    self._log.warning("pod_not_seen", pod_uid=uid, error=error)
                await self._clock.sleep(self._clock.timescale.cluster(_RETRY.delay(failures)))
            else:
                return

    async def note_sandbox(self, uid: str, sandbox_id: str) -> None:
        """Look at one new sandbox: cheaper than the whole pod."""
        async with self._lock(uid):
            try:
                status = await self._runtime.sandbox_status(sandbox_id)
            except ApiError:
                status = None
            if status is not None:
                self._put(self._with_sandbox(uid, status))
                return
        await self.refresh(uid)

    async def note_container(self, uid: str, container_id: str, sandbox_id: str) -> None:
        """Look at one new container: cheaper than the whole pod."""
        async with self._lock(uid):
            try:
                status = await self._runtime.container_status(container_id)
            except ApiError:
                status = None
            if status is not None:
                self._put(self._with_container(uid, self._read(status, sandbox_id)))
                return
        await self.refresh(uid)

    def forget(self, uid: str) -> None:
        """Drop what is kept beside the picture of a pod that is gone."""
        if uid not in self._pods:
            self._locks.pop(uid, None)

    # --- looking at everything

    async def _look_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                await self._look()
            except ApiError as error:
                failures += 1
                self._note_silence(error, failures)
            else:
                self._note_answer(failures)
                failures = 0
            wait_s = self._pause_s(failures)
            await event_within(self._kick, self._clock, wait_s)
            self._kick.clear()

    def _pause_s(self, failures: int) -> float:
        cluster = self._clock.timescale.cluster
        if failures:
            return cluster(_RETRY.delay(failures))
        return max(_PERIOD_S, cluster(_LEAST_STREAMING_WALL_S if self._streaming else _LEAST_WALL_S))

    async def _look(self) -> None:
        serial = self._serial
        sandboxes, containers = await asyncio.gather(
            self._runtime.list_sandboxes(), self._runtime.list_containers()
        )
        by_uid: dict[str, tuple[list[Any], list[Any]]] = {uid: ([], []) for uid in self._pods}
        for sandbox in sandboxes:
            if uid := sandbox.labels.get(labels.POD_UID, ""):
                by_uid.setdefault(uid, ([], []))[0].append(sandbox)
        for container in containers:
            if uid := container.labels.get(labels.POD_UID, ""):
                by_uid.setdefault(uid, ([], []))[1].append(container)
        for uid, (own_sandboxes, own_containers) in by_uid.items():
            if self._has_changed(uid, own_sandboxes, own_containers):
                picture = await self._picture(uid, own_sandboxes, own_containers)
                if self._touched.get(uid, 0) <= serial:
                    self._put(picture)
        kept = self._touched.items()  # of pods that are gone, too, until no older look can bring them back
        self._touched = {uid: at for uid, at in kept if uid in self._pods or at > serial}

    def _note_silence(self, error: ApiError, failures: int) -> None:
        if self.is_answering or failures == 1:
            self._log.warning("runtime_silent", error=error)
            self._on_health()
        self.is_answering = False

    def _note_answer(self, failures: int) -> None:
        if failures:
            self._log.info("runtime_answers_again", failures=failures)
            self._on_health()
        self.is_answering = True
        self.listed.set()

    # --- looking at one pod

    async def _refresh(self, uid: str) -> None:
        async with self._lock(uid):
            chosen = {labels.POD_UID: uid}
            sandboxes, containers = await asyncio.gather(
                self._runtime.list_sandboxes(chosen), self._runtime.list_containers(chosen)
            )
            self._put(await self._picture(uid, sandboxes, containers))

    def _has_changed(self, uid: str, sandboxes: Iterable[Any], containers: Iterable[Any]) -> bool:
        known = self.observed(uid)
        before = {(each.id, each.is_ready) for each in known.sandboxes}
        before_runs = {(each.id, each.state.value) for each in known.containers}
        now = {(each.id, each.state == cri.SANDBOX_READY) for each in sandboxes}
        return before != now or before_runs != {(each.id, each.state) for each in containers}

    async def _picture(self, uid: str, sandboxes: Iterable[Any], containers: Iterable[Any]) -> ObservedPod:
        known = self.observed(uid)
        seen: Mapping[str, ObservedSandbox] = {each.id: each for each in known.sandboxes}
        runs: Mapping[str, ObservedContainer] = {each.id: each for each in known.containers}
        identity: Mapping[str, str] = {}
        found: list[ObservedSandbox] = []
        for sandbox in sandboxes:
            identity = sandbox.labels
            found.append(await self._sandbox(sandbox, seen.get(sandbox.id)))
        found_runs: list[ObservedContainer] = []
        for container in containers:
            identity = container.labels
            if run := await self._container(container, runs.get(container.id)):
                found_runs.append(run)
        namespace = identity.get(labels.POD_NAMESPACE, known.namespace)
        return observe_pod(uid, namespace, identity.get(labels.POD_NAME, known.name), found, found_runs)

    async def _sandbox(self, listed: Any, known: ObservedSandbox | None) -> ObservedSandbox:
        is_ready = listed.state == cri.SANDBOX_READY
        if known is not None and (known.is_ready == is_ready):
            return known
        if known is not None and not is_ready:  # it has stopped: what else is to be known is known
            return replace(known, is_ready=False)
        try:
            return self._read_sandbox(await self._runtime.sandbox_status(listed.id))
        except NotFound:
            return ObservedSandbox(listed.id, listed.metadata.attempt, is_ready=False)

    async def _container(self, listed: Any, known: ObservedContainer | None) -> ObservedContainer | None:
        if known is not None and known.state.value == listed.state:
            return known
        try:
            return self._read(await self._runtime.container_status(listed.id), listed.pod_sandbox_id)
        except NotFound:
            return None

    def _read_sandbox(self, status: Any) -> ObservedSandbox:
        return read_sandbox(status, self._clock.timescale, self._host_ips)

    def _read(self, status: Any, sandbox_id: str) -> ObservedContainer:
        message = self._read_message(status) if status.state == cri.CONTAINER_EXITED else ""
        return read_container(status, sandbox_id, self._clock.timescale, message=message)

    def _with_sandbox(self, uid: str, status: Any) -> ObservedPod:
        known, new = self.observed(uid), self._read_sandbox(status)
        others = [each for each in known.sandboxes if each.id != new.id]
        meta = status.metadata
        return observe_pod(uid, meta.namespace, meta.name, [new, *others], known.containers)

    def _with_container(self, uid: str, new: ObservedContainer) -> ObservedPod:
        known = self.observed(uid)
        others = [each for each in known.containers if each.id != new.id]
        return observe_pod(uid, known.namespace, known.name, known.sandboxes, [new, *others])

    def _put(self, picture: ObservedPod) -> None:
        uid, before = picture.uid, self._pods.get(picture.uid)
        self._serial += 1
        self._touched[uid] = self._serial
        if picture.is_empty:
            self._pods.pop(uid, None)
        else:
            self._pods[uid] = picture
        if before != picture and not (before is None and picture.is_empty):
            for tell in self._subscribers:
                tell(uid)

    def _lock(self, uid: str) -> asyncio.Lock:
        return self._locks.setdefault(uid, asyncio.Lock())

    # --- events

    async def _follow_events(self) -> None:
        failures = 0
        while True:
            try:
                stream = cast("AsyncGenerator[Any, None]", self._runtime.container_events())
                async with aclosing(stream) as events:
                    self._streaming = True
                    async for event in events:
                        failures = 0
                        self._take(event)
            except NotImplementedHere:
                self._streaming = False
                self._log.info(
                    "no_container_events", why="the runtime does not tell them; it is asked instead"
                )
                return
            except ApiError:
                self._streaming = False
            failures += 1
            self._kick.set()  # whatever happened meanwhile was not told
            await self._clock.sleep(self._clock.timescale.cluster(_RETRY.delay(failures)))

    def _take(self, event: Any) -> None:
        """Take the end of a container as it is told; look at everything where something else is new."""
        uid = event.pod_sandbox_status.metadata.uid
        known = next((run for run in self.observed(uid).containers if run.id == event.container_id), None)
        if event.container_event_type == cri.CONTAINER_STOPPED_EVENT and known is not None:
            told = (each for each in event.containers_statuses if each.id == known.id)
            status = next(told, None)
            if known.state is ContainerState.EXITED:
                return
            if status is not None and status.state == cri.CONTAINER_EXITED:
                self._put(self._with_container(uid, self._read(status, known.sandbox_id)))
                return
            self._kick.set()
        elif event.container_event_type == cri.CONTAINER_STOPPED_EVENT or (
            event.container_event_type == cri.CONTAINER_DELETED_EVENT and known is not None
        ):
            self._kick.set()

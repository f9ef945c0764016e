"""Sees what the runtime has: one look at all pods, for all of them.

The runtime's event stream is the fast path: an exit is known when it happens. A list of everything at intervals is
the safety net, and the only path with a runtime that tells no events. What is asked, and what is made of the answers,
is decided in kubelet/core/pictures.py. Subscribers are told the uid of a pod whose picture has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeAlias, assert_never, cast

from kubelet.containment import contained
from kubelet.core import labels, pictures
from kubelet.core.observed import (
    ContainerState,
    ObservedContainer,
    ObservedPod,
    ObservedSandbox,
    read_container,
    read_sandbox,
)
from kubelet.core.pictures import Answers, ContainerEnded, Listing, Look, Pictures, SandboxStopped
from kubelet.runtime import Runtime
from kubelet.start_news import StartNews
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound, NotImplementedHere
from machinery.model.insist import Failures, insist, tell_first
from machinery.model.log import SILENT, EventLog
from machinery.pb import cri_pb2 as cri

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
        trusts_events: Callable[[], bool] = lambda: False,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._log = log
        self._host_ips = host_ips
        self._read_message = read_message
        self._on_health = on_health
        self._trusts_events = trusts_events  # whether the runtime tells every event, or ends the stream
        self._pictures = Pictures()
        self._locks: dict[str, asyncio.Lock] = {}
        self._kick = asyncio.Event()
        self._told: dict[str, list[Any]] = {}  # events that ask for a look at their pod, by its uid
        self._looking = asyncio.Event()
        self._streaming = False
        self._starts = StartNews(clock)
        self._subscribers: list[Callable[[str], None]] = []
        self.listed = asyncio.Event()  # set once everything has been seen
        self.is_answering = False

    def subscribe(self, on_change: Callable[[str], None]) -> None:
        """Call a function with the uid of every pod whose picture changes."""
        self._subscribers.append(on_change)

    @property
    def uids(self) -> Iterable[str]:
        """The uids of all pods that the runtime has something of."""
        return self._pictures.uids

    def observed(self, uid: str) -> ObservedPod:
        """Return the newest picture of a pod."""
        return self._pictures.observed(uid)

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_for_ever(), name="relist")
            group.create_task(self._follow_events(), name="container-events")
            group.create_task(self._look_at_pods(), name="told-pods")

    async def refresh(self, uid: str) -> None:
        """Look at one pod now, however long the runtime does not answer."""
        told = tell_first(self._log.warning, "pod_not_seen", pod_uid=uid)
        await insist(lambda: self._refresh(uid), self._clock, pictures.RETRY, told)

    async def note_sandbox(self, uid: str, sandbox_id: str) -> None:
        """Look at one new sandbox, unless an event tells enough of it: cheaper than the whole pod."""
        event = await self._told_start(sandbox_id)
        told = pictures.told_sandbox(event) if event is not None else None
        if told is not None:
            if all(each.id != sandbox_id for each in self.observed(uid).sandboxes):  # else a look was faster
                self._put_sandbox(uid, told)
            return
        async with self._lock(uid):
            asked_at = self._pictures.serial
            try:
                status = await self._runtime.sandbox_status(sandbox_id)
            except ApiError:
                status = None
            if status is not None and self._pictures.is_newest(uid, asked_at):
                self._put_sandbox(uid, status)
                return
        await self.refresh(uid)

    async def note_container(self, uid: str, container_id: str, sandbox_id: str) -> None:
        """Look at one new container, unless an event tells enough of it: cheaper than the whole pod."""
        event = await self._told_start(container_id)
        status = pictures.told_container(event) if event is not None else None
        if status is None:
            await self._note_changed(uid, container_id, sandbox_id)
        elif not pictures.is_as_far(self.observed(uid), status):
            self._put_container(uid, status, sandbox_id)

    async def note_end(self, uid: str, container_id: str) -> None:
        """Look at a container that has been stopped, unless an event has told of its end already."""
        run = next((each for each in self.observed(uid).containers if each.id == container_id), None)
        if run is None:
            await self.refresh(uid)
        elif run.state is not ContainerState.EXITED:
            await self._note_changed(uid, container_id, run.sandbox_id)

    async def note_stopped_sandbox(self, uid: str, sandbox_id: str) -> None:
        """Note that a sandbox has been stopped; look at what ran in it until then."""
        inside = [each for each in self.observed(uid).containers if each.sandbox_id == sandbox_id]
        if all(each.state is ContainerState.EXITED for each in inside):
            self._put(pictures.with_stopped_sandbox(self.observed(uid), sandbox_id))
        else:
            await self.refresh(uid)

    async def _note_changed(self, uid: str, container_id: str, sandbox_id: str) -> None:
        """Look at one container."""
        async with self._lock(uid):
            asked_at = self._pictures.serial
            try:
                status = await self._runtime.container_status(container_id)
            except ApiError:
                status = None
            if status is not None and self._pictures.is_newest(uid, asked_at):
                self._put_container(uid, status, sandbox_id)
                return
            if status is not None and pictures.is_as_far(self.observed(uid), status):
                return  # an event was faster than the answer
        await self.refresh(uid)

    def note_removed_container(self, uid: str, container_id: str) -> None:
        """Remove a container from the picture that the runtime has removed."""
        self._put(pictures.without_container(self.observed(uid), container_id))

    def note_removed_sandbox(self, uid: str, sandbox_id: str) -> None:
        """Remove a sandbox from the picture that the runtime has removed, and what was in it."""
        self._put(pictures.without_sandbox(self.observed(uid), sandbox_id))

    def forget(self, uid: str) -> None:
        """Drop what is kept beside the picture of a pod that is gone."""
        if self.observed(uid).is_empty:
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
            wait_s = pictures.pause_s(
                failures,
                self._clock.timescale,
                is_streaming=self._streaming,
                is_trusted=self._trusts_events(),
            )
            await event_within(self._kick, self._clock, wait_s)
            self._kick.clear()

    async def _look(self) -> None:
        asked_at = self._pictures.serial
        sandboxes, containers = await asyncio.gather(
            self._runtime.list_sandboxes(), self._runtime.list_containers()
        )
        for uid, listing in pictures.by_pod(sandboxes, containers, self.uids).items():
            if pictures.has_changed(self.observed(uid), listing):
                await self._look_at(uid, listing, asked_at)
        self._pictures.forget_marks(asked_at)

    async def _look_at(self, uid: str, listing: Listing, asked_at: int) -> None:
        """Look at one pod; what cannot be read of it does not hide the others."""
        with contained(self._log, "pod_not_read", passing=ApiError, pod_uid=uid):
            picture = await self._picture(uid, listing)
            if self._pictures.is_newest(uid, asked_at):
                self._put(picture)

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
            while True:
                asked_at = self._pictures.serial
                chosen = {labels.POD_UID: uid}
                sandboxes, containers = await asyncio.gather(
                    self._runtime.list_sandboxes(chosen), self._runtime.list_containers(chosen)
                )
                picture = await self._picture(uid, Listing(sandboxes, containers))
                if self._pictures.is_newest(uid, asked_at):
                    self._put(picture)
                    return

    async def _picture(self, uid: str, listing: Listing) -> ObservedPod:
        known = self.observed(uid)
        wanted, places = (
            pictures.questions(known, listing),
            {each.id: each.pod_sandbox_id for each in listing.containers},
        )
        answers = Answers(
            {id_: await self._ask_sandbox(id_) for id_ in wanted.sandboxes},
            {id_: await self._ask_container(id_, places[id_]) for id_ in wanted.containers},
        )
        return pictures.compose(known, listing, answers)

    async def _ask_sandbox(self, id_: str) -> ObservedSandbox | None:
        try:
            return self._read_sandbox(await self._runtime.sandbox_status(id_))
        except NotFound:
            return None

    async def _ask_container(self, id_: str, sandbox_id: str) -> ObservedContainer | None:
        try:
            return self._read(await self._runtime.container_status(id_), sandbox_id)
        except NotFound:
            return None

    def _read_sandbox(self, status: Any) -> ObservedSandbox:
        return read_sandbox(status, self._clock.timescale, self._host_ips)

    def _read(self, status: Any, sandbox_id: str) -> ObservedContainer:
        message = self._read_message(status) if status.state == cri.CONTAINER_EXITED else ""
        return read_container(status, sandbox_id, self._clock.timescale, message=message)

    def _put_sandbox(self, uid: str, status: Any) -> None:
        known, new, meta = self.observed(uid), self._read_sandbox(status), status.metadata
        self._put(pictures.with_sandbox(known, new, namespace=meta.namespace, name=meta.name))

    def _put_container(self, uid: str, status: Any, sandbox_id: str) -> None:
        self._put(pictures.with_container(self.observed(uid), self._read(status, sandbox_id)))

    def _put(self, picture: ObservedPod) -> None:
        if self._pictures.put(picture):
            for tell in self._subscribers:
                tell(picture.uid)

    def _lock(self, uid: str) -> asyncio.Lock:
        return self._locks.setdefault(uid, asyncio.Lock())

    # --- events

    async def _told_start(self, id_: str) -> Any | None:
        """Return the event of a start that has just been made, None where the runtime tells none, or not soon."""
        return await self._starts.take(id_) if self._streaming else None

    async def _look_at_pods(self) -> None:
        """Look at the pods that events ask to be looked at, once whoever caused them has had time to look himself."""
        while True:
            await self._looking.wait()
            await self._clock.sleep_wall(pictures.LINGER_S)
            self._looking.clear()
            told, self._told = self._told, {}
            for uid, events in told.items():
                with contained(self._log, "pod_not_read", pod_uid=uid):
                    known = self.observed(uid)
                    if any(pictures.read_event(event, known) is not Look.AT_NOTHING for event in events):
                        await self._look_at_pod(uid)

    async def _look_at_pod(self, uid: str) -> None:
        try:
            await self._refresh(uid)
        except ApiError:
            self._kick.set()

    async def _follow_events(self) -> None:
        failures = Failures(self._clock, pictures.RETRY)
        while True:
            try:
                stream = cast("AsyncGenerator[Any, None]", self._runtime.container_events())
                async with aclosing(stream) as events:
                    async for event in events:
                        failures.forget()
                        if event is None:
                            self._streaming = True
                            self._kick.set()  # what happened before has not been told
                            continue
                        with contained(self._log, "container_event_not_read"):
                            self._take(event)
            except NotImplementedHere:
                self._streaming = False
                self._log.info(
                    "no_container_events", why="the runtime does not tell them; it is asked instead"
                )
                return
            except ApiError:
                pass
            self._streaming = False
            self._starts.forget()
            failures.count += 1  # an end without an error, too
            self._kick.set()  # whatever happened meanwhile was not told
            await failures.pause()

    def _take(self, event: Any) -> None:
        self._starts.tell(event)
        uid = event.pod_sandbox_status.metadata.uid
        match pictures.read_event(event, self.observed(uid)):
            case ContainerEnded(status, sandbox_id):
                self._put_container(uid, status, sandbox_id)
            case SandboxStopped(id_):
                self._put(pictures.with_stopped_sandbox(self.observed(uid), id_))
            case Look.AT_POD:
                self._told.setdefault(uid, []).append(event)
                self._looking.set()
            case Look.AT_NOTHING:
                pass
            case meaning:
                assert_never(meaning)

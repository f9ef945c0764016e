"""What happens on the engine: kept knowledge is dropped, and CRI's event stream is fed.

The engine's stream is opened again whenever it ends. What was missed meanwhile is found by comparing lists, so a
subscriber hears of every lasting change. An end is announced after the log of the container is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from dockershim.catalogue import Catalogue, labels_of
from dockershim.core import naming
from dockershim.core.states import container_state
from dockershim.docker import Engine, Json
from dockershim.logs import Logs
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.insist import Failures, tell_first
from machinery.model.log import EventLog
from machinery.pb import cri_pb2 as cri
from machinery.wire.fan_out import BACKLOG, FanOut

_RETRY: Final = Backoff(initial_s=0.1, cap_s=1.0)  # wall seconds between attempts to reach the engine
_KINDS: Final = {
    "create": cri.CONTAINER_CREATED_EVENT,
    "start": cri.CONTAINER_STARTED_EVENT,
    "die": cri.CONTAINER_STOPPED_EVENT,
    "destroy": cri.CONTAINER_DELETED_EVENT,
}
_STATES: Final = {
    "create": cri.CONTAINER_CREATED,
    "start": cri.CONTAINER_RUNNING,
    "die": cri.CONTAINER_EXITED,
}

Describe = Callable[
    [str], Awaitable[tuple[Any, list[Any]]]
]  # sandbox id → its status, its containers' statuses


class Events:
    """Follows the engine and announces its changes to the subscribers."""

    def __init__(
        self,
        engine: Engine,
        catalogue: Catalogue,
        logs: Logs,
        describe: Describe,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._logs = logs
        self._describe = describe
        self._clock = clock
        self._log = log
        self._states: dict[str, tuple[int, str]] = {}  # by id: the state, and the sandbox
        self._last_ns = self._clock.wall_ns()
        self._queue: asyncio.Queue[tuple[str, str, str, int]] = asyncio.Queue(10 * BACKLOG)
        self.subscribers = FanOut()

    # --- the engine

    async def run(self) -> None:
        """Follow the engine for good."""
        failures = Failures(self._clock, _RETRY, tell_first(self._log.warning, "engine_events_ended"))
        while True:
            try:
                await self._follow()
                failures.forget()
            except (ApiError, ValueError) as error:
                failures.note(error)
            finally:
                self._catalogue.set_live(live=False)
            await failures.pause()

    async def _follow(self) -> None:
        since = f"{self._last_ns // 10**9}.{self._last_ns % 10**9:09d}"
        async with self._engine.events(self._catalogue.scope.selectors, since) as events:
            self._catalogue.set_live(live=True)
            await self._compare()
            async for event in events:
                self._take(event)

    async def _compare(self) -> None:
        """Find what has changed since the last event that came in."""
        found = {
            item["Id"]: item
            for kind in (naming.KIND_SANDBOX, naming.KIND_CONTAINER)
            for item in await self._catalogue.summaries(kind)
        }
        for id_ in [known for known in self._states if known not in found]:
            self._change(id_, "destroy", self._states[id_][1])
        for id_, item in found.items():
            self._catch_up(id_, container_state(item["State"]), _sandbox_of(id_, labels_of(item)))

    def _catch_up(self, id_: str, state: int, sandbox_id: str) -> None:
        before = self._states.get(id_, (-1, ""))[0]
        for action, reached in _STATES.items():
            if before < reached <= state:
                self._change(id_, action, sandbox_id)
        if id_ != sandbox_id and state != cri.CONTAINER_CREATED:
            self._logs.follow(id_)

    def _take(self, event: Json) -> None:
        actor, action = event["Actor"], str(event["Action"])
        self._last_ns = int(event.get("timeNano") or self._last_ns)
        labels = actor.get("Attributes") or {}
        if labels.get(naming.KIND) == naming.KIND_IMAGE_VOLUME:
            return
        if action in _KINDS:
            self._change(actor["ID"], action, _sandbox_of(actor["ID"], labels), self._last_ns)
        else:
            self._catalogue.forget(actor["ID"])

    def _change(self, id_: str, action: str, sandbox_id: str, at_ns: int = 0) -> None:
        self._catalogue.forget(id_)
        if action == "destroy":
            self._states.pop(id_, None)
            self._catalogue.drop(id_)
        else:
            self._states[id_] = (_STATES[action], sandbox_id)
        if self.subscribers and not self._queue.full():
            self._queue.put_nowait((id_, action, sandbox_id, at_ns or self._clock.wall_ns()))

    # --- announcing

    async def announce(self) -> None:
        """Announce changes to the subscribers, one after the other, for good."""
        while True:
            id_, action, sandbox_id, at_ns = await self._queue.get()
            if not self.subscribers:
                continue
            try:
                self.subscribers.publish(await self._response(id_, action, sandbox_id, at_ns))
            except ApiError as error:
                self._log.warning("event_not_announced", container=id_, action=action, error=error)

    async def _response(self, id_: str, action: str, sandbox_id: str, at_ns: int) -> Any:
        if action == "die" and id_ != sandbox_id:
            await self._logs.drained(id_)
        event = cri.ContainerEventResponse(
            container_id=id_, container_event_type=_KINDS[action], created_at=at_ns
        )
        try:
            sandbox, containers = await self._describe(sandbox_id)
        except NotFound:  # the sandbox went, too
            event.pod_sandbox_status.id = sandbox_id
            return event
        event.pod_sandbox_status.CopyFrom(sandbox)
        event.containers_statuses.extend(containers)
        return event


def _sandbox_of(id_: str, labels: Any) -> str:
    return str(labels.get(naming.SANDBOX) or id_)

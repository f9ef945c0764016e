"""Events to a server, in batches: an EventList is posted when there are many, or the oldest has waited long enough.

What the server does not take is posted again, a few times; then it is lost, counted and told. No request waits for the
server: where it does not keep up and the buffer is full, events are left out, counted and told.
https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#webhook-backend
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from apiserver.remotes import RemoteServer
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import EventLog
from machinery.process.metrics import Metrics

_HEAD: Final = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
_TAIL: Final = b"]}"
_TRIES: Final = 5
_ANSWER_S: Final = 30.0  # wall seconds that the server has for one batch
_LARGEST: Final = 10 * 1024 * 1024  # bytes of a batch, unless one event is larger
_BUFFERED_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """How events are put together. Times are wall seconds."""

    size: int = 400
    wait_s: float = 30.0
    buffer: int = 10_000  # events
    first_pause_s: float = 10.0  # before a batch is posted again; each is half as long again


class AuditWebhook:
    """One server (`apiserver.audit.trail.Sink`)."""

    def __init__(
        self, server: RemoteServer, batches: Batches, clock: Clock, metrics: Metrics, log: EventLog
    ) -> None:
        self._server = server
        self._batches = batches
        self._clock = clock
        self._log = log
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0  # since it was told
        self._first = asyncio.Event()  # there is one
        self._many = asyncio.Event()  # there is a batch
        self._errors = metrics.counter(
            "apiserver_audit_error_total", "Events that could not be written", ("plugin",)
        )

    def put(self, event: bytes) -> None:
        """Accept an event, unless the buffer is full."""
        if len(self._events) >= self._batches.buffer or self._bytes > _BUFFERED_BYTES:
            self._lose(1, "the buffer is full")
            return
        self._events.append(event)
        self._bytes += len(event)
        self._first.set()
        if len(self._events) >= self._batches.size:
            self._many.set()

    async def room(self) -> None:
        """Return at once: nobody waits for the server."""

    async def run(self) -> None:
        """Post batches, until cancelled."""
        while True:
            await self._first.wait()
            try:
                async with self._clock.timeout_wall(self._batches.wait_s):
                    await self._many.wait()
            except TimeoutError:
                pass  # the oldest has waited long enough
            await self._post(self._batch())

    async def aclose(self) -> None:
        """Post what is left, once, and close the connections."""
        while self._events:
            batch = self._batch()
            try:
                await self._server.post(_joined(batch), _ANSWER_S)
            except ApiError as error:
                self._lose(len(batch) + len(self._events), str(error))
                break
        await self._server.aclose()

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._events and len(batch) < self._batches.size:
            if batch and size + len(self._events[0]) > _LARGEST:
                break
            batch.append(self._events.popleft())
            size += len(batch[-1])
        self._bytes -= size
        if not self._events:
            self._first.clear()
        if len(self._events) < self._batches.size:
            self._many.clear()
        return batch

    async def _post(self, batch: list[bytes]) -> None:
        pause_s = self._batches.first_pause_s
        for attempt in range(_TRIES):
            try:
                await self._server.post(_joined(batch), _ANSWER_S)
            except ApiError as error:
                if attempt == _TRIES - 1:
                    self._lose(len(batch), str(error))
                    return
                await self._clock.sleep_wall(pause_s)
                pause_s *= 1.5
            else:
                if self._lost:
                    self._log.warning("audit_webhook_works_again", lost=self._lost)
                    self._lost = 0
                return

    def _lose(self, count: int, why: str) -> None:
        if not self._lost:
            self._log.error("audit_webhook_failed", error=why)
        self._lost += count
        self._errors.add(count, "webhook")


def _joined(batch: list[bytes]) -> bytes:
    return _HEAD + b",".join(batch) + _TAIL

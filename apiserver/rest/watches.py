"""Watches: one JSON object a line, for as long as the caller stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from apiserver.request import Request, SharedBatch, SharedEvent, WatchReply
from apiserver.rest import envelopes
from apiserver.rest.http_request import Exchange
from apiserver.rest.negotiation import STREAMS, Form, negotiate
from apiserver.rest.resource_request import ResourceRequest
from apiserver.rest.services import RestServices
from apiserver.rest.streams import STALLED_S, Outlet, Streams, send
from apiserver.rest.tables import Tables
from apiserver.watch_cache_watcher import ended_watch
from machinery.model.errors import ApiError, Expired
from machinery.process.clock import WALL

if TYPE_CHECKING:
    from aiohttp import web

Frame = Callable[[SharedBatch], bytes]  # gives chunks of the response, one for each event


class Watches:
    """Turns watches of the registry into responses."""

    def __init__(self, services: RestServices, tables: Tables, streams: Streams) -> None:
        self._registry = services.registry
        self._tables = tables
        self._streams = streams
        self._open = services.metrics.gauge("apiserver_rest_watches", "Watches that are open")

    async def answer(self, exchange: Exchange, asked: ResourceRequest) -> web.StreamResponse:
        """Answer with a stream of events; errors before the first one are raised.

        Except for a revision that is gone: clients look for that among the events, where Kubernetes tells of it.
        """
        from aiohttp import web

        frame = self._framing(asked)
        watch = await self._begun(asked.request)
        try:
            with self._streams.opened(watch.aclose):
                self._open.set(self._open.value() + 1)
                try:
                    response = web.StreamResponse()
                    response.headers["Content-Type"] = "application/json"
                    response.headers["Cache-Control"] = "no-cache, private"
                    response.enable_chunked_encoding()
                    await exchange.begin(response)
                    await _pump(exchange, response, watch, _ChunkSink(exchange.outlet, frame))
                    return response
                finally:
                    self._open.set(self._open.value() - 1)
        finally:
            await watch.aclose()

    async def _begun(self, request: Request) -> WatchReply:
        try:
            return await self._registry.watch(request)
        except Expired as error:
            return ended_watch(error)

    def _framing(self, asked: ResourceRequest) -> Frame:
        match negotiate(asked.http.accept, STREAMS):
            case Form.TABLE:
                framed = self._tables.framing(asked.include_object)
                return lambda batch: b"".join([_chunk(framed(event)) for event in batch])
            case Form.METADATA:
                return lambda batch: batch.frame("rest-metadata", _metadata_chunk)
            case _:
                return lambda batch: batch.frame("rest", _event_chunk)


class _ChunkSink:
    """Writes chunks to the connection itself: they are made once, whoever gets them, and aiohttp would copy them."""

    def __init__(self, outlet: Outlet, frame: Frame) -> None:
        self._outlet = outlet
        self._frame = frame

    def write(self, batch: SharedBatch) -> bool:
        outlet = self._outlet
        if not outlet.is_open:
            return False
        if batch:
            outlet.write(self._frame(batch))
        return not outlet.writing_paused

    async def drained(self) -> None:
        try:
            async with WALL.timeout_wall(STALLED_S):
                await self._outlet.drained()
        except TimeoutError:
            raise ConnectionError("the caller takes nothing") from None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event_chunk(event: SharedEvent) -> bytes:
    return _chunk(envelopes.event_frame(event))


def _metadata_chunk(event: SharedEvent) -> bytes:
    return _chunk(envelopes.metadata_frame(event))


async def _pump(
    exchange: Exchange, response: web.StreamResponse, watch: WatchReply, sink: _ChunkSink
) -> None:
    try:
        await watch.deliver(sink)
    except ApiError as error:
        await exchange.send(envelopes.error_frame(error), partial(send, response.write))

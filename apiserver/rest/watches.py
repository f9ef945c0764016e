"""Watches: one event after the other, for as long as the caller stays: JSON objects, each a line, or protobuf messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from apiserver.request import Request, SharedBatch, SharedEvent, WatchReply
from apiserver.rest import envelopes, protobuf_answers
from apiserver.rest.http_request import Exchange
from apiserver.rest.negotiation import CUSTOM_STREAMS, STREAMS, Encoding, Form, Shape
from apiserver.rest.object_answers import ObjectAnswers, negotiate_for
from apiserver.rest.replies import JSON
from apiserver.rest.request_metrics import Events, RequestMetrics
from apiserver.rest.resource_request import ResourceRequest
from apiserver.rest.services import RestServices
from apiserver.rest.streams import STALLED_S, Outlet, Streams, send
from apiserver.rest.tables import Tables
from apiserver.watch_cache_watcher import ended_watch
from machinery.model.errors import ApiError, Expired
from machinery.model.kinds import KindNames
from machinery.process.clock import WALL

if TYPE_CHECKING:
    from aiohttp import web

Frame = Callable[[SharedBatch], bytes]  # gives chunks of the response, one for each event
_CONTENT_TYPES: Final = {Encoding.JSON: JSON, Encoding.PROTOBUF: protobuf_answers.STREAM_TYPE}
_ERROR_FRAMES: Final = {
    Encoding.JSON: envelopes.error_frame,
    Encoding.PROTOBUF: protobuf_answers.error_frame,
}


class Watches:
    """Turns watches of the registry into responses."""

    def __init__(
        self,
        services: RestServices,
        tables: Tables,
        answers: ObjectAnswers,
        streams: Streams,
        metrics: RequestMetrics,
    ) -> None:
        self._registry = services.registry
        self._tables = tables
        self._answers = answers
        self._streams = streams
        self._metrics = metrics

    async def answer(self, exchange: Exchange, asked: ResourceRequest, kind: KindNames) -> web.StreamResponse:
        """Answer with a stream of events; errors before the first one are raised.

        Except for a revision that is gone: clients look for that among the events, where Kubernetes tells of it.
        """
        from aiohttp import web

        form = negotiate_for(kind, asked.http.accept, STREAMS, CUSTOM_STREAMS)
        frame = self._framing(form, asked)
        watch = await self._begun(asked.request)
        try:
            with self._streams.opened(watch.aclose):
                response = web.StreamResponse()
                response.headers["Content-Type"] = _CONTENT_TYPES[form.encoding]
                response.headers["Cache-Control"] = "no-cache, private"
                response.enable_chunked_encoding()
                await exchange.begin(response)
                sink = _ChunkSink(exchange.outlet, frame, self._metrics.events(kind))
                await _pump(exchange, response, watch, sink, _ERROR_FRAMES[form.encoding])
                return response
        finally:
            await watch.aclose()

    async def _begun(self, request: Request) -> WatchReply:
        try:
            return await self._registry.watch(request)
        except Expired as error:
            return ended_watch(error)

    def _framing(self, form: Form, asked: ResourceRequest) -> Frame:
        match form[:3]:
            case (Encoding.PROTOBUF, shape, version):
                elements = self._answers.elements(shape)

                def chunk(event: SharedEvent) -> bytes:
                    made = protobuf_answers.in_version(elements.get(event.json), version)
                    return _chunk(protobuf_answers.event_frame(event, made))

                door = f"rest-protobuf-{shape.value}-{version}"
                return lambda batch: batch.frame(door, chunk)
            case (_, Shape.TABLE, version):
                framed = self._tables.framing(asked.include_object, version)
                return lambda batch: b"".join([_chunk(framed(event)) for event in batch])
            case (_, Shape.WHOLE, _):
                return lambda batch: batch.frame("rest", _event_chunk)
            case (_, _, version):
                write = partial(_metadata_chunk, version)
                return lambda batch: batch.frame(f"rest-metadata-{version}", write)


class _ChunkSink:
    """Writes chunks to the connection itself: they are made once, whoever gets them, and aiohttp would copy them."""

    def __init__(self, outlet: Outlet, frame: Frame, events: Events) -> None:
        self._outlet = outlet
        self._frame = frame
        self._events = events

    def write(self, batch: SharedBatch) -> bool:
        outlet = self._outlet
        if not outlet.is_open:
            return False
        if batch:
            outlet.write(self._frame(batch))
            self._events.told += len(batch)
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


def _metadata_chunk(api_version: str, event: SharedEvent) -> bytes:
    return _chunk(envelopes.metadata_frame(event, api_version))


async def _pump(
    exchange: Exchange,
    response: web.StreamResponse,
    watch: WatchReply,
    sink: _ChunkSink,
    error_frame: Callable[[ApiError], bytes],
) -> None:
    try:
        await watch.deliver(sink)
    except ApiError as error:
        await exchange.send(error_frame(error), partial(send, response.write))

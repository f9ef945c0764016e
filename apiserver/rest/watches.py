"""Watches: one event after the other, for as long as the caller stays: JSON objects, each a line, or protobuf messages.

HTTP         the events follow each other in the body; messages of protobuf have their length before them
a WebSocket  each event is a message: a text for JSON, else binary
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Final, NamedTuple

from apiserver.flow_control import current_flow
from apiserver.request import Request, SharedBatch, SharedEvent, WatchReply
from apiserver.rest import envelopes, protobuf_answers, websockets
from apiserver.rest.http_request import Exchange
from apiserver.rest.negotiation import CUSTOM_STREAMS, STREAMS, Encoding, Form, Shape
from apiserver.rest.object_answers import ObjectAnswers, negotiate_for
from apiserver.rest.replies import JSON
from apiserver.rest.request_metrics import Events, RequestMetrics
from apiserver.rest.resource_request import ResourceRequest
from apiserver.rest.services import RestServices
from apiserver.rest.streams import STALLED_S, Outlet, Streams
from apiserver.rest.tables import Tables
from apiserver.watch_cache_watcher import ended_watch
from machinery.model.errors import ApiError, Expired
from machinery.model.kinds import KindNames
from machinery.process.clock import WALL

if TYPE_CHECKING:
    from aiohttp import web

Frame = Callable[[SharedBatch], bytes]  # gives chunks of the response, one for each event
_CONTENT_TYPES: Final = {Encoding.JSON: JSON, Encoding.PROTOBUF: protobuf_answers.STREAM_TYPE}


class _Wire(NamedTuple):
    """How events travel."""

    name: str
    of_json: Callable[[bytes], bytes]
    of_protobuf: Callable[[bytes], bytes]

    def of_error(self, error: ApiError, encoding: Encoding) -> bytes:
        """Write the event that ends a watch which failed."""
        if encoding is Encoding.PROTOBUF:
            return self.of_protobuf(protobuf_answers.error_message(error))
        return self.of_json(envelopes.error_frame(error))


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
        form = negotiate_for(kind, asked.http.accept, STREAMS, CUSTOM_STREAMS)
        is_socket = websockets.is_upgrade(asked.http)
        wire = _MESSAGES if is_socket else _CHUNKS
        frame = self._framing(form, asked, wire)
        watch = await self._begun(asked.request)
        try:
            with self._streams.opened(watch.aclose):
                sink = _Sink(exchange.outlet, frame, self._metrics.events(kind))
                going_out = _pump(watch, sink, lambda error: wire.of_error(error, form.encoding))
                content_type = _CONTENT_TYPES[form.encoding]
                if is_socket:
                    return await _as_messages(exchange, content_type, going_out)
                return await _as_body(exchange, content_type, going_out)
        finally:
            await watch.aclose()

    async def _begun(self, request: Request) -> WatchReply:
        try:
            return await self._registry.watch(request)
        except Expired as error:
            return ended_watch(error)

    def _framing(self, form: Form, asked: ResourceRequest, wire: _Wire) -> Frame:
        match form[:3]:
            case (Encoding.PROTOBUF, shape, version):
                elements = self._answers.elements(shape)

                def message(event: SharedEvent) -> bytes:
                    made = protobuf_answers.in_version(elements.get(event.json), version)
                    return wire.of_protobuf(protobuf_answers.event_message(event, made))

                door = f"{wire.name}-protobuf-{shape.value}-{version}"
                return lambda batch: batch.frame(door, message)
            case (_, Shape.TABLE, version):
                framed = self._tables.framing(asked.include_object, version)
                return lambda batch: b"".join([wire.of_json(framed(event)) for event in batch])
            case (_, Shape.WHOLE, _):
                return lambda batch: batch.frame(
                    wire.name, lambda event: wire.of_json(envelopes.event_frame(event))
                )
            case (_, _, version):
                door = f"{wire.name}-metadata-{version}"
                return lambda batch: batch.frame(
                    door, lambda event: wire.of_json(envelopes.metadata_frame(event, version))
                )


class _Sink:
    """Writes events to the connection itself: they are made once, whoever gets them, and aiohttp would copy them."""

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

    def write_last(self, data: bytes) -> None:
        """Write what ends the stream."""
        if self._outlet.is_open:
            self._outlet.write(data)

    async def drained(self) -> None:
        try:
            async with WALL.timeout_wall(STALLED_S):
                await self._outlet.drained()
        except TimeoutError:
            raise ConnectionError("the caller takes nothing") from None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_CHUNKS: Final = _Wire("rest", _chunk, lambda message: _chunk(protobuf_answers.delimited(message)))
_MESSAGES: Final = _Wire("websocket", websockets.text_message, websockets.binary_message)


async def _as_body(
    exchange: Exchange, content_type: str, going_out: Coroutine[None, None, None]
) -> web.StreamResponse:
    from aiohttp import web

    response = web.StreamResponse()
    response.headers.update(_headers(content_type))
    response.enable_chunked_encoding()
    await exchange.begin(response)
    await going_out
    return response


def _headers(content_type: str) -> list[tuple[str, str]]:
    flow = current_flow.get()
    own = flow.headers if flow is not None else ()
    return [("Content-Type", content_type), ("Cache-Control", "no-cache, private"), *own]


async def _as_messages(
    exchange: Exchange, content_type: str, going_out: Coroutine[None, None, None]
) -> web.StreamResponse:
    """Answer with the first protocol that is offered, if any is: they are all the same here."""
    socket = websockets.prepared(next(iter(websockets.offered(exchange.http)), ""))
    socket.headers.update(_headers(content_type))
    await exchange.begin_websocket(socket)
    await websockets.until_either_ends(going_out, websockets.until_gone(socket))
    await socket.close()
    return socket


async def _pump(watch: WatchReply, sink: _Sink, of_error: Callable[[ApiError], bytes]) -> None:
    try:
        await watch.deliver(sink)
    except ApiError as error:
        sink.write_last(of_error(error))
        await sink.drained()

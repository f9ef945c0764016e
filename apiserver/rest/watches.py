"""Watches: one JSON object a line, for as long as the caller stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from apiserver.request import Request, SharedEvent, WatchReply
from apiserver.rest import envelopes
from apiserver.rest.negotiation import STREAMS, Form, negotiate
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams, begin, send
from apiserver.rest.tables import Tables
from machinery.model.errors import ApiError

if TYPE_CHECKING:
    from aiohttp import web

Frame = Callable[[SharedEvent], bytes]


class Watches:
    """Turns watches of the registry into responses."""

    def __init__(self, services: RestServices, tables: Tables, streams: Streams) -> None:
        self._registry = services.registry
        self._tables = tables
        self._streams = streams
        self._open = services.metrics.gauge("apiserver_rest_watches", "Watches that are open")

    async def answer(self, request: web.BaseRequest, asked: Request) -> web.StreamResponse:
        """Answer with a stream of events; errors before the first one are raised."""
        from aiohttp import web

        frame = self._framing(request, asked)
        watch = await self._registry.watch(asked)
        try:
            with self._streams.opened(watch.aclose):
                self._open.set(self._open.value() + 1)
                try:
                    response = web.StreamResponse()
                    response.headers["Content-Type"] = "application/json"
                    response.headers["Cache-Control"] = "no-cache, private"
                    response.enable_chunked_encoding()
                    await begin(request, response)
                    await _pump(response, watch, frame)
                    return response
                finally:
                    self._open.set(self._open.value() - 1)
        finally:
            await watch.aclose()

    def _framing(self, request: web.BaseRequest, asked: Request) -> Frame:
        match negotiate(request.headers.get("Accept", ""), STREAMS):
            case Form.TABLE:
                return self._tables.framing(asked.group, request.query)
            case Form.METADATA:
                return lambda event: event.frame("rest-metadata", envelopes.metadata_frame)
            case _:
                return lambda event: event.frame("rest", envelopes.event_frame)


async def _pump(response: web.StreamResponse, watch: WatchReply, frame: Frame) -> None:
    try:
        async for batch in watch:
            await send(response, b"".join(map(frame, batch)))
    except ApiError as error:
        await send(response, envelopes.error_frame(error))

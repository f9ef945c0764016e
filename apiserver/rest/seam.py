"""The seam of the REST door: a door whose requests and streams pass it, conversation "rest"."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from apiserver.rest.door import Door, failed, receive_causes
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.naming import READING, STREAMS, method_of
from apiserver.rest.replies import Reply, as_response, error_reply
from apiserver.rest.services import RestServices
from machinery.model.errors import ApiError
from machinery.model.seam import Ends, Seam
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.conversation import Conversation

if TYPE_CHECKING:
    from aiohttp import web


class SeamDoor(Door):
    """A door whose requests pass a seam; what the seam refuses is answered with a Status."""

    def __init__(self, services: RestServices, limits: Limits, seam: Seam) -> None:
        super().__init__(services, limits)
        self._seam = seam
        self._callee = services.name

    def answer(self, http: HttpRequest) -> Coroutine[Any, Any, Reply]:
        """Answer a request whose answer is not a stream."""
        return super().answer(http) if self._seam.is_idle else self._answer_through_seam(http)

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Answer a request that aiohttp has read: a stream, or one that is not plain."""
        http, method = exchange.http, method_of(exchange.http)
        try:
            if method in STREAMS:
                return await exchange.through(self._conversation(http).stream(method, http), super().handle)
            if self._seam.is_idle:
                return await super().handle(exchange)
            return await self._conversation(http).call(method, http, lambda _: Door.handle(self, exchange))
        except ApiError as error:
            return as_response(failed(error, exchange.http, exchange))

    async def _answer_through_seam(self, http: HttpRequest) -> Reply:
        try:
            return await self._conversation(http).call(
                method_of(http), http, lambda _: Door.answer(self, http)
            )
        except ApiError as error:
            return error_reply(error, http.accept)

    def _conversation(self, http: HttpRequest) -> Conversation:
        receive_causes(http)
        caller = http.headers.get(CALLER_KEY, "") or http.peer.common_name
        return Conversation(self._seam, Ends(caller, self._callee, "rest", "server"), READING)

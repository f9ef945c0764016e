"""The seam of the REST door: a door whose requests and streams pass it, conversation "rest".

Requests are named as the gRPC door names them ("Get", "Watch"…), logs and execs as the kubelet's service does, and
pages that are no resource by method and path. Without a seam, `opened` makes the bare door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from apiserver.rest.door import Door
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply, error_reply
from apiserver.rest.resource_request import is_watch
from apiserver.rest.seam_outlet import SeamOutlet
from apiserver.rest.services import RestServices
from apiserver.rest.streams import passing
from machinery.model.errors import BY_CODE, ApiError, InternalError
from machinery.model.seam import Ends, Seam
from machinery.wire.cause_headers import CALLER_KEY, CAUSE_KEY, TRACE_KEY, receive
from machinery.wire.conversation import Conversation

if TYPE_CHECKING:
    from aiohttp import web

A = TypeVar("A", "Reply", "web.StreamResponse")

_OBJECT: Final = {"GET": "Get", "POST": "Create", "PUT": "Update", "PATCH": "Patch", "DELETE": "Delete"}
_COLLECTION: Final = {**_OBJECT, "GET": "List", "DELETE": "DeleteCollection"}
_STREAMED: Final = {"log": "Logs", "exec": "Exec", "attach": "Attach", "portforward": "PortForward"}
_STREAMS: Final = frozenset({"Watch", *_STREAMED.values()})


def opened(services: RestServices, limits: Limits, seam: Seam | None) -> Door:
    """Make the door, behind a seam where there is one."""
    return Door(services, limits) if seam is None else SeamDoor(services, limits, seam)


class SeamDoor(Door):
    """A door whose requests pass a seam; what the seam refuses is answered with a Status."""

    def __init__(self, services: RestServices, limits: Limits, seam: Seam) -> None:
        super().__init__(services, limits)
        self._seam = seam
        self._callee = services.name

    async def answer(self, http: HttpRequest) -> Reply:
        """Answer a request whose answer is not a stream."""
        if self._seam.is_idle:
            return await super().answer(http)
        return await self._called(http, lambda: Door.answer(self, http))

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Answer a request that aiohttp has read: a stream, or one that is not plain."""
        if _method(exchange.http) in _STREAMS:
            return await self._streamed(exchange)
        if self._seam.is_idle:
            return await super().handle(exchange)
        answer = await self._called(exchange.http, lambda: Door.handle(self, exchange))
        return answer.to_response() if isinstance(answer, Reply) else answer

    async def _called(self, http: HttpRequest, answer: Callable[[], Awaitable[A]]) -> A | Reply:
        refused: list[A] = []  # the answer that says so, for the caller

        async def send(_left_s: float | None) -> A:
            answered = await answer()
            if answered.status >= 400:
                refused.append(answered)
                raise BY_CODE.get(answered.status, InternalError)(f"HTTP {answered.status}")
            return answered

        try:
            return await self._conversation(http).call(
                _method(http), send, about=_about(http), body=lambda: http.body, measure=_measured
            )
        except ApiError as error:
            return refused[0] if refused else error_reply(error)

    async def _streamed(self, exchange: Exchange) -> web.StreamResponse:
        http = exchange.http
        with self._conversation(http).stream(_method(http), about=_about(http)) as passage:
            passing.set(passage)
            exchange.outlet = SeamOutlet(exchange.outlet, passage)
            try:
                await passage.begin()
                return await passage.run(super().handle(exchange))
            except ApiError as error:
                passage.end(error)
                if exchange.has_begun:
                    raise asyncio.CancelledError from error  # break off
                return error_reply(error).to_response()

    def _conversation(self, http: HttpRequest) -> Conversation:
        receive([(key, http.headers.get(key, "")) for key in (CAUSE_KEY, TRACE_KEY)])
        caller = http.headers.get(CALLER_KEY, "") or http.peer.common_name
        return Conversation(self._seam, Ends(caller, self._callee, "rest", "server"))


def _method(http: HttpRequest) -> str:
    target = http.target
    if not isinstance(target, Target):
        return f"{http.method} {http.path}"
    if is_watch(http, target):
        return "Watch"
    if target.subresource in _STREAMED:
        return _STREAMED[target.subresource]
    return (_OBJECT if target.name else _COLLECTION).get(http.method, http.method)


def _about(http: HttpRequest) -> str:
    target = http.target
    if not isinstance(target, Target):
        return ""
    resource = f"{target.resource}.{target.group}" if target.group else target.resource
    return "/".join(filter(None, (resource, target.namespace, target.name)))


def _measured(answer: Reply | web.StreamResponse) -> tuple[int, int]:
    return 0, len(answer.body) if isinstance(answer, Reply) else 0

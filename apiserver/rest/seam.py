"""The seam of the REST door: a door whose requests and streams pass it, conversation "rest".

Requests are named as the gRPC door names them ("Get", "Watch"…), logs and execs as the kubelet's service does, and
pages that are no resource by method and path. Without a seam, `opened` makes the bare door.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar, cast

from apiserver.rest.asked import Asked, PlainRequest
from apiserver.rest.door import Door
from apiserver.rest.limits import Limits
from apiserver.rest.paths import Target, parse
from apiserver.rest.replies import Reply, error_reply
from apiserver.rest.seam_outlet import SeamOutlet
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Outlet, has_begun, passing
from machinery.model.errors import BY_CODE, ApiError, InternalError
from machinery.model.seam import Ends, Seam
from machinery.process.tls import Peer
from machinery.wire.cause_headers import CALLER_KEY, CAUSE_KEY, TRACE_KEY, receive
from machinery.wire.conversation import Conversation, no_body

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

    async def answer(self, request: PlainRequest) -> Reply:
        """Answer a request that is no stream."""
        if self._seam.is_idle:
            return await super().answer(request)
        body = request.body
        return await self._called(request, request.peer, lambda: body, lambda: Door.answer(self, request))

    async def handle(self, request: web.BaseRequest, outlet: Outlet) -> web.StreamResponse:
        """Answer a request that aiohttp has read: a stream, or one that is not plain."""
        if _method(request) in _STREAMS:
            return await self._streamed(request, outlet)
        if self._seam.is_idle:
            return await super().handle(request, outlet)
        answer = await self._called(request, outlet.peer, no_body, lambda: Door.handle(self, request, outlet))
        return answer.to_response() if isinstance(answer, Reply) else answer

    async def _called(
        self, request: Asked, peer: Peer, body: Callable[[], bytes], answer: Callable[[], Awaitable[A]]
    ) -> A | Reply:
        refused: list[A] = []  # the answer that says so, for the caller

        async def send(_left_s: float | None) -> A:
            answered = await answer()
            if answered.status >= 400:
                refused.append(answered)
                raise BY_CODE.get(answered.status, InternalError)(f"HTTP {answered.status}")
            return answered

        try:
            return await self._conversation(request, peer).call(
                _method(request), send, about=_about(request), body=body, measure=_measured
            )
        except ApiError as error:
            return refused[0] if refused else await error_reply(request, error)

    async def _streamed(self, request: web.BaseRequest, outlet: Outlet) -> web.StreamResponse:
        conversation = self._conversation(request, outlet.peer)
        with conversation.stream(_method(request), about=_about(request)) as passage:
            passing.set(passage)
            try:
                await passage.begin()
                return await passage.run(super().handle(request, SeamOutlet(outlet, passage)))
            except ApiError as error:
                passage.end(error)
                if has_begun(request):
                    raise asyncio.CancelledError from error  # break off
                return (await error_reply(request, error)).to_response()

    def _conversation(self, request: Asked, peer: Peer) -> Conversation:
        receive([(key, request.headers.get(key, "")) for key in (CAUSE_KEY, TRACE_KEY)])
        caller = request.headers.get(CALLER_KEY, "") or peer.common_name
        return Conversation(self._seam, Ends(caller, self._callee, "rest", "server"))


def _method(request: Asked) -> str:
    target = parse(_raw_path(request))
    if not isinstance(target, Target):
        return f"{request.method} {request.path}"
    if request.method == "GET" and (target.watch or request.query.get("watch", "") in {"true", "1"}):
        return "Watch"
    if target.subresource in _STREAMED:
        return _STREAMED[target.subresource]
    return (_OBJECT if target.name else _COLLECTION).get(request.method, request.method)


def _about(request: Asked) -> str:
    target = parse(_raw_path(request))
    if not isinstance(target, Target):
        return ""
    resource = f"{target.resource}.{target.group}" if target.group else target.resource
    return "/".join(filter(None, (resource, target.namespace, target.name)))


def _raw_path(request: Asked) -> str:
    if isinstance(request, PlainRequest):
        return request.raw_path.partition("?")[0]
    return cast("web.BaseRequest", request).rel_url.raw_path


def _measured(answer: Reply | web.StreamResponse) -> tuple[int, int]:
    return 0, len(answer.body) if isinstance(answer, Reply) else 0

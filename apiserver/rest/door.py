"""The one handler of the REST door: authenticate, find out where it goes, answer; an error is always a Status.

connection the bytes of plain requests; aiohttp has the others
door      who asks, which path, how long it may take, what went wrong
resources requests of resources, as calls of the registry
watches   watches as streams of JSON lines
pages     paths that are no resource: discovery, OpenAPI, version, health, metrics, keys of the token issuer
pod_log, pod_exec   what the kubelets answer
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from apiserver.authentication import NOBODY
from apiserver.request import UserInfo
from apiserver.rest.asked import Asked, PlainRequest
from apiserver.rest.limits import Limits
from apiserver.rest.pages import Pages
from apiserver.rest.paths import Target, parse
from apiserver.rest.replies import Reply, error_reply, text_reply
from apiserver.rest.resources import Resources
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Outlet, has_begun
from machinery.model.errors import (
    ApiError,
    DeadlineExceeded,
    InternalError,
    MethodNotSupported,
    TooManyRequests,
    Unauthorized,
)
from machinery.process.logging import describe
from machinery.process.tls import ANONYMOUS, Peer
from machinery.wire import cause_headers

if TYPE_CHECKING:
    from aiohttp import web

_R = TypeVar("_R")

_MOST_AT_ONCE: Final = 600  # requests that are no streams; those above are asked to come back
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class Door:
    """Answers every request."""

    def __init__(self, services: RestServices, limits: Limits) -> None:
        self._services = services
        self._signature = ("Kubarium-Server", services.name)
        self._answer_limit_s = limits.answer_s
        self._resources = Resources(services)
        self._pages = Pages(services)
        self._busy = 0
        metrics = services.metrics
        self._requests = metrics.counter("apiserver_rest_requests_total", "REST requests", ("method", "code"))
        self._durations = metrics.histogram(
            "apiserver_rest_duration_seconds", "Wall time of REST requests that are no streams", ("method",)
        )

    async def end_streams(self) -> None:
        """End every watch, log and exec, so that connections can be closed."""
        await self._resources.end_streams()

    async def handle(self, request: web.BaseRequest, outlet: Outlet) -> web.StreamResponse:
        """Answer a request that aiohttp has read; never raises except for a caller who has gone."""
        begun = self._services.clock.monotonic()
        response = await self._guarded(request, self._answer_or_stream(request, outlet))
        if isinstance(response, Reply):
            return self._finished(request, response, begun).to_response()
        self._requests.add(1, request.method, str(response.status))
        return response

    def lasts(self, request: PlainRequest) -> bool:
        """Tell whether the answer is a stream, or nothing for `answer` at all."""
        target = parse(request.raw_path.partition("?")[0])
        if not isinstance(target, Target):
            return False
        try:
            return self._resources.streams(request, target)
        except ApiError:
            return False  # `answer` says what is wrong

    async def answer(self, request: PlainRequest) -> Reply:
        """Answer a request that is no stream; never raises."""
        begun = self._services.clock.monotonic()
        raw_path = request.raw_path.partition("?")[0]
        reply = await self._guarded(request, self._answer(request, request.peer, raw_path))
        return self._finished(request, reply, begun)

    def _finished(self, request: Asked, reply: Reply, begun: float) -> Reply:
        """Add what every answer has, and count it."""
        audit_id = request.headers.get("Audit-Id", "")[:64] or _audit_id()
        reply.headers += (self._signature, ("Audit-Id", audit_id))
        self._requests.add(1, request.method, str(reply.status))
        took = self._services.clock.timescale.wall(self._services.clock.monotonic() - begun)
        self._durations.observe(took, request.method)
        return reply

    async def _guarded(self, request: Asked, answer: Awaitable[_R]) -> _R | Reply:
        try:
            return await answer
        except ApiError as error:
            return await self._failed(request, error)
        except ConnectionError:
            raise asyncio.CancelledError from None  # the caller has gone: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - a bug in one request must not take the others with it
            self._log_bug(request, error)
            return await self._failed(request, InternalError(f"Internal error occurred: {error}"))

    async def _failed(self, request: Asked, error: ApiError) -> Reply:
        if not isinstance(request, PlainRequest) and has_begun(cast("web.BaseRequest", request)):
            raise asyncio.CancelledError from error  # break off: there is no place for a second answer
        return await error_reply(request, error)

    def _log_bug(self, request: Asked, error: Exception) -> None:
        self._services.log.error(
            "request_failed", method=request.method, path=request.path, **describe(error)
        )

    async def _answer_or_stream(self, request: web.BaseRequest, outlet: Outlet) -> web.StreamResponse | Reply:
        raw_path = request.rel_url.raw_path
        target = parse(raw_path) if request.method in _METHODS else None
        if not isinstance(target, Target) or not self._resources.streams(request, target):
            return await self._answer(request, outlet.peer, raw_path)
        _receive_causes(request)
        await self._services.registry.wait_open()
        user = await self._user(request, outlet.peer)
        return await self._resources.stream(request, user, target, outlet)

    async def _answer(self, request: Asked, peer: Peer, raw_path: str) -> Reply:
        if request.method not in _METHODS:
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        target = parse(raw_path)
        if target is not None:
            await self._services.registry.wait_open()
        user = await self._user(request, peer)
        if self._busy >= _MOST_AT_ONCE:
            raise TooManyRequests("too many requests, please try again later", retry_after_s=1)
        self._busy += 1
        try:
            return await self._answer_in_time(request, user, target, raw_path)
        finally:
            self._busy -= 1

    async def _answer_in_time(self, request: Asked, user: UserInfo, target: Any, raw_path: str) -> Reply:
        if request.method == "GET" and isinstance(target, Target):
            return await self._resources.answer(
                request, user, target
            )  # waits for etcd only, which has its limit
        _receive_causes(request)
        try:
            async with asyncio.timeout(self._answer_limit_s):
                if isinstance(target, Target):
                    return await self._resources.answer(request, user, target)
                page = await self._pages.answer(request, user, target, raw_path)
                return page or await text_reply(request, "404 page not found\n", status=404)
        except TimeoutError as error:
            text = "request did not complete within the allotted timeout"
            raise DeadlineExceeded(f"Timeout: {text}") from error

    async def _user(self, request: Asked, peer: Peer) -> UserInfo:
        user = await self._authenticated(request, peer)
        if isinstance(request, PlainRequest) and not request.impersonates:
            return user
        return await self._services.gate.impersonated(user, request.headers.items())

    async def _authenticated(self, request: Asked, peer: Peer) -> UserInfo:
        """A client certificate comes first, then a token; who shows neither is nobody, a wrong token is an error."""
        authenticator = self._services.authenticator
        if peer != ANONYMOUS:
            return authenticator.of_peer(peer)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return NOBODY
        if not token.strip():
            raise Unauthorized("Unauthorized")
        return await authenticator.of_bearer(token.strip())


def _receive_causes(request: Asked) -> None:
    cause_headers.receive(
        [(key, request.headers.get(key, "")) for key in (cause_headers.CAUSE_KEY, cause_headers.TRACE_KEY)]
    )


def _audit_id() -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

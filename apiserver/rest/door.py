"""The one handler of the REST door: authenticate, find out where it goes, answer; an error is always a Status.

`apiserver.rest.listener` brings requests as values. Those of resources go to `apiserver.rest.resources`, those of what other
servers serve to `apiserver.rest.aggregated`, other paths to `apiserver.rest.pages`. Every answer is encoded, signed and counted here, once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from apiserver.core.authz.attributes import MASTERS, Attributes
from apiserver.core.flow.schemas import Asked, AskedPage, Flow, is_own
from apiserver.flow_control import current_flow
from apiserver.request import UserInfo, request_about
from apiserver.rest import query
from apiserver.rest.aggregated import LONG_RUNNING, Aggregated
from apiserver.rest.body_room import SMALL, BodyRoom
from apiserver.rest.http_request import METHODS, Exchange, HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.pages import Pages
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply, encode, error_reply, not_found
from apiserver.rest.request_metrics import RequestMetrics
from apiserver.rest.resource_request import read_request, verb_of
from apiserver.rest.resources import Resources
from apiserver.rest.services import RestServices
from apiserver.rest.warnings import bounded, header
from apiserver.rest.websocket_tokens import take_token
from machinery.model.errors import (
    ApiError,
    DeadlineExceeded,
    InternalError,
    MethodNotSupported,
    TooManyRequests,
)
from machinery.process.clock import WALL
from machinery.process.logging import describe
from machinery.process.tls import ANONYMOUS
from machinery.wire import cause_headers

if TYPE_CHECKING:
    from aiohttp import web

_R = TypeVar("_R")
_FORBIDDEN: Final = 403

_MOST_OF_ONE: Final = (
    200  # requests of resources that one user may have here, those whose bodies are awaited included
)


class Door:
    """Answers every request."""

    def __init__(self, services: RestServices, limits: Limits) -> None:
        self._services = services
        self._signature = ("Kubarium-Server", services.name)
        self._answer_limit_s = limits.answer_s
        self._metrics = RequestMetrics(services.catalogue)
        services.metrics.add(self._metrics)
        self._resources = Resources(services, self._metrics)
        self._pages = Pages(services)
        self._aggregated = Aggregated(services, limits.answer_s)
        self._elsewhere = self._aggregated.remote  # empty as a rule
        self._of_user: Counter[str] = Counter()
        self._bodies = BodyRoom()

    async def end_streams(self) -> None:
        """End every watch, log and exec, so that connections can be closed."""
        await self._resources.end_streams()
        await self._aggregated.end_streams()

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Answer a request that aiohttp has read; never raises except for a caller who has gone."""
        http = exchange.http
        if not self.lasts(http):
            return (await self._answered(http)).to_response()
        current_flow.set(None)  # of this request: the task has served others
        begun = self._services.clock.monotonic_wall()
        with self._metrics.lasting(http):
            response = await self._guarded(http, self._stream(exchange), exchange)
        if isinstance(response, Reply):
            return (await self._finished(http, response, begun)).to_response()
        self._metrics.ended(http, response.status)
        return response

    def lasts(self, http: HttpRequest) -> bool:
        """Whether the answer is a stream, and not one of `answer`."""
        if self._elsewhere and self._aggregated.serves(http):
            return True
        return isinstance(http.target, Target) and self._resources.lasts(http, http.target)

    def is_long_running(self, http: HttpRequest) -> bool:
        """Whether a request is one that Kubernetes calls long-running: a watch, a log, or a connection into something."""
        target = http.target
        return isinstance(target, Target) and (
            target.subresource in LONG_RUNNING or self._resources.lasts(http, target)
        )

    async def answer(self, http: HttpRequest) -> Reply:
        """Answer a request whose answer is not a stream; never raises."""
        return await self._answered(http)

    async def _answered(self, http: HttpRequest) -> Reply:
        current_flow.set(None)  # of this request: the task may have served others
        begun = self._services.clock.monotonic_wall()
        self._metrics.begun(http)
        try:
            reply = await self._guarded(http, self._answer(http))
            return await self._finished(http, reply, begun)
        finally:
            self._metrics.over(http)

    async def _finished(self, http: HttpRequest, reply: Reply, begun: float) -> Reply:
        """Encode an answer, add what every one has, and count it."""
        await encode(reply, accepts_gzip=http.accepts_gzip)
        flow = current_flow.get()
        if flow is None and reply.status == _FORBIDDEN:
            flow = self._flow_of_refused(http)
        own = flow.headers if flow is not None else ()
        if http.warnings:
            reply.headers += [("Warning", header(warning)) for warning in bounded(http.warnings)]
        reply.headers += (self._signature, ("Audit-Id", http.audit_id), *own)
        took_s = self._services.clock.monotonic_wall() - begun
        self._metrics.answered(http, reply.status, len(reply.body), took_s)
        return reply

    def _flow_of_refused(self, http: HttpRequest) -> Flow | None:
        """Return the flow of a request that its user may not make: Kubernetes classifies before it authorizes.

        What lasts, except for a watch, and who may not be somebody else have none.
        """
        target, user = http.target, http.asker
        if user is None:
            return None
        asked: Asked = AskedPage(http.method.lower(), http.raw_path)
        if isinstance(target, Target):
            verb = verb_of(http, target)
            if verb != "watch" and self.is_long_running(http):
                return None
            asked = request_about(target, user, verb)
        return self._services.registry.flow.classify(user, asked)

    async def _guarded(
        self, http: HttpRequest, answer: Awaitable[_R], exchange: Exchange | None = None
    ) -> _R | Reply:
        try:
            return await answer
        except ApiError as error:
            return failed(error, http, exchange)
        except ConnectionError:
            raise asyncio.CancelledError from None  # the caller has gone: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - a bug in one request must not take the others with it
            self._log_bug(http, error)
            return failed(InternalError(f"Internal error occurred: {error}"), http, exchange)

    def _log_bug(self, http: HttpRequest, error: Exception) -> None:
        self._services.log.error("request_failed", method=http.method, path=http.path, **describe(error))

    async def _stream(self, exchange: Exchange) -> web.StreamResponse | Reply:
        http = exchange.http
        receive_causes(http)
        user = await self._user(http)
        if self._aggregated.serves(http):
            return await self._aggregated.answer(exchange, user)
        assert isinstance(http.target, Target)  # noqa: S101 - nothing else lasts
        return await self._resources.stream(exchange, user, http.target)

    async def _answer(self, http: HttpRequest) -> Reply:
        if http.method not in METHODS and not self._pages.takes(http):
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        user = await self._user(http)
        if not isinstance(http.target, Target) or MASTERS in user.groups:
            return await self._answer_in_time(http, user)
        if http.body_bytes <= SMALL or is_own(user):
            return await self._answer_one_of(http, user)
        self._bodies.take(user.name, http.body_bytes)
        try:
            return await self._answer_one_of(http, user)
        finally:
            self._bodies.give_back(user.name, http.body_bytes)

    async def _answer_one_of(self, http: HttpRequest, user: UserInfo) -> Reply:
        """Answer one of the requests that a user has here."""
        if self._of_user[user.name] >= _MOST_OF_ONE:
            raise TooManyRequests("too many requests, please try again later", retry_after_s=1)
        self._of_user[user.name] += 1
        try:
            return await self._answer_in_time(http, user)
        finally:
            self._of_user[user.name] -= 1
            if not self._of_user[user.name]:
                del self._of_user[user.name]

    async def _answer_in_time(self, http: HttpRequest, user: UserInfo) -> Reply:
        target, limit_s = http.target, self._limit_s(http)
        is_plain = http.method == "GET" and limit_s == self._answer_limit_s
        if is_plain and isinstance(target, Target):  # waits for etcd only, which has its limit
            return await self._resources.answer(http, user, target)
        receive_causes(http)
        try:
            async with WALL.timeout_wall(limit_s):
                if isinstance(target, Target):
                    return await self._resources.answer(http, user, target)
                return await self._pages.answer(http, user) or not_found()
        except TimeoutError as error:
            text = "request did not complete within the allotted timeout"
            raise DeadlineExceeded(f"Timeout: {text}") from error

    def _limit_s(self, http: HttpRequest) -> float:
        """Return how many wall seconds an answer may take: what the caller asks for, and no more than the door's own limit.

        Raises:
            BadRequest: what the caller asks for is no duration.
        """
        asked = query.timeout_s(http.query) if "timeout=" in http.raw_query else None
        return min(asked or self._answer_limit_s, self._answer_limit_s)

    async def _user(self, http: HttpRequest) -> UserInfo:
        """Find out who asks, once there is something to ask for."""
        if http.target is not None and not self._services.registry.is_open:
            await self._services.registry.wait_open()
        user = await self._authenticated(http)
        if http.impersonates:
            asked = partial(self._asked, http, user)
            user = await self._services.gate.impersonated(user, http.headers.items(), asked)
        http.user, http.asker = user.name, user
        return user

    def _asked(self, http: HttpRequest, user: UserInfo) -> Attributes:
        """Return what authorizers have to know of a request."""
        if isinstance(http.target, Target):
            return self._services.gate.attributes(read_request(http, user, http.target).request)
        return Attributes(verb=http.method.lower(), path=http.raw_path)

    async def _authenticated(self, http: HttpRequest) -> UserInfo:
        """A client certificate comes first, then a token; who shows neither is nobody, a wrong token is an error."""
        authenticator = self._services.authenticator
        if http.peer != ANONYMOUS:
            return authenticator.of_peer(http.peer)
        token = _bearer_token(http) or take_token(http)
        if not token:
            return authenticator.of_nobody(http.path)
        user = await authenticator.of_bearer(token)
        http.warnings = user.warnings
        return user


def _bearer_token(http: HttpRequest) -> str:
    scheme, _, rest = http.headers.get("Authorization", "").strip().partition(" ")
    # As in Kubernetes "Bearer " and a second space prove nothing.
    return rest.partition(" ")[0] if scheme.lower() == "bearer" else ""


def failed(error: ApiError, http: HttpRequest, exchange: Exchange | None) -> Reply:
    """Return the answer to a request that failed.

    Raises:
        CancelledError: an answer has begun, and breaks off.
    """
    if exchange is not None and exchange.has_begun:
        raise asyncio.CancelledError from error  # there is no place for a second answer
    return error_reply(error, http.accept)


def receive_causes(http: HttpRequest) -> None:
    """Set the causes and the trace of a request in the context of the task that serves it."""
    cause_headers.receive(
        [(key, http.headers.get(key, "")) for key in (cause_headers.CAUSE_KEY, cause_headers.TRACE_KEY)]
    )

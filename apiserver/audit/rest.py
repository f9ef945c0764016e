"""The REST door's requests in the audit log: a door around the door."""

from __future__ import annotations

from contextvars import Token
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from apiserver import audit_notes
from apiserver.audit.trail import STARTED, Trail, current
from apiserver.core.audit.event import Story, status_of
from apiserver.core.authz.attributes import Attributes
from apiserver.gate import Gate
from apiserver.request import UserInfo
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply
from apiserver.rest.resource_request import read_request
from machinery.model.errors import ApiError

if TYPE_CHECKING:
    from aiohttp import web

    from apiserver.rest.listener import AnsweringDoor

_NOBODY: Final = UserInfo("")
_MOST_PROXIES: Final = 16
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class AuditedDoor:
    """Writes events of each request that another door answers."""

    def __init__(self, door: AnsweringDoor, gate: Gate, trail: Trail) -> None:
        self._door = door
        self._gate = gate
        self._trail = trail
        self.lasts = door.lasts
        self.is_long_running = door.is_long_running
        self.end_streams = door.end_streams

    async def answer(self, http: HttpRequest) -> Reply:
        """Answer a request whose answer is not a stream."""
        story, tokens = self._begin(http)
        try:
            reply = await self._door.answer(http)
            self._trail.end(story, status_of(reply.status, reply.body))
        except BaseException:  # the caller has gone
            self._trail.end(story, {"code": 499, "status": "Failure", "message": "the client has gone"})
            raise
        finally:
            _end(tokens)
        await self._trail.room()
        return reply

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Answer a request that aiohttp has read: one that lasts has an event when its answer begins, too."""
        story, tokens = self._begin(exchange.http)
        is_long = self._door.is_long_running(exchange.http)
        exchange.on_begin = lambda code: self._begun(story, code, is_long=is_long)
        try:
            response = await self._door.handle(exchange)
            body = getattr(response, "body", None)
            self._trail.end(story, status_of(response.status, body if isinstance(body, bytes) else b""))
        except BaseException:
            self._trail.end(story, story.status or {"code": 499, "status": "Failure"})
            raise
        finally:
            _end(tokens)
        await self._trail.room()
        return response

    def _begun(self, story: Story, code: int, *, is_long: bool) -> None:
        story.status = {"code": code}
        if is_long:
            self._trail.write(story, STARTED)

    def _begin(self, http: HttpRequest) -> tuple[Story, _Tokens]:
        story = Story(
            audit_id=http.audit_id,
            uri=f"{http.raw_path}?{http.raw_query}" if http.raw_query else http.raw_path,
            received=self._trail.now(),
            attributes=self._attributes(http),
            sources=_sources(http),
            agent=http.headers.get("User-Agent", ""),
        )
        return story, (current.set(story), audit_notes.begin())

    def _attributes(self, http: HttpRequest) -> Attributes:
        if not isinstance(http.target, Target):
            return Attributes(verb=http.method.lower(), path=http.path)
        try:
            return self._gate.attributes(read_request(http, _NOBODY, http.target).request)
        except ApiError:  # a query that makes no sense, which will be answered so
            target = http.target
            return Attributes(
                verb=_VERBS.get(http.method, "get" if target.name else "list"),
                group=target.group,
                version=target.version,
                resource=target.resource,
                subresource=target.subresource,
                namespace=target.namespace,
                name=target.name,
            )


def _sources(http: HttpRequest) -> tuple[str, ...]:
    told = [each.strip() for each in http.headers.get("X-Forwarded-For", "").split(",")[:_MOST_PROXIES]]
    addresses = [each for each in told if _is_address(each)]
    return tuple(dict.fromkeys((*addresses, *((http.source,) if http.source else ()))))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


_Tokens = tuple[Token[Story | None], Token[dict[str, str] | None]]


def _end(tokens: _Tokens) -> None:
    current.reset(tokens[0])
    audit_notes.end(tokens[1])

"""The REST door with an access log: doors that write a line when they have answered."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from apiserver.access_log import GONE, AccessLog
from apiserver.rest.door import Door
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.limits import Limits
from apiserver.rest.naming import method_of
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply
from apiserver.rest.seam import SeamDoor
from apiserver.rest.services import RestServices
from machinery.model.errors import ApiError
from machinery.model.seam import Seam

if TYPE_CHECKING:
    from aiohttp import web


class LoggedDoor(Door):
    """A door that logs each request; to stand before another one in the order of methods."""

    access: AccessLog

    def answer(self, http: HttpRequest) -> Coroutine[Any, Any, Reply]:
        """Answer a request whose answer is not a stream, and log it."""
        return self._logged(http, super().answer(http))

    async def handle(self, exchange: Exchange) -> web.StreamResponse:
        """Answer a request that aiohttp has read, and log it when its answer is over."""
        begun, code = self.access.now(), GONE
        try:
            response = await super().handle(exchange)
            code = response.status
            return response
        finally:
            self._write(exchange.http, code or (200 if exchange.has_begun else GONE), begun)

    async def _logged(self, http: HttpRequest, answer: Coroutine[Any, Any, Reply]) -> Reply:
        begun, code = self.access.now(), GONE
        try:
            reply = await answer
            code = reply.status
            return reply
        finally:
            self._write(http, code, begun)

    def _write(self, http: HttpRequest, code: int, begun: float) -> None:
        agent = http.headers.get("User-Agent", "")
        self.access.write(
            "rest", _verb(http), http.raw_path, code=code, user=http.user, begun=begun, agent=agent
        )


class LoggedSeamDoor(LoggedDoor, SeamDoor):
    """A door whose requests pass a seam, and which logs each."""


def logged_door(services: RestServices, limits: Limits, seam: Seam | None, access: AccessLog) -> Door:
    """Return a door that logs, with a seam where there is one."""
    door = LoggedDoor(services, limits) if seam is None else LoggedSeamDoor(services, limits, seam)
    door.access = access
    return door


def _verb(http: HttpRequest) -> str:
    """Return what was asked for, in the words of both doors: get, list, watch, exec…; of a page the method."""
    try:
        return method_of(http).lower() if isinstance(http.target, Target) else http.method.lower()
    except ApiError:  # a query that makes no sense, which was answered so
        return http.method.lower()

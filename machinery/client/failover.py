"""One transport over several servers: requests and watches go to one of them, and to another when it fails.

Reads are repeated at another server. A write is not, unless it could not be sent at all; the caller learns that its
outcome is unknown, and finds another server at its next request. A watch whose server fails ends with an error, as
with a single server; the next one is opened at another.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple, TypeVar, cast

from machinery.client.servers import Servers
from machinery.client.transport import ApiRequest, Page, Transport
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Unavailable
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import WatchEvent
from machinery.model.resources import KubeObject

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")

PROGRAM: Final = "apiserver"
_READS: Final = frozenset({"Get", "List"})


class Server(NamedTuple):
    """A server, as it was named to the client, and the way there."""

    address: str
    transport: Transport
    reach: Callable[
        [float], Awaitable[float]
    ]  # connects; returns what is left of so much time, or raises NotSent


def over(
    opened: Callable[[str, str], Server],
    addresses: str,
    *,
    caller: str,
    clock: Clock,
    log: EventLog = SILENT,
) -> Transport:
    """Return the transport over the servers at these addresses (commas between): of a single one its own.

    `opened(address, name)` makes the way to each. They are called "apiserver", or "apiserver-1", "apiserver-2"… as
    they stand in the list, until they say another name themselves.
    """
    every = addresses.split(",")
    if len(every) == 1:
        return opened(addresses, PROGRAM).transport
    servers = [opened(address, f"{PROGRAM}-{number}") for number, address in enumerate(every, 1)]
    return Failover(servers, caller=caller, clock=clock, log=log)


class Failover:
    """Implements `machinery.client.transport.Transport`."""

    def __init__(
        self, servers: Sequence[Server], *, caller: str, clock: Clock, log: EventLog = SILENT
    ) -> None:
        def changed(left: Server, next_: Server, error: ApiError | None) -> None:
            name = left.transport.answered_by or left.address
            log.warning("server_left", server=name, next=next_.address, error=error)

        self._servers = Servers(servers, caller=caller, on_change=changed, now=clock.monotonic_wall)

    @property
    def answered_by(self) -> str:
        """The name of the server that is asked at present, once it has answered."""
        return self._servers.current.transport.answered_by

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        return await self._ask(
            request, timeout_s, lambda transport, limit_s: transport.call(request, limit_s)
        )

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List, a DeleteCollection or a CreateEach.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        return await self._ask(
            request, timeout_s, lambda transport, limit_s: transport.page(request, limit_s)
        )

    async def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch of one server.

        Raises:
            ApiError: the watch was refused, or its server has gone.
        """
        server = self._servers.choose()
        watch = cast("AsyncGenerator[Sequence[WatchEvent[T]], None]", server.transport.stream(request, type_))
        try:
            async with aclosing(watch) as batches:
                async for batch in batches:
                    self._servers.answered(server)
                    yield batch
        except Unavailable as error:
            self._servers.leave(server, error)
            raise

    async def aclose(self) -> None:
        """End every call and every connection."""
        for server in self._servers.members:
            await server.transport.aclose()

    async def _ask(
        self,
        request: ApiRequest,
        timeout_s: float,
        send: Callable[[Transport, float], Awaitable[R]],
    ) -> R:
        if request.method in _READS:
            attempts = len(self._servers.members)
            return await self._servers.call(
                lambda server, limit_s: send(server.transport, limit_s),
                timeout_s=timeout_s / attempts,
                attempts=attempts,
            )

        async def write(server: Server, limit_s: float) -> R:
            return await send(server.transport, await server.reach(limit_s))

        return await self._servers.call(write, timeout_s=timeout_s)

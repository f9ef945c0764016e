"""A channel to one server: it connects at the first call, and again after the connection broke.

A call made while the server cannot be reached fails at once (`NotConnected`) until the wait before the next attempt is
over; one that is made while it connects waits for that. All calls of a channel go over one connection.

    channel = Channel("127.0.0.1:6444", clock, tls=context, server_name="apiserver")
    ask = channel.unary_unary("/service/Method", request_serializer=…, response_deserializer=…)
    answer = await ask(request, timeout=10, metadata=(("caller", "me"),))
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.rpc.calls import AnswersMethod, Decode, Encode, StreamMethod, UnaryMethod
from machinery.rpc.connection import Http2Connection
from machinery.rpc.hpack import write_block
from machinery.rpc.status import Closed, Code, NotConnected, RpcError

CONNECT_TIMEOUT_S: Final = 3.0  # wall seconds
LEAVE_S: Final = (
    10.0  # wall seconds that calls have to end in once their connection's certificate was renewed
)
RETRY: Final = Backoff(0.1, 1.0)  # wall seconds between two attempts to connect
_UNIX: Final = "unix:"


class Channel:
    """Makes calls to the server at `address`: "host:port", "[v6]:port" or "unix:/path".

    With `tls`, its certificate has to carry `server_name`, or the host, where no name is given.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        retry: Backoff = RETRY,
    ) -> None:
        self._address = address
        self._clock = clock
        self._tls = tls
        self._server_name = server_name
        self._retry = retry
        self._connection: Http2Connection | None = None  # for new calls
        self._leaving: list[
            Http2Connection
        ] = []  # whose server takes no new ones: until those under way are over
        self._connecting: asyncio.Task[Http2Connection] | None = None  # held here, cancelled by `close`
        self._is_closed = False
        self._failures = 0
        self._retry_at = 0.0
        self._problem = ""

    def unary_unary(
        self, path: str, request_serializer: Encode, response_deserializer: Decode
    ) -> UnaryMethod:
        """Make the callable of a method with one request and one answer."""
        return UnaryMethod(self, self._head(path), request_serializer, response_deserializer)

    def unary_stream(
        self, path: str, request_serializer: Encode, response_deserializer: Decode
    ) -> AnswersMethod:
        """Make the callable of a method with one request and a stream of answers."""
        return AnswersMethod(self, self._head(path), request_serializer, response_deserializer)

    def stream_stream(
        self, path: str, request_serializer: Encode, response_deserializer: Decode
    ) -> StreamMethod:
        """Make the callable of a method with streams both ways."""
        return StreamMethod(self, self._head(path), request_serializer, response_deserializer)

    def renew(self, tls: ssl.SSLContext) -> None:
        """Connect with another certificate from now on.

        New calls go over a new connection. Those under way have `LEAVE_S` to end, then they end with UNAVAILABLE.
        """
        self._tls = tls
        self._failures = 0  # they were the old one's, maybe
        old, self._connection = self._connection, None
        if old is not None:
            self._leaving.append(old)
            self._clock.call_later_wall(LEAVE_S, old.close, "the certificate of this connection was renewed")

    async def close(self) -> None:
        """End the connection and what is under way: with UNAVAILABLE. Idempotent."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        for connection in (*self._leaving, self._connection):
            if connection is not None:
                connection.close()

    @property
    def ready(self) -> Http2Connection | None:
        """Return the connection if a call can begin on it at once."""
        connection = self._connection
        return connection if connection is not None and connection.has_room else None

    async def reach(self, within_s: float | None) -> tuple[Http2Connection, float | None]:
        """Return the connection, with room for a call, and how much of the wall seconds is left; connect where there is none.

        Raises:
            NotConnected: the server cannot be reached, or could not a moment ago.
            Closed: this end has been closed.
            RpcError: it took too long (DEADLINE_EXCEEDED).
        """
        if (connection := self.ready) is not None:
            return connection, within_s
        begun_s = self._clock.monotonic_wall()
        try:
            async with self._clock.timeout_wall(within_s):
                connection = await self._with_room()
        except TimeoutError as error:
            raise RpcError(Code.DEADLINE_EXCEEDED, "no connection in time") from error
        took_s = self._clock.monotonic_wall() - begun_s
        return connection, None if within_s is None else within_s - took_s

    def _head(self, path: str) -> bytes:
        """Write what the headers of every call of a method begin with."""
        is_unix = self._address.startswith(_UNIX)  # servers in Go refuse the path as an authority
        authority = self._server_name or ("localhost" if is_unix else self._address)
        scheme = "https" if self._tls else "http"
        fields = ((":method", "POST"), (":scheme", scheme), (":path", path), (":authority", authority))
        always = (("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "kubarium"))
        return write_block((*fields, *always))

    async def _with_room(self) -> Http2Connection:
        while True:
            if self._is_closed:
                raise Closed
            connection = self._connection
            if connection is None or not connection.is_open:
                connection = await self._connected()
            await connection.slot()
            if connection.has_room:
                return connection

    async def _connected(self) -> Http2Connection:
        if self._connecting is None:
            if self._failures and self._clock.monotonic_wall() < self._retry_at:
                raise NotConnected(self._problem)
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            self._connecting.add_done_callback(_seen)
        connecting = self._connecting
        await asyncio.wait((connecting,))
        if connecting.cancelled():
            raise Closed
        return connecting.result()

    async def _connect(self) -> Http2Connection:
        try:
            connection = await self._opened(tls := self._tls)
            while tls is not self._tls:  # it was renewed meanwhile
                connection.close()
                connection = await self._opened(tls := self._tls)
        except (OSError, TimeoutError, ValueError) as error:  # ValueError: a name that TLS cannot ask for
            self._failures += 1
            self._retry_at = self._clock.monotonic_wall() + self._retry.delay(self._failures)
            self._problem = f"cannot connect: {error or 'no answer in time'}"
            raise NotConnected(self._problem) from error
        finally:
            self._connecting = None
        self._leaving = [old for old in (*self._leaving, self._connection) if old and not old.is_closed]
        self._connection = connection
        self._failures = 0
        return connection

    async def _opened(self, tls: ssl.SSLContext | None) -> Http2Connection:
        async with self._clock.timeout_wall(CONNECT_TIMEOUT_S):
            connection = await self._dialled(tls)
            try:
                await asyncio.shield(connection.settled)
            except BaseException:
                connection.close()
                raise
        if not connection.is_open:
            raise ConnectionError(
                f"{connection.problem}; does the server speak HTTP/2, and know this client?"
            )
        return connection

    async def _dialled(self, tls: ssl.SSLContext | None) -> Http2Connection:
        loop, clock = asyncio.get_running_loop(), self._clock
        ping_after_s = self._connection.next_ping_after_s if self._connection else 0.0
        if self._address.startswith(_UNIX):
            path = self._address.removeprefix(_UNIX)
            _, connection = await loop.create_unix_connection(
                lambda: Http2Connection(clock, ping_after_s), path
            )
            return connection
        host, _, port = self._address.rpartition(":")
        host = host.strip("[]")
        name = (self._server_name or host) if tls else None
        _, connection = await loop.create_connection(
            lambda: Http2Connection(clock, ping_after_s), host, int(port), ssl=tls, server_hostname=name
        )
        return connection


def _seen(connecting: asyncio.Task[Http2Connection]) -> None:
    if not connecting.cancelled():
        connecting.exception()  # maybe nobody waits any more

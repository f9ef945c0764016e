"""A channel to one etcd server, in the shape of `grpc.aio.Channel` as far as the store needs it.

It connects at the first call. A call made while the server cannot be reached fails at once (UNAVAILABLE) until the
wait before the next attempt is over. Errors are `grpc.aio.AioRpcError`, as from gRPC's own channel.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from machinery.model.backoff import Backoff
from machinery.process.clock import WALL
from machinery.rpc.connection import Http2Connection
from machinery.rpc.hpack import write_block
from machinery.wire.rpc_errors import rpc_error

Metadata: TypeAlias = Iterable[tuple[str, str]]

CONNECT_TIMEOUT_S: Final = 3.0  # wall seconds
_RETRY: Final = Backoff(0.1, 0.25)  # wall seconds between two attempts to connect


class NotConnected(grpc.aio.AioRpcError):  # type: ignore[misc]  # grpc has no types
    """There is no connection, so nothing was sent."""

    def __init__(self, details: str) -> None:
        super().__init__(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details
        )


class Channel:
    """Makes calls to one server, all on one connection."""

    def __init__(self, address: str, tls: ssl.SSLContext | None) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._tls = tls
        self._connection: Http2Connection | None = None
        self._connecting: asyncio.Task[Http2Connection] | None = None  # held here, cancelled by `close`
        self._failures = 0
        self._retry_at = 0.0
        self._problem = ""

    def unary_unary(self, path: str, **codecs: Any) -> UnaryMethod:
        """Make the multicallable of a method with one request and one answer."""
        return UnaryMethod(self, path, **codecs)

    def stream_stream(self, path: str, **codecs: Any) -> StreamMethod:
        """Make the multicallable of a method with streams both ways."""
        return StreamMethod(self, path, **codecs)

    async def close(self) -> None:
        """End the connection and what is under way."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.close()

    def headers(self, path: str, metadata: Metadata = ()) -> bytes:
        """Write the headers of a call."""
        host = f"{self._host}:{self._port}"
        scheme = "https" if self._tls else "http"
        fields = [(":method", "POST"), (":scheme", scheme), (":path", path), (":authority", host)]
        fields += [("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "kubarium")]
        return write_block((*fields, *metadata))

    @property
    def ready(self) -> Http2Connection | None:
        """Return the connection if a call can begin on it at once."""
        connection = self._connection
        return connection if connection is not None and connection.has_room else None

    async def connection(self) -> Http2Connection:
        """Return the connection with room for a call; connect where there is none.

        Raises:
            AioRpcError: the server cannot be reached, or could not a moment ago (UNAVAILABLE).
        """
        connection = self._connection
        if connection is None or not connection.is_open:
            connection = await self._connected()
        await connection.slot()
        return connection

    async def _connected(self) -> Http2Connection:
        loop = asyncio.get_running_loop()
        if self._connecting is None:
            if self._failures and WALL.monotonic_wall() < self._retry_at:
                raise NotConnected(self._problem)
            self._connecting = loop.create_task(self._connect())
            self._connecting.add_done_callback(_seen)  # maybe nobody waits any more
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Http2Connection:
        try:
            self._connection = await self._opened()
        except (OSError, TimeoutError) as error:
            self._failures += 1
            self._retry_at = WALL.monotonic_wall() + _RETRY.delay(self._failures)
            self._problem = f"cannot connect: {error or 'no answer in time'}"
            raise NotConnected(self._problem) from error
        finally:
            self._connecting = None
        self._failures = 0
        return self._connection

    async def _opened(self) -> Http2Connection:
        loop = asyncio.get_running_loop()
        host = self._host.strip("[]")
        async with WALL.timeout_wall(CONNECT_TIMEOUT_S):
            transport, connection = await loop.create_connection(
                Http2Connection, host, self._port, ssl=self._tls, server_hostname=host if self._tls else None
            )
            try:
                await asyncio.shield(connection.settled)
            except BaseException:
                transport.abort()
                raise
        if not connection.is_open:
            raise ConnectionError("the server closed the connection at once; does it speak HTTP/2?")
        return connection


class _Method:
    """A method of a service, and how its messages are written and read."""

    def __init__(
        self,
        channel: Channel,
        path: str,
        *,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes], Any],
    ) -> None:
        self._channel = channel
        self._path = path
        self._encode = request_serializer
        self._decode = response_deserializer
        self._headers: dict[float | None, bytes] = {}  # by timeout


class UnaryMethod(_Method):
    """Calls a method with one request and one answer."""

    async def __call__(self, request: Any, *, timeout: float | None = None) -> Any:
        """Call it.

        Raises:
            AioRpcError: the server says so, or the connection broke, or the deadline passed (wall seconds).
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        timer = WALL.call_later_wall(timeout, _expire, answer) if timeout is not None else None
        try:
            connection = self._channel.ready or await self._connection(answer)
            if connection is None:
                return await answer
            stream = connection.begin(self._head(timeout), self._encode(request), _Answer(answer))
            try:
                return self._decode(await answer)
            finally:
                connection.cancel(stream)  # nothing, where it is over
        finally:
            if timer is not None:
                timer.cancel()
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen, whether somebody waits for it or not

    async def _connection(self, answer: asyncio.Future[Any]) -> Http2Connection | None:
        """Return a connection with room; None where the deadline is over before there is one."""
        opening = asyncio.ensure_future(self._channel.connection())
        try:
            await asyncio.wait({opening, answer}, return_when=asyncio.FIRST_COMPLETED)
            return opening.result() if opening.done() else None
        finally:
            if not opening.done():
                opening.cancel()

    def _head(self, timeout: float | None) -> bytes:
        head = self._headers.get(timeout)
        if head is None:
            limit = () if timeout is None else (("grpc-timeout", f"{max(1, round(timeout * 1000))}m"),)
            head = self._headers[timeout] = self._channel.headers(self._path, limit)
        return head


class _Answer:
    """Brings the answer of a unary call to who waits for it."""

    __slots__ = ("_future",)

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future

    def message(self, data: bytes) -> None:
        if not self._future.done():
            self._future.set_result(data)

    def end(self, error: Exception | None) -> None:
        if not self._future.done():
            self._future.set_exception(error or asyncio.InvalidStateError("an answer without a message"))


class StreamMethod(_Method):
    """Opens streams of a method."""

    def __call__(self, *, metadata: Metadata = ()) -> StreamCall:
        """Open one; it connects when the first message is written."""
        return StreamCall(
            self._channel, self._channel.headers(self._path, metadata), self._encode, self._decode
        )


class StreamCall:
    """One stream, without a deadline."""

    def __init__(
        self, channel: Channel, headers: bytes, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]
    ) -> None:
        self._channel = channel
        self._headers = headers
        self._encode = encode
        self._decode = decode
        self._connection: Http2Connection | None = None
        self._stream: int | None = None
        self._arrived: deque[bytes] = deque()  # bounded by the window that the connection grants
        self._wake = asyncio.Event()
        self._is_over = False
        self._error: Exception | None = None

    async def write(self, request: Any) -> None:
        """Send a message.

        Raises:
            AioRpcError: the server cannot be reached.
        """
        if self._stream is None:
            self._connection = await self._channel.connection()
            self._stream = self._connection.begin(self._headers, None, self)
        assert self._connection is not None  # noqa: S101 - they come together
        self._connection.send(self._stream, self._encode(request))

    async def read(self) -> Any:
        """Return the next message, `grpc.aio.EOF` after the last one.

        Raises:
            AioRpcError: the stream ended with an error.
        """
        while not self._arrived:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return grpc.aio.EOF
            self._wake.clear()
            await self._wake.wait()
        message = self._arrived.popleft()
        if self._connection is not None and self._stream is not None:
            self._connection.credit(self._stream, len(message) + 5)
        return self._decode(message)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Return every message."""
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    def cancel(self) -> bool:
        """End the stream; False where it has ended already."""
        if self._is_over:
            return False
        self.end(None)
        if self._connection is not None and self._stream is not None:
            self._connection.cancel(self._stream)
        return True

    def message(self, data: bytes) -> None:
        """Keep a message until somebody reads it."""
        self._arrived.append(data)
        self._wake.set()

    def end(self, error: Exception | None) -> None:
        """Note that nothing comes any more."""
        self._is_over, self._error = True, error
        self._wake.set()


def _expire(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time"))


def _seen(connecting: asyncio.Task[Http2Connection]) -> None:
    if not connecting.cancelled():
        connecting.exception()

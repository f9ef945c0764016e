"""The methods that a channel can call, and the calls that are streams.

A unary call is a coroutine that writes its frames and waits for one future. A stream (`StreamCall`) keeps what has come until
somebody reads it, and credits the server with what was read: a slow reader stops the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Protocol, Self, TypeAlias

from machinery.rpc.connection import Http2Connection
from machinery.rpc.hpack import write_field
from machinery.rpc.metadata import write_metadata
from machinery.rpc.status import Code, Metadata, NotConnected, RpcError

Encode: TypeAlias = Callable[[Any], bytes]  # of a request
Decode: TypeAlias = Callable[[bytes], Any]  # of an answer

_MOST_MS: Final = 10**8 - 1  # grpc-timeout has eight digits at most


class Way(Protocol):
    """The way to the server: a channel."""

    @property
    def ready(self) -> Http2Connection | None:
        """The connection, if a call can begin on it at once."""
        ...

    async def reach(self, within_s: float | None) -> tuple[Http2Connection, float | None]:
        """Return the connection, with room for a call, and how much of the wall seconds is left.

        Raises:
            RpcError: there is none.
        """
        ...


class _Method:
    """A method of a service, and how its messages are written and read; `head` is what its headers begin with."""

    def __init__(self, way: Way, head: bytes, encode: Encode, decode: Decode) -> None:
        self._way = way
        self._head = head
        self._encode = encode
        self._decode = decode


class UnaryMethod(_Method):
    """Calls a method with one request and one answer."""

    async def __call__(
        self,
        request: Any,
        *,
        timeout: float | None = None,
        metadata: Metadata = (),
        on_trailers: Callable[[Metadata], object] | None = None,
    ) -> Any:
        """Call it, within so many wall seconds. `on_trailers` is called with the metadata that comes after the answer.

        Raises:
            RpcError: the server says so, or the connection broke, or the deadline passed.
        """
        body = self._encode(request)
        answer = await self._answer(body, timeout, metadata)
        if isinstance(answer.error, NotConnected):  # the server has not looked at it: once more, as gRPC does
            answer = await self._answer(body, timeout, metadata)
        if answer.error is not None:
            raise answer.error
        if on_trailers is not None:
            on_trailers(answer.trailers)
        return _decoded(self._decode, answer.data)

    async def _answer(self, body: bytes, timeout: float | None, metadata: Metadata) -> _Answer:
        connection = self._way.ready
        if connection is None:
            connection, timeout = await self._way.reach(timeout)
        answer = _Answer()
        stream = connection.begin(_headers(self._head, timeout, metadata), body, answer, within_s=timeout)
        try:
            await answer.arrived
        except BaseException:
            connection.cancel(stream)
            raise
        return answer


class AnswersMethod(_Method):
    """Opens streams of a method that is asked one thing."""

    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Metadata = ()) -> StreamCall:
        """Open one; it is sent when somebody waits for it, and may last so many wall seconds from then on."""
        body = self._encode(request)
        return StreamCall(self._way, self._head, metadata, timeout, body, self._encode, self._decode)


class StreamMethod(_Method):
    """Opens streams of a method with messages both ways."""

    def __call__(self, *, timeout: float | None = None, metadata: Metadata = ()) -> StreamCall:
        """Open one; it is sent when somebody writes or waits, and may last so many wall seconds from then on."""
        return StreamCall(self._way, self._head, metadata, timeout, None, self._encode, self._decode)


class _Answer:
    """What comes of a unary call."""

    __slots__ = ("arrived", "data", "error", "trailers")

    def __init__(self) -> None:
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.data = b""
        self.trailers: Metadata = ()
        self.error: RpcError | None = None

    def answer(self, data: bytes, trailers: Metadata) -> None:
        self.data, self.trailers = data, trailers
        if not self.arrived.done():
            self.arrived.set_result(None)

    def end(self, error: RpcError | None, _trailers: Metadata) -> None:
        self.error = error
        if not self.arrived.done():
            self.arrived.set_result(None)

    def began(self) -> None:
        """Do nothing: of one answer nobody waits for the beginning."""

    def message(self, data: bytes) -> None:
        """Do nothing: the answer is told with the end."""

    def drained(self) -> None:
        """Do nothing: who asks waits for the answer."""


class StreamCall:
    """One stream. Its messages are read by one at a time; another one may write meanwhile."""

    __slots__ = (
        "_arrived",
        "_connection",
        "_decode",
        "_drained",
        "_encode",
        "_error",
        "_has_begun",
        "_head",
        "_is_over",
        "_metadata",
        "_opening",
        "_request",
        "_stream",
        "_timeout_s",
        "_waiting",
        "_way",
    )

    def __init__(
        self,
        way: Way,
        head: bytes,
        metadata: Metadata,
        timeout_s: float | None,
        request: bytes | None,
        encode: Encode,
        decode: Decode,
    ) -> None:
        self._way = way
        self._head = head
        self._metadata = metadata
        self._timeout_s = timeout_s
        self._request = request
        self._encode = encode
        self._decode = decode
        self._opening = asyncio.Lock()  # a reader and a writer may come at once
        self._connection: Http2Connection | None = None
        self._stream = 0
        self._arrived: deque[bytes] = deque()  # bounded by the window that the connection grants
        self._waiting: asyncio.Future[None] | None = None  # the reader, for what comes
        self._drained: asyncio.Event | None = None  # while the server takes no more: whether it does again
        self._has_begun = False
        self._is_over = False
        self._error: RpcError | None = None

    async def opened(self) -> None:
        """Return when the call is sent to the server.

        Raises:
            RpcError: the server cannot be reached, or the stream has ended.
        """
        if self._connection is not None or self._is_over:
            return
        async with self._opening:
            if self._connection is not None or self._is_over:
                return
            try:
                connection, left_s = self._way.ready, self._timeout_s
                if connection is None:
                    connection, left_s = await self._way.reach(left_s)
            except RpcError as error:
                self.end(error, ())
                raise
            if self._is_over:  # cancelled meanwhile
                return
            headers = _headers(self._head, left_s, self._metadata)
            self._stream = connection.begin(headers, self._request, self, one_answer=False, within_s=left_s)
            self._connection = connection

    async def begun(self) -> None:
        """Return when the server has begun to answer, or the stream has ended."""
        await self.opened()
        while not (self._has_begun or self._arrived or self._is_over):
            await self._wait()

    async def write(self, message: Any) -> None:
        """Return when a message is sent. What is written after an end without an error is lost.

        Raises:
            RpcError: the stream has ended with an error, or the server cannot be reached.
        """
        body = self._encode(message)
        if self._connection is None:
            await self.opened()
        if self._connection is not None and not self._is_over:
            if not self._connection.send(self._stream, body) and self._drained is None:
                self._drained = asyncio.Event()
            if self._drained is not None:
                await self._drained.wait()
        if self._error is not None:
            raise self._error

    async def read(self) -> Any:
        """Return the next message, None after the last one.

        Raises:
            RpcError: the stream ended with an error.
        """
        if self._connection is None:
            await self.opened()
        while not self._arrived:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            await self._wait()
        return self._taken()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        """Return the next message.

        Raises:
            RpcError: the stream ended with an error.
        """
        if self._arrived:
            return self._taken()
        if (message := await self.read()) is None:
            raise StopAsyncIteration
        return message

    def cancel(self) -> bool:
        """End the stream, whose reader finds its end; False where it has ended already."""
        if self._is_over:
            return False
        if self._connection is not None:
            self._connection.cancel(self._stream)
        self.end(None, ())
        return True

    def began(self) -> None:
        """Note that the server has begun to answer."""
        self._has_begun = True
        self._wake()

    def message(self, data: bytes) -> None:
        """Keep a message until somebody reads it."""
        self._arrived.append(data)
        self._wake()

    def drained(self) -> None:
        """Wake the writer: all is sent."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def answer(self, data: bytes, trailers: Metadata) -> None:
        """Do nothing: a stream's messages are told one by one."""

    def end(self, error: RpcError | None, _trailers: Metadata) -> None:
        """Note that nothing comes any more."""
        self._is_over, self._error = True, error
        self.drained()
        self._wake()

    def _taken(self) -> Any:
        """Return the oldest message that has arrived."""
        data = self._arrived.popleft()
        if self._connection is not None:
            self._connection.credit(self._stream, len(data) + 5)
        return _decoded(self._decode, data)

    async def _wait(self) -> None:
        """Return when something has come, or maybe before."""
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _headers(head: bytes, timeout_s: float | None, metadata: Metadata) -> bytes:
    limit = b"" if timeout_s is None else _timeout_field(max(1, round(timeout_s * 1000)))
    return b"".join((head, limit, write_metadata(metadata)))


@lru_cache(maxsize=64)
def _timeout_field(timeout_ms: int) -> bytes:
    text = f"{timeout_ms}m" if timeout_ms <= _MOST_MS else f"{min(timeout_ms // 1000, _MOST_MS)}S"
    return write_field("grpc-timeout", text)


def _decoded(decode: Decode, data: bytes) -> Any:
    """Return a message.

    Raises:
        RpcError: the bytes are none.
    """
    try:
        return decode(data)
    except Exception as error:
        raise RpcError(Code.INTERNAL, f"the answer cannot be read: {error}") from error

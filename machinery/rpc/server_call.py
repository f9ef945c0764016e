"""One call as its server serves it: the task of its handler, the requests that it reads, how it ends.

The handler runs in a task of its own. It is cancelled when nobody waits for it any more: the client reset the call or has
gone, the deadline is over, the server stops. What its handler raises that is no `RpcError` is a bug, logged, and ends the
call as INTERNAL.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

from machinery.rpc.request_heads import Head
from machinery.rpc.server_machine import good_trailers, trailers
from machinery.rpc.service import Method
from machinery.rpc.status import Code, Metadata, RpcError

_log: Final = logging.getLogger("rpc")


class CallConnection(Protocol):
    """What a call needs of its connection."""

    certificate: bytes

    @property
    def address(self) -> str:
        """The client's address, "" where it is not known."""
        ...

    def answer(self, stream: int, message: bytes, ending: bytes) -> None:
        """Answer a call with one message, and end it."""
        ...

    def begin(self, stream: int) -> None:
        """Send the head of the answer. Idempotent."""
        ...

    def send(self, stream: int, message: bytes) -> bool:
        """Send a message; False where the client is slow, and more would have to be kept."""
        ...

    async def room(self, stream: int) -> None:
        """Wait until the client has taken what it was sent."""
        ...

    def end(self, stream: int, ending: bytes) -> None:
        """End a call."""
        ...

    def credit(self, stream: int, size: int) -> None:
        """Note that so many bytes of requests have been read."""
        ...

    def over(self, call: ServerCall) -> None:
        """Note that a call's handler has ended."""
        ...


class ServerCall:
    """A call under way; the context of its handler (`machinery.rpc.service.CallContext`)."""

    __slots__ = ("_connection", "_head", "_method", "_trailers", "has_left", "requests", "stream", "task")

    def __init__(self, connection: CallConnection, stream: int, head: Head, method: Method) -> None:
        self.stream = stream
        self.task: asyncio.Task[None] | None = None
        self.requests = None if method.asks_one else Requests(connection, stream)
        self.has_left = False  # whether nobody waits for its answer
        self._connection = connection
        self._head = head
        self._method = method
        self._trailers: Metadata = ()

    @property
    def certificate(self) -> bytes:
        """The client's certificate; empty where there is none."""
        return self._connection.certificate

    @property
    def address(self) -> str:
        """The client's address, "" on a unix socket."""
        return self._connection.address

    def invocation_metadata(self) -> Metadata:
        """Return the metadata of the request."""
        return self._head.metadata

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """Set what is sent with the status of an answer that is OK."""
        self._trailers = metadata

    async def send_initial_metadata(self, _metadata: Metadata) -> None:
        """Begin to answer."""
        self._connection.begin(self.stream)

    async def serve(self, data: bytes) -> None:
        """Run the handler to its end. `data` is the request, where there is one only."""
        method, connection = self._method, self._connection
        requests = self.requests
        try:
            request = method.read(data) if requests is None else _read(requests, method)
            if not method.answers_one:
                await self._stream(request)
                return
            answer = await method.behave(request, self)
            if method.write is not None:
                answer = method.write(answer)
            connection.answer(self.stream, answer, good_trailers(tuple(self._trailers)))
        except RpcError as error:
            connection.end(self.stream, trailers(error.code, error.details, error.trailers))
        except Exception as error:  # noqa: BLE001 - a bug in one call ends this one only
            _log.error("a handler failed", exc_info=error)
            connection.end(self.stream, trailers(Code.INTERNAL, "the server has failed"))
        except BaseException:
            connection.end(self.stream, trailers(Code.UNAVAILABLE, "the call was cancelled by its server"))
            raise
        finally:
            connection.over(self)

    async def _stream(self, request: Any) -> None:
        method, connection, stream = self._method, self._connection, self.stream
        write = method.write
        answers = method.behave(request, self)
        try:
            async for answer in answers:
                if not connection.send(stream, answer if write is None else write(answer)):
                    await connection.room(stream)
        finally:
            if (aclose := getattr(answers, "aclose", None)) is not None:
                await aclose()
        connection.end(stream, good_trailers(tuple(self._trailers)))


class Requests:
    """The requests of a call, in order: kept until the handler reads them, and no more than the window lets in."""

    __slots__ = ("_arrived", "_connection", "_is_whole", "_stream", "_wake")

    def __init__(self, connection: CallConnection, stream: int) -> None:
        self._connection = connection
        self._stream = stream
        self._arrived: deque[bytes] = deque()
        self._is_whole = False
        self._wake: asyncio.Future[None] | None = None

    def add(self, data: bytes) -> None:
        """Keep a request."""
        self._arrived.append(data)
        self._rouse()

    def finish(self) -> None:
        """Note that no more will come."""
        self._is_whole = True
        self._rouse()

    async def next(self) -> bytes | None:
        """Return the next request; None after the last one."""
        while not self._arrived:
            if self._is_whole:
                return None
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        data = self._arrived.popleft()
        self._connection.credit(self._stream, 5 + len(data))
        return data

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


async def _read(requests: Requests, method: Method) -> AsyncIterator[Any]:
    while (data := await requests.next()) is not None:
        yield method.read(data)

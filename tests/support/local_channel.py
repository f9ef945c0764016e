"""A gRPC channel without a network: the client's stub on one side, the server's handlers on the other, one process.

Requests and answers cross as bytes, errors as code, text and trailers, so both sides run as they do over a socket;
only time does not pass. A channel may be `cut` (every call fails, every stream breaks, and what was under way is
answered to nobody) and joined again, or killed with the client that owns it. The server serves each call in a task
of its own: it is done to the end when the client dies in between, as on a real machine.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc

from machinery.model.errors import ApiError
from machinery.rpc.status import Closed, Code, RpcError

_BACKLOG = 64  # messages of a stream that may wait for the client: as good as flow control


class _Aborted(Exception):  # noqa: N818 - it says what happened
    """A handler has ended its call with an error."""

    def __init__(self, code: Any, text: str, trailers: Iterable[tuple[str, Any]]) -> None:
        super().__init__(text)
        self.error = RpcError(Code[code.name], text, tuple(trailers))


@dataclass(frozen=True, slots=True)
class _Details:
    method: str
    invocation_metadata: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Context:
    """What a handler may ask of its call."""

    metadata: tuple[Any, ...]
    certificate: bytes
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # the handler has said so, or has ended

    def invocation_metadata(self) -> tuple[Any, ...]:
        return self.metadata

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_pem_cert": [self.certificate]} if self.certificate else {}

    async def send_initial_metadata(self, _metadata: Any) -> None:
        self.begun.set()

    def set_trailing_metadata(self, _metadata: Any) -> None:
        """Do nothing: whoever asks knows who answers."""

    async def abort(self, code: Any, text: str, trailers: Iterable[tuple[str, Any]] = ()) -> None:
        bug = sys.exc_info()[1]  # a handler that fails otherwise is answered with an InternalError, too
        raise _Aborted(code, text, trailers) if bug is None or isinstance(bug, ApiError) else bug


class ServerTasks:
    """The calls that a server has under way. What fails in one of them is a bug, and is in `bugs`."""

    def __init__(self) -> None:
        self.bugs: list[BaseException] = []
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin one."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def aclose(self) -> None:
        """End all of them."""
        while running := list(self._running):
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.bugs.append(error)


class LocalChannel:
    """Implements what `machinery.wire.stubs.Stub` needs of a channel.

    `certificate` is the PEM client certificate by which the server knows the caller; empty on a unix socket.
    """

    def __init__(
        self, handlers: Iterable[grpc.GenericRpcHandler], server: ServerTasks, *, certificate: bytes = b""
    ) -> None:
        self.handlers = tuple(handlers)
        self._spawn = server.spawn
        self._certificate = certificate
        self._is_cut = False
        self._is_closed = False
        self._streams: dict[_Stream, None] = {}  # in order: a run is the same every time

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Any:
        """Make the multicallable of a method with one answer."""

        async def call(
            request: Any, *, timeout: float | None = None, metadata: Any = (), on_trailers: Any = None
        ) -> Any:
            self._check()
            handler, context = self._handler(path, metadata)
            served = self._spawn(_serve(handler, request_serializer(request), context))
            outcome = await asyncio.shield(served)
            self._check()  # the answer was lost
            if isinstance(outcome, BaseException):
                raise outcome
            if on_trailers is not None:
                on_trailers(())
            return response_deserializer(outcome)

        return call

    def unary_stream(self, path: str, request_serializer: Any, response_deserializer: Any) -> Any:
        """Make the multicallable of a method with a stream of answers."""

        def call(request: Any, *, timeout: float | None = None, metadata: Any = ()) -> _Stream:
            stream = _Stream(response_deserializer, self._left)
            try:
                self._check()
            except RpcError as error:
                stream.fail(error)
                return stream
            handler, context = self._handler(path, metadata)
            self._streams[stream] = None
            stream.has_begun = context.begun
            stream.pump = self._spawn(stream.take_from(handler, request_serializer(request), context))
            return stream

        return call

    def stream_unary(self, path: str, **_: Any) -> Any:
        """Refuse: nobody uses it here."""
        return self._no_such_arity(path)

    def stream_stream(self, path: str, **_: Any) -> Any:
        """Refuse: nobody uses it here."""
        return self._no_such_arity(path)

    def cut(self) -> None:
        """Break the connection until `join`."""
        self._is_cut = True
        for stream in list(self._streams):
            stream.fail(_unavailable())

    def join(self) -> None:
        """Mend the connection."""
        self._is_cut = False

    def kill(self) -> None:
        """End the client: whatever it still tries does nothing."""
        self._is_closed = True
        for stream in list(self._streams):
            stream.cancel()

    async def close(self) -> None:
        """Close, as a client does: its running streams end with an error."""
        self._is_closed = True
        for stream in list(self._streams):
            stream.fail(RpcError(Code.UNAVAILABLE, "the channel was closed"))

    def _left(self, stream: _Stream) -> None:
        self._streams.pop(stream, None)

    def _check(self) -> None:
        if self._is_closed:
            raise Closed
        if self._is_cut:
            raise _unavailable()

    def _handler(self, path: str, metadata: Any) -> tuple[grpc.RpcMethodHandler, _Context]:
        details = _Details(path, tuple(metadata))
        found = (each.service(details) for each in self.handlers)
        return next(filter(None, found)), _Context(details.invocation_metadata, self._certificate)

    @staticmethod
    def _no_such_arity(path: str) -> Any:
        def call(*_: Any, **__: Any) -> Any:
            raise AssertionError(f"{path}: streams of requests do not cross a local channel")

        return call


@dataclass(eq=False)
class _Stream:
    """A call whose answers are a stream."""

    deserialize: Callable[[bytes], Any]
    leave: Callable[[_Stream], None]
    pump: asyncio.Task[Any] | None = None
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    queue: asyncio.Queue[Any] = field(default_factory=lambda: asyncio.Queue(_BACKLOG))

    async def take_from(self, handler: grpc.RpcMethodHandler, data: bytes, context: _Context) -> None:
        answers = handler.unary_stream(handler.request_deserializer(data), context)
        try:
            async for answer in answers:
                self.has_begun.set()
                await self.queue.put(_bytes(handler, answer))
        except _Aborted as aborted:
            await self.queue.put(aborted.error)
        else:
            await self.queue.put(None)
        finally:
            self.has_begun.set()
            await answers.aclose()
            self.leave(self)

    async def begun(self) -> None:
        """Wait until the handler has begun to answer, or has ended."""
        await self.has_begun.wait()

    def fail(self, error: RpcError) -> None:
        self.cancel()
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(error)

    def cancel(self) -> None:
        self.has_begun.set()
        self.leave(self)
        if self.pump:
            self.pump.cancel()

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (item := await self.queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield self.deserialize(item)


async def _serve(handler: grpc.RpcMethodHandler, data: bytes, context: _Context) -> bytes | BaseException:
    try:
        answer = await handler.unary_unary(handler.request_deserializer(data), context)
    except _Aborted as aborted:
        return aborted.error
    return _bytes(handler, answer)


def _bytes(handler: grpc.RpcMethodHandler, answer: Any) -> bytes:
    return handler.response_serializer(answer) if handler.response_serializer else answer


def _unavailable() -> RpcError:
    return RpcError(Code.UNAVAILABLE, "the connection is cut")

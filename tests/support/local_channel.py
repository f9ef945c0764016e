"""A gRPC channel without a network: the client's stub on one side, the server's handlers on the other, one process.

Requests and answers cross as bytes, errors as code, text and trailers, so both sides run as they do over a socket;
only time does not pass. A channel may be `cut` (every call fails, every stream breaks, and what was under way is
answered to nobody) and joined again, or killed with the client that owns it. The server serves each call in a task
of its own: it is done to the end when the client dies in between, as on a real machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from machinery.model.errors import ApiError
from machinery.rpc.service import Method
from machinery.rpc.status import Closed, Code, RpcError
from machinery.wire.services import ServiceHandler

_BACKLOG = 64  # messages of a stream that may wait for the client: as good as flow control


@dataclass(frozen=True, slots=True)
class _Context:
    """What a handler may ask of its call."""

    metadata: tuple[Any, ...]
    certificate: bytes
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # the handler has said so, or has ended

    @property
    def address(self) -> str:
        return ""

    def invocation_metadata(self) -> tuple[Any, ...]:
        return self.metadata

    async def send_initial_metadata(self, _metadata: Any) -> None:
        self.begun.set()

    def set_trailing_metadata(self, _metadata: Any) -> None:
        """Do nothing: whoever asks knows who answers."""


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
        self, handlers: Iterable[ServiceHandler], server: ServerTasks, *, certificate: bytes = b""
    ) -> None:
        self._methods = {path: method for each in handlers for path, method in each.methods.items()}
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
            method, context = self._method(path, metadata)
            served = self._spawn(_serve(method, request_serializer(request), context))
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
            method, context = self._method(path, metadata)
            self._streams[stream] = None
            stream.has_begun = context.begun
            stream.pump = self._spawn(stream.take_from(method, request_serializer(request), context))
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

    def _method(self, path: str, metadata: Any) -> tuple[Method, _Context]:
        return self._methods[path], _Context(tuple(metadata), self._certificate)

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

    async def take_from(self, method: Method, data: bytes, context: _Context) -> None:
        answers = method.behave(method.read(data), context)
        try:
            async for answer in answers:
                self.has_begun.set()
                await self.queue.put(_bytes(method, answer))
        except RpcError as error:
            await self.queue.put(_no_bug(error))
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


async def _serve(method: Method, data: bytes, context: _Context) -> bytes | BaseException:
    try:
        answer = await method.behave(method.read(data), context)
    except RpcError as error:
        return _no_bug(error)
    return _bytes(method, answer)


def _bytes(method: Method, answer: Any) -> bytes:
    return answer if method.write is None else method.write(answer)


def _no_bug(error: RpcError) -> RpcError:
    """Return what a handler has ended its call with; one that fails otherwise is answered, too, but not here."""
    bug = error.__cause__
    if bug is not None and not isinstance(bug, ApiError):
        raise bug
    return error


def _unavailable() -> RpcError:
    return RpcError(Code.UNAVAILABLE, "the connection is cut")

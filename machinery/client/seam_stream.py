"""A gRPC client's stream behind a seam, and the errors of both sides of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc.aio

from machinery.model.errors import ApiError, Unavailable
from machinery.wire.conversation import END, StreamPassage
from machinery.wire.status import from_rpc, to_rpc_error


class SeamStream:
    """A streaming call that is made when the seam lets it be: with the first message written, or asked for."""

    def __init__(self, make: Callable[[], Any], begin: Callable[[Any], StreamPassage]) -> None:
        self._make = make
        self._begin = begin
        self._opening = asyncio.Lock()  # a reader and a writer may come at once
        self._passage: StreamPassage | None = None
        self._call: Any = None

    async def write(self, message: Any) -> None:
        """Send a message."""
        with self._ending_on_error():
            call, passage = await self._opened(message)
            if await passage.write(message):
                await call.write(message)

    async def read(self) -> Any:
        """Read one message, `grpc.aio.EOF` at the end."""
        with self._ending_on_error():
            call, passage = await self._opened()

            async def read() -> Any:
                with api_errors():
                    message = await call.read()
                return END if message is grpc.aio.EOF else message

            message = await passage.read(read)
            if message is not END:
                return message
            passage.end()
            return grpc.aio.EOF

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    async def wait_for_connection(self) -> None:
        """Return when the call is made and the other side reached."""
        with self._ending_on_error():
            call, _ = await self._opened()
            with api_errors():
                await call.wait_for_connection()

    def cancel(self) -> bool:
        """End the stream; False where it has ended already."""
        if self._passage is not None:
            self._passage.interrupt(Unavailable("the stream was cancelled"))
            self._passage.end()
        return bool(self._call.cancel()) if self._call is not None else True

    async def _opened(self, first: Any = None) -> tuple[Any, StreamPassage]:
        async with self._opening:
            if self._passage is None:
                self._passage = self._begin(first)
            if self._call is None:
                await self._passage.begin()
                self._call = self._make()
        return self._call, self._passage

    @contextmanager
    def _ending_on_error(self) -> Iterator[None]:
        """Raise gRPC's errors, and let what is raised be the end of the stream."""
        try:
            with rpc_errors():
                yield
        except BaseException as error:
            if self._passage is not None:
                self._passage.end(error.__cause__ if isinstance(error.__cause__, ApiError) else error)
            if self._call is not None:
                self._call.cancel()
            raise


@contextmanager
def api_errors() -> Iterator[None]:
    """Raise what gRPC says as `ApiError`; what is said of a closed channel passes."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


@contextmanager
def rpc_errors() -> Iterator[None]:
    """Raise each `ApiError` as gRPC's: the one that it came from, if it did."""
    try:
        yield
    except ApiError as error:
        raise error.__cause__ if isinstance(error.__cause__, grpc.aio.AioRpcError) else to_rpc_error(error)  # noqa: B904

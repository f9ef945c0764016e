"""A gRPC client's stream behind a seam."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from machinery.wire.rpc_errors import rpc_errors
from machinery.wire.stream_passage import StreamPassage


class SeamStream:
    """A streaming call that is made when the seam lets it be: with the first message written, or asked for."""

    def __init__(self, make: partial[Any], begin: Callable[..., StreamPassage]) -> None:
        self._make = make
        self._begin = begin
        self._opening = asyncio.Lock()  # a reader and a writer may come at once
        self._passage: StreamPassage | None = None
        self._call: Any = None

    async def write(self, message: Any) -> None:
        """Send a message."""
        with rpc_errors():
            call, passage = await self._opened(message)
            await passage.write(message, call.write)

    async def read(self) -> Any:
        """Return one message; None at the end."""
        with rpc_errors():
            call, passage = await self._opened()
            return await passage.read(call.read)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while message := await self.read():
            yield message

    async def opened(self) -> None:
        """Return when the call is sent to the other side."""
        with rpc_errors():
            call, passage = await self._opened()
            await passage.run(call.opened())

    async def begun(self) -> None:
        """Return when the other side has begun to answer."""
        with rpc_errors():
            call, passage = await self._opened()
            await passage.run(call.begun())

    def cancel(self) -> None:
        """End the stream."""
        if self._passage is not None:
            self._passage.cancel()

    async def _opened(self, first: Any = None) -> tuple[Any, StreamPassage]:
        async with self._opening:
            if self._passage is None:
                self._passage = self._begin(*self._make.args or (first,), self._make.keywords.get("timeout"))
            if self._call is None:
                await self._passage.begin()
                self._call = self._make()
                self._passage.on_end(self._call.cancel)
        return self._call, self._passage

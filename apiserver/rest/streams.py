"""What lasts: watches, followed logs, execs. When the door closes they end first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from machinery.model.errors import TooManyRequests, Unavailable
from machinery.process.clock import WALL
from machinery.process.tls import Peer

_MOST: Final = 20_000  # streams at once: every kubelet of a large cluster watches a few kinds
STALLED_S: Final = 60.0  # wall seconds after which a caller who takes nothing is given up
_LINGER_S: Final = 2.0  # wall seconds that streams have to end in


class Outlet(Protocol):
    """The connection below a stream."""

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether what is written goes anywhere."""
        ...

    @property
    def writing_paused(self) -> bool:
        """Whether the client has to take some before there is more."""
        ...

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        ...

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written.

        Raises:
            ConnectionError: it has gone.
        """
        ...


class WholeConnection(Outlet, Protocol):
    """The connection itself, with both of its ways."""

    def expect_frames(self) -> None:
        """Note that what comes from now on are frames of a WebSocket."""
        ...

    def hand_to(self, protocol: asyncio.Protocol) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Pass what comes from now on to another protocol; return the transport, and who had it before.

        Raises:
            ConnectionError: the client has gone.
        """
        ...


class Streams:
    """All streams that are open."""

    def __init__(self) -> None:
        self._open: dict[object, Callable[[], Awaitable[None]]] = {}
        self._all_ended = asyncio.Event()
        self._ending = False

    @contextmanager
    def opened(self, end: Callable[[], Awaitable[None]]) -> Iterator[None]:
        """Count a stream as open while inside; `end` is called when the door closes.

        Raises:
            TooManyRequests: there are too many of them.
            Unavailable: the door is closing.
        """
        if self._ending:
            raise Unavailable("the apiserver is shutting down")
        if len(self._open) >= _MOST:
            raise TooManyRequests("too many streams are open, please try again later", retry_after_s=1)
        key = object()
        self._open[key] = end
        try:
            yield
        finally:
            del self._open[key]
            if not self._open:
                self._all_ended.set()

    async def end(self) -> None:
        """End every stream, and wait a moment until their last bytes are written."""
        self._ending = True
        self._all_ended.clear()
        if not self._open:
            return
        for end in list(self._open.values()):
            await end()
        try:
            async with WALL.timeout_wall(_LINGER_S):
                await self._all_ended.wait()
        except TimeoutError:
            return  # the runner's cleanup cuts the rest


async def send(write: Callable[[bytes], Awaitable[None]], data: bytes) -> None:
    """Send a piece of a stream.

    Raises:
        ConnectionError: the caller has gone, or takes nothing.
    """
    if not data:
        return
    try:
        async with WALL.timeout_wall(STALLED_S):
            await write(data)
    except TimeoutError as error:
        raise ConnectionError("the caller takes nothing") from error

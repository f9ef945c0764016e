"""Where clients come in: connections are taken one by one, so that there are never more than there is room for.

TLS costs memory before anybody has said who they are. So those that are still shaking hands have a bound of their own:
above it the one that has taken longest is cut, since an honest one takes milliseconds. For those that have shaken hands,
whoever serves them says whether there is room.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from machinery.process.clock import WALL

_BACKLOG: Final = 1024
_PAUSE_S: Final = 0.1  # wall seconds without a file descriptor left, before the next try


class Accepting:
    """Takes connections on listening sockets, and makes a protocol for each; without a context, without TLS."""

    def __init__(
        self,
        connect: Callable[[], asyncio.BaseProtocol],
        has_room: Callable[[], bool],
        context: ssl.SSLContext | None,
        *,
        greetings: int,
        handshake_s: float,
    ) -> None:
        self._connect = connect
        self._has_room = has_room
        self._context = context
        self._most_greetings = greetings
        self._handshake_s = handshake_s
        self._loop = asyncio.get_running_loop()
        self._greeting: dict[asyncio.Task[None], None] = {}  # those that shake hands, the longest one first
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[socket.socket] = []

    async def listen(self, host: str, port: int) -> None:
        """Listen on every address that a host has.

        Raises:
            OSError: an address is taken or cannot be used.
        """
        kind = socket.SOCK_STREAM
        found = await self._loop.getaddrinfo(host or None, port, type=kind, flags=socket.AI_PASSIVE)
        for family, address in {(family, address) for family, _, _, _, address in found}:
            self.accept_on(socket.create_server(address, family=family, backlog=_BACKLOG))

    def accept_on(self, listening: socket.socket) -> None:
        """Accept on a listening socket, which is closed with this."""
        listening.settimeout(0)
        self._sockets.append(listening)
        self._tasks.append(self._loop.create_task(self._accept(listening)))

    async def aclose(self) -> None:
        """Accept no more; those that shake hands are cut."""
        tasks = [*self._tasks, *self._greeting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listening in self._sockets:
            listening.close()

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = await self._loop.sock_accept(listening)
            except OSError:  # no file descriptor is left, or the client has gone already
                await WALL.sleep_wall(_PAUSE_S)
                continue
            if len(self._greeting) >= self._most_greetings:
                longest = next(iter(self._greeting))
                del self._greeting[longest]  # at once: many may come before it has ended
                longest.cancel()
            if not self._has_room():
                client.close()
                continue
            task = self._loop.create_task(self._greet(client))
            self._greeting[task] = None
            task.add_done_callback(partial(self._greeted, client))

    def _greeted(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._greeting.pop(task, None)
        if task.cancelled():  # maybe before it began
            client.close()

    async def _greet(self, client: socket.socket) -> None:
        handshake_s = None if self._context is None else self._handshake_s
        with suppress(OSError, ConnectionError, TimeoutError):  # ssl.SSLError is an OSError
            await self._loop.connect_accepted_socket(
                self._connect,
                client,
                ssl=self._context,
                ssl_handshake_timeout=handshake_s,
            )

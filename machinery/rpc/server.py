"""A server of gRPC: its connections, what they hold together, and how they end.

Who listens is `machinery.process.server`'s business: for every client that has come in it asks this for a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from machinery.model.clock import Clock, Timer
from machinery.rpc.server_connection import TICK_S, ServerConnection
from machinery.rpc.service import Method

MOST_HELD: Final = 256 * 1024 * 1024
"""Bytes of requests and answers that are kept for all clients; above it the connection for which most is kept is cut."""

LARGEST: Final = 512 * 1024 * 1024
"""Bytes of a message, where nobody says how many it may have."""

_FAREWELL_S: Final = 0.5  # wall seconds in which a client takes the last bytes


class Server:
    """Serves methods to the clients that it is handed."""

    def __init__(self, methods: Mapping[str, Method], clock: Clock, largest_message: int = LARGEST) -> None:
        self.methods = methods
        self.asks_one: Mapping[str, bool] = {path: method.asks_one for path, method in methods.items()}
        self.largest_message = largest_message
        self.clock = clock
        self._connections: dict[ServerConnection, None] = {}
        self._held: dict[ServerConnection, int] = {}
        self._ticker: Timer | None = None
        self._changed: asyncio.Future[None] | None = None  # while `stop` waits

    def __call__(self) -> ServerConnection:
        """Make a connection for a client."""
        return ServerConnection(self)

    def __len__(self) -> int:
        """Return how many connections there are."""
        return len(self._connections)

    def opened(self, connection: ServerConnection) -> None:
        """Count a connection in."""
        self._connections[connection] = None
        if self._ticker is None:
            self._ticker = self.clock.call_later_wall(TICK_S, self._tick)

    def closed(self, connection: ServerConnection) -> None:
        """Count a connection out. Idempotent."""
        self._connections.pop(connection, None)
        self._held.pop(connection, None)
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def holds(self, connection: ServerConnection, size: int) -> None:
        """Note how many bytes are kept for a client; where all have too many, the one with most is cut."""
        if size:
            self._held[connection] = size
        else:
            self._held.pop(connection, None)
        while sum(self._held.values()) > MOST_HELD:
            most = max(self._held, key=self._held.__getitem__)
            del self._held[most]
            most.abort()

    async def stop(self, grace_s: float | None) -> None:
        """End all connections: calls under way have so many wall seconds, then their handlers are cancelled."""
        for connection in list(self._connections):
            connection.go_away()
        await self._until_closed(grace_s or 0)
        for connection in list(self._connections):
            connection.cancel_calls()
        await self._until_closed(_FAREWELL_S)
        for connection in list(self._connections):
            connection.abort()
        await self._until_closed(_FAREWELL_S)
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    async def _until_closed(self, within_s: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self.clock.timeout_wall(within_s):
                while self._connections:
                    self._changed = loop.create_future()
                    await self._changed
        except TimeoutError:
            pass
        finally:
            self._changed = None

    def _tick(self) -> None:
        for connection in list(self._connections):
            connection.tick()
        has_any = bool(self._connections)
        self._ticker = self.clock.call_later_wall(TICK_S, self._tick) if has_any else None

"""The node ports at which load balancers ask whether the node has endpoints of a Service.

Plain HTTP, as load balancers speak it; nothing is told but names and a number. A port that somebody else has is that
Service's trouble: it is logged, and tried again when everything is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from machinery.model.log import EventLog
from machinery.process.clock import WALL
from proxy.core.endpoints import LocalEndpoints
from proxy.core.families import V4, Family
from proxy.core.health import write_answer
from proxy.core.merged import Merged

_PATIENCE_S: Final = 5.0  # wall seconds for a request to arrive
_MOST: Final = 64  # connections at once, of all ports


class HealthServers:
    """One server for each port; leaving the context closes all."""

    def __init__(self, is_healthy: Callable[[], bool], log: EventLog, family: Family = V4) -> None:
        self._host = "0.0.0.0" if family is V4 else "::"
        self._is_healthy = is_healthy
        self._log = log
        self._servers: dict[int, asyncio.Server] = {}
        self._told: dict[int, LocalEndpoints] = {}
        self._refused: set[int] = set()  # ports that could not be had at the last try
        self._connections = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for port in tuple(self._servers):
            self._close(port)

    async def apply(self, wanted: Merged[int, LocalEndpoints], *, anyway: bool = False) -> bool:
        """Serve at these ports; return whether any was opened or closed. The caller settles it afterwards."""
        changed = {each.key for each in wanted.differences()}
        if anyway:
            changed |= {port for port, _ in wanted.items() if port not in self._servers}
        before = self._servers.keys() & changed
        for port in changed:
            local = wanted.get(port)
            if local is None:
                self._close(port)
            else:
                self._told[port] = local
                await self._open(port)
        return before != self._servers.keys() & changed

    async def _open(self, port: int) -> None:
        if port in self._servers:
            return
        try:
            self._servers[port] = await asyncio.start_server(
                lambda reader, writer: self._respond(port, reader, writer), self._host, port
            )
        except OSError as error:
            if port not in self._refused:
                service = f"{self._told[port].namespace}/{self._told[port].service}"
                self._log.warning("health_check_not_served", service=service, port=port, error=error)
            self._refused.add(port)
        else:
            self._refused.discard(port)

    def _close(self, port: int) -> None:
        self._told.pop(port, None)
        self._refused.discard(port)
        if server := self._servers.pop(port, None):
            server.close()

    async def _respond(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            local = self._told.get(port)
            if local is None or self._connections > _MOST:
                return
            with suppress(
                TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError
            ):
                async with WALL.timeout_wall(_PATIENCE_S):
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(write_answer(local, is_healthy=self._is_healthy()))
                    await writer.drain()
        finally:
            self._connections -= 1
            writer.close()

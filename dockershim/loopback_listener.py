"""The port of the node's loopback for streams: every process on the node's network can connect to it, with no credentials.

So what one that has no URL can take is bounded: connections by their number, and those that send no request by time.
"""

from __future__ import annotations

import asyncio
import socket as sockets
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from machinery.model.clock import Clock

MOST_CONNECTIONS: Final = 1_000
REQUEST_S: Final = 10.0  # wall seconds that a connection has for its first request


class LoopbackListener:
    """Hands connections to an HTTP server as long as there is room for them."""

    def __init__(self, server: web.Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._silent: set[asyncio.BaseProtocol] = set()  # connections that have sent no request yet
        self._listening: asyncio.Server | None = None

    async def start(self, listen: str) -> str:
        """Listen on host:port, and return the address that it has become.

        Raises:
            OSError: it cannot be had.
        """
        bound = _bind(listen)
        host, port = bound.getsockname()[:2]
        self._listening = await asyncio.get_running_loop().create_server(self._accept, sock=bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def close(self) -> None:
        """Accept no more connections; those that are there are the server's. Idempotent."""
        if self._listening is not None:
            self._listening.close()

    def note_request(self, handler: asyncio.BaseProtocol) -> None:
        """Note that a connection has sent a request."""
        self._silent.discard(handler)

    def _accept(self) -> asyncio.Protocol:
        if len(self._server.connections) >= MOST_CONNECTIONS:
            return _Refusal()
        handler = self._server()
        self._silent.add(handler)
        self._clock.call_later_wall(REQUEST_S, self._give_up, handler)
        return handler

    def _give_up(self, handler: RequestHandler) -> None:
        if handler in self._silent:
            self._silent.remove(handler)
            handler.force_close()


class _Refusal(asyncio.Protocol):
    """Ends a connection for which there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it at once."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's
        transport.abort()


def _bind(listen: str) -> sockets.socket:
    host, _, port = listen.rpartition(":")
    family = sockets.AF_INET6 if host.startswith("[") else sockets.AF_INET
    bound = sockets.socket(family, sockets.SOCK_STREAM)
    bound.bind((host.strip("[]"), int(port)))
    bound.listen()
    bound.settimeout(0)
    return bound

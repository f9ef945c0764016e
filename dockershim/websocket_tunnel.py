"""SPDY within a WebSocket: newer clients carry port-forward so (`SPDY/3.1+portforward.k8s.io`), through what passes WebSockets only.

Binary messages carry the bytes of the SPDY connection; where one message ends and the next begins means nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from dockershim.websocket_client import MESSAGE_BYTES


def tunnel_socket(protocols: tuple[str, ...]) -> web.WebSocketResponse:
    """Return the answer to a request for port-forward over WebSocket, in one of these protocols."""
    return web.WebSocketResponse(protocols=protocols, max_msg_size=MESSAGE_BYTES, compress=False)


class WebSocketTunnel:
    """The bytes in a WebSocket (a `machinery.spdy.connection.Wire`)."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.unsent = 0
        self._socket = socket
        self._pieces: list[bytes] = []
        self._has_news = asyncio.Event()
        self._is_sent = asyncio.Event()
        self._is_sent.set()
        self._is_over = False

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end."""
        while True:
            message = await self._socket.receive()
            if message.type is not WSMsgType.BINARY:
                return b""
            if message.data:
                return bytes(message.data)

    def post(self, data: bytes) -> None:
        """Write without waiting; on a connection that is over, do nothing."""
        if not self._is_over:
            self._pieces.append(data)
            self.unsent += len(data)
            self._is_sent.clear()
            self._has_news.set()

    async def drain(self) -> None:
        """Wait until all is sent.

        Raises:
            ConnectionResetError: the connection broke.
        """
        await self._is_sent.wait()
        if self._is_over:
            raise ConnectionResetError("the client has left")

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send what is posted while inside; what is left is sent in the end."""
        task = asyncio.ensure_future(self._send())
        try:
            yield
            await self._is_sent.wait()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _send(self) -> None:
        try:
            while True:
                await self._has_news.wait()
                self._has_news.clear()
                pieces, self._pieces = self._pieces, []
                data = b"".join(pieces)
                await self._socket.send_bytes(data)
                self.unsent -= len(data)
                if not self._pieces:
                    self._is_sent.set()
        except ConnectionError:
            return
        finally:
            self._is_over = True
            self._is_sent.set()

"""A client of exec or attach that speaks WebSocket: binary messages whose first byte is the channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import WSMsgType, web

from dockershim.command_sessions import Process
from dockershim.core.stream_protocols import WEBSOCKET, encode_outcome, parse_size

MESSAGE_BYTES: Final = 32 * 1024 * 1024
_STDIN, _ERROR, _RESIZE, _CLOSE = 0, 3, 4, 255


def websocket() -> web.WebSocketResponse:
    """Return the answer to a request for exec or attach over WebSocket."""
    return web.WebSocketResponse(protocols=WEBSOCKET, max_msg_size=MESSAGE_BYTES, compress=False)


class WebSocketClient:
    """Implements `Client` over one WebSocket."""

    def __init__(self, connection: web.WebSocketResponse) -> None:
        self._connection = connection

    @property
    def socket(self) -> Any:
        """The socket of its connection."""
        return self._connection.get_extra_info("socket")

    async def feed(self, process: Process) -> None:
        """Carry what the client sends into a process until it leaves."""
        async for message in self._connection:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == _STDIN:
                await process.write(data)
            elif channel == _CLOSE and data[:1] == bytes((_STDIN,)):
                process.end_input()
            elif channel == _RESIZE and (size := parse_size(data)) is not None:
                await process.resize(size)

    async def write(self, stream: int, data: bytes) -> None:
        """Send what a process has written to a stream.

        Raises:
            ConnectionError: the client has left.
        """
        await self._connection.send_bytes(bytes((stream,)) + data)

    async def finish(self, status: Mapping[str, Any]) -> None:
        """Say by a Status how it ended.

        Raises:
            ConnectionError: the client has left.
        """
        await self._connection.send_bytes(bytes((_ERROR,)) + encode_outcome(status, WEBSOCKET[0]))

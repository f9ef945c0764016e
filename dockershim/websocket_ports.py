"""Port-forward over WebSocket without SPDY: one connection to each port that the request names, two channels for each.

    channel 2n     the data of the n-th port, both ways; the first message to the client is the port's number (two bytes,
                   the lower one first)
    channel 2n+1   the same number, and then a text if the connection fails

Every port is connected to at once. Neither side can say that it sends no more on one channel, so the end of all connections is
the end of the WebSocket. One port that does not read holds up the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, TypeAlias

from aiohttp import WSMsgType, web

from dockershim.core.stream_protocols import decode_channel, encode_channel
from dockershim.port_forward import Dial, forward_error
from machinery.model.errors import ApiError

_READ_BYTES: Final = 32 * 1024
_Writer: TypeAlias = (
    "asyncio.Future[asyncio.StreamWriter | None]"  # of a port; None where it could not be had
)


class WebSocketPorts:
    """The connections of one client."""

    def __init__(self, socket: web.WebSocketResponse, sandbox_id: str, dial: Dial) -> None:
        self._socket = socket
        self._protocol = socket.ws_protocol or ""
        self._sandbox_id = sandbox_id
        self._dial = dial

    async def serve(self, ports: Sequence[int]) -> None:
        """Forward until the client leaves or all connections have ended.

        Raises:
            ConnectionError: the client left while something was sent to it.
        """
        writers: list[_Writer] = [asyncio.get_running_loop().create_future() for _ in ports]
        reading = asyncio.ensure_future(self._read(writers))
        forwarding = asyncio.ensure_future(self._forward_all(ports, writers))
        try:
            await asyncio.wait({reading, forwarding}, return_when=asyncio.FIRST_COMPLETED)
            if forwarding.done():
                await forwarding
        finally:
            for task in (reading, forwarding):
                task.cancel()
            await asyncio.gather(reading, forwarding, return_exceptions=True)

    async def _forward_all(self, ports: Sequence[int], writers: Sequence[_Writer]) -> None:
        await asyncio.gather(
            *(self._forward(2 * index, port, writers[index]) for index, port in enumerate(ports))
        )

    async def _read(self, writers: Sequence[_Writer]) -> None:
        """Carry what the client sends to the ports; what is of no port, or of one that has failed, is dropped."""
        async for message in self._socket:
            if message.type not in {WSMsgType.BINARY, WSMsgType.TEXT}:
                return
            channel, data = decode_channel(message.data)
            if channel % 2 or not 0 <= channel // 2 < len(writers):
                continue
            writer = await writers[channel // 2]
            if writer is not None and not writer.is_closing():
                writer.write(data)
                try:
                    await writer.drain()
                except OSError:  # `_forward` finds it, too
                    continue

    async def _forward(self, channel: int, port: int, opened: _Writer) -> None:
        for each in (channel, channel + 1):
            await self._send(each, port.to_bytes(2, "little"))
        try:
            reader, writer = await self._dial(port)
        except (OSError, ApiError) as problem:
            opened.set_result(None)
            await self._send(channel + 1, forward_error(port, self._sandbox_id, str(problem)))
            return
        opened.set_result(writer)
        try:
            while data := await reader.read(_READ_BYTES):
                await self._send(channel, data)
        except ConnectionResetError as problem:
            if self._socket.closed:
                raise
            text = f"reading from the port failed: {problem}"
            await self._send(channel + 1, forward_error(port, self._sandbox_id, text))
        finally:
            writer.transport.abort()

    async def _send(self, channel: int, data: bytes) -> None:
        message = encode_channel(channel, data, self._protocol)
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)

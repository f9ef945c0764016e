"""The other end of exec and attach: aiohttp's WebSocket to the runtime's streaming server.

The subprotocol is v5.channel.k8s.io: binary messages whose first byte is a channel (0 stdin, 1 stdout, 2 stderr,
3 the outcome as a Status, 4 the terminal's size, 255 "this channel ends"). The address is what the CRI's Exec
answered: http://host:port/path, or http+unix://<the socket's path, percent-encoded>/path.

aiohttp is imported at the first stream: most kubelets never open one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import msgspec

from machinery.model.errors import Unavailable
from machinery.model.k8s.meta_v1 import Status
from machinery.process.clock import WALL

if TYPE_CHECKING:
    import aiohttp

PROTOCOL: Final = "v5.channel.k8s.io"
CONNECT_TIMEOUT_S: Final = 10.0  # wall seconds
MAX_MESSAGE_BYTES: Final = 32 * 2**20
_PIECE_BYTES: Final = 64 * 1024


class Channel(IntEnum):
    """The first byte of a message."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4
    CLOSE = 255


@dataclass(frozen=True, slots=True)
class Exit:
    """How a command ended: its code, or why it could not be run."""

    code: int
    error: str = ""


class StreamConnection:
    """One running command's streams."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket

    async def send_stdin(self, data: bytes) -> None:
        """Write input for the command; waits while it does not read.

        Raises:
            Unavailable: the connection broke.
        """
        for begin in range(0, len(data), _PIECE_BYTES):
            await self._send(Channel.STDIN, data[begin : begin + _PIECE_BYTES])

    async def close_stdin(self) -> None:
        """End the command's input; its output goes on.

        Raises:
            Unavailable: the connection broke.
        """
        await self._send(Channel.CLOSE, bytes((Channel.STDIN,)))

    async def resize(self, width: int, height: int) -> None:
        """Set the size of its terminal.

        Raises:
            Unavailable: the connection broke.
        """
        await self._send(Channel.RESIZE, msgspec.json.encode({"Width": width, "Height": height}))

    async def receive(self) -> tuple[Channel, bytes] | None:
        """Return the next message, None when the other end has closed.

        Raises:
            Unavailable: the connection broke.
        """
        from aiohttp import WSMsgType

        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.ERROR:
                raise Unavailable(f"the connection to the runtime's streaming server broke: {message.data}")
            if message.type not in {WSMsgType.BINARY, WSMsgType.TEXT}:  # it closes, or is closed
                return None
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            if data and data[0] in {Channel.STDOUT, Channel.STDERR, Channel.ERROR}:
                return Channel(data[0]), data[1:]

    async def aclose(self) -> None:
        """Close, without waiting for the other end: nor for what it has not read, behind which it would see no end."""
        if (own := self._socket.get_extra_info("socket")) is not None:
            _shut_down(own.fileno())
        await self._socket.close()
        await self._session.close()

    async def _send(self, channel: Channel, data: bytes) -> None:
        try:
            await self._socket.send_bytes(bytes((channel,)) + data)
        except OSError as error:  # aiohttp's own of a closed connection is one
            raise Unavailable(f"the connection to the runtime's streaming server broke: {error}") from error


async def connect(url: str) -> StreamConnection:
    """Open the streams behind the URL of an exec or attach.

    Raises:
        Unavailable: nobody answers there, or refuses.
    """
    session, target = _session(url)
    try:
        return StreamConnection(session, await _open(session, target))
    except BaseException:
        await session.close()
        raise


async def _open(session: aiohttp.ClientSession, target: str) -> aiohttp.ClientWebSocketResponse:
    import aiohttp

    try:
        async with WALL.timeout_wall(CONNECT_TIMEOUT_S):
            socket = await session.ws_connect(
                target,
                protocols=(PROTOCOL,),
                max_msg_size=MAX_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.0),
            )
    except aiohttp.WSServerHandshakeError as error:
        text = f"the runtime's streaming server refuses: {error.status} {error.message}"
        raise Unavailable(text) from error
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unavailable(f"the runtime's streaming server does not answer: {error or 'in time'}") from error
    if socket.protocol != PROTOCOL:
        await socket.close()
        raise Unavailable(f"the runtime's streaming server does not speak {PROTOCOL}")
    return socket


def _shut_down(descriptor: int) -> None:
    with suppress(OSError), socket(fileno=os.dup(descriptor)) as end:  # it is closed already
        end.shutdown(SHUT_RDWR)


def read_outcome(status_json: bytes) -> Exit:
    """Read the Status that ends a command."""
    try:
        status = msgspec.json.decode(status_json, type=Status)
    except msgspec.DecodeError as error:
        return Exit(1, f"the runtime's streaming server sent no Status: {error}")
    if status.status == "Success":
        return Exit(0)
    if status.reason == "NonZeroExitCode" and status.details:
        for cause in status.details.causes:
            if cause.reason == "ExitCode" and cause.message.lstrip("-").isdecimal():
                return Exit(int(cause.message))
    return Exit(1, status.message or status.reason or "the command could not be run")


def _session(url: str) -> tuple[aiohttp.ClientSession, str]:
    """Return a session for one connection, and what to ask it for.

    Who answers is not checked by a certificate: the URL came over the CRI's own socket.
    """
    import aiohttp

    parts = urlsplit(url)
    if parts.scheme == "http+unix":
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connector: aiohttp.BaseConnector = aiohttp.UnixConnector(unquote(parts.netloc))
        return aiohttp.ClientSession(connector=connector), f"http://localhost{path or '/'}"
    if parts.scheme in {"http", "https"}:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)), url
    raise Unavailable(f"the runtime answered with a URL that is not understood: {url}")

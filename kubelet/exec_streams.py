"""The other end of exec and attach: a WebSocket to the runtime's streaming server, on plain streams.

RFC 6455 with the subprotocol v5.channel.k8s.io: binary messages whose first byte is a channel (0 stdin, 1 stdout,
2 stderr, 3 the outcome as a Status, 4 the terminal's size, 255 "this channel ends"). The address is what the CRI's
Exec answered: http://host:port/path, or http+unix://<the socket's path, percent-encoded>/path.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from machinery.model.errors import Unavailable
from machinery.model.k8s.meta_v1 import Status

PROTOCOL: Final = "v5.channel.k8s.io"
CONNECT_TIMEOUT_S: Final = 10.0  # wall seconds
MAX_MESSAGE_BYTES: Final = 32 * 2**20
_PIECE_BYTES: Final = 64 * 1024
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


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

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._sending = asyncio.Lock()

    async def send_stdin(self, data: bytes) -> None:
        """Give the command input."""
        for begin in range(0, len(data), _PIECE_BYTES):
            await self._send(_BINARY, bytes((Channel.STDIN,)) + data[begin : begin + _PIECE_BYTES])

    async def close_stdin(self) -> None:
        """Tell the command that no more input comes; its output goes on."""
        await self._send(_BINARY, bytes((Channel.CLOSE, Channel.STDIN)))

    async def resize(self, width: int, height: int) -> None:
        """Give its terminal another size."""
        size = msgspec.json.encode({"Width": width, "Height": height})
        await self._send(_BINARY, bytes((Channel.RESIZE,)) + size)

    async def receive(self) -> tuple[Channel, bytes] | None:
        """Give the next message, None when the other end has closed.

        Raises:
            Unavailable: the connection broke.
        """
        while True:
            message = await self._message()
            if message is None:
                return None
            if message and message[0] in {Channel.STDOUT, Channel.STDERR, Channel.ERROR}:
                return Channel(message[0]), message[1:]

    async def aclose(self) -> None:
        """Close, without waiting for the other end."""
        with contextlib.suppress(Unavailable):
            await self._send(_CLOSE, (1000).to_bytes(2, "big"))
        self._writer.transport.abort()

    async def _message(self) -> bytes | None:
        pieces = bytearray()
        while True:
            final, kind, payload = await self._frame()
            if kind == _CLOSE:
                return None
            if kind == _PING:
                await self._send(_PONG, payload)
            elif kind in {_CONTINUATION, _TEXT, _BINARY}:
                pieces += payload
                if len(pieces) > MAX_MESSAGE_BYTES:
                    raise Unavailable("the runtime's streaming server sends messages that are too large")
                if final:
                    return bytes(pieces)

    async def _frame(self) -> tuple[bool, int, bytes]:
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
            if length > MAX_MESSAGE_BYTES:
                raise Unavailable("the runtime's streaming server sends frames that are too large")
            mask = await self._reader.readexactly(4) if second & 0x80 else b""
            payload = await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return True, _CLOSE, b""
        except OSError as error:
            raise Unavailable(f"the connection to the runtime's streaming server broke: {error}") from error
        return bool(first & 0x80), first & 0x0F, _masked(payload, mask) if mask else payload

    async def _send(self, kind: int, payload: bytes) -> None:
        mask = os.urandom(4)
        frame = bytes((0x80 | kind,)) + _length(len(payload)) + mask + _masked(payload, mask)
        try:
            async with self._sending:
                self._writer.write(frame)
                await self._writer.drain()
        except OSError as error:
            raise Unavailable(f"the connection to the runtime's streaming server broke: {error}") from error


async def connect(url: str) -> StreamConnection:
    """Open the streams behind the URL of an exec or attach.

    Raises:
        Unavailable: nobody answers there, or refuses.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await _connect(url)
    except (OSError, TimeoutError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise Unavailable(f"the runtime's streaming server does not answer: {error or 'in time'}") from error


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


async def _connect(url: str) -> StreamConnection:
    parts = urlsplit(url)
    if parts.scheme == "http+unix":
        reader, writer = await asyncio.open_unix_connection(unquote(parts.netloc))
        host = "localhost"
    elif parts.scheme in {"http", "https"}:
        reader, writer = await asyncio.open_connection(
            parts.hostname,
            parts.port or (443 if parts.scheme == "https" else 80),
            ssl=_context() if parts.scheme == "https" else None,
        )
        host = parts.netloc
    else:
        raise Unavailable(f"the runtime answered with a URL that is not understood: {url}")
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        await _shake_hands(reader, writer, host, target or "/")
    except BaseException:
        writer.transport.abort()
        raise
    return StreamConnection(reader, writer)


async def _shake_hands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, target: str
) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        f"Sec-WebSocket-Protocol: {PROTOCOL}",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head)
    }
    if " 101" not in head[0]:
        body = await reader.read(_PIECE_BYTES)
        raise Unavailable(
            f"the runtime's streaming server refuses: {head[0]} {body.decode(errors='replace')}"
        )
    digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
    if fields.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        raise ValueError("it does not speak WebSocket")
    if fields.get("sec-websocket-protocol") != PROTOCOL:
        raise ValueError(f"it does not speak {PROTOCOL}")


def _length(length: int) -> bytes:
    if length < 126:
        return bytes((0x80 | length,))
    if length < 1 << 16:
        return bytes((0x80 | 126,)) + length.to_bytes(2, "big")
    return bytes((0x80 | 127,)) + length.to_bytes(8, "big")


def _masked(payload: bytes, mask: bytes) -> bytes:
    """Combine with the repeated mask, as one large number: far faster than byte by byte."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")


def _context() -> Any:
    """Encrypt without checking who answers: the URL came over the CRI's own socket."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

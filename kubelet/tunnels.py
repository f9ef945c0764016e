"""Connections that the kubelet makes for the apiserver, and whose bytes it carries both ways (`Node.Tunnel`).

An address is one of a pod, or of the node itself. A session of the runtime (exec, attach, port-forward) is one that its streaming server upgrades: to SPDY/3.1 or a WebSocket, as
the caller of the apiserver has asked for. What is spoken on it then is between that caller and the runtime.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from kubelet.http_probe import describe_os_error, trusting_context
from machinery.model.errors import BY_CODE, Unavailable
from machinery.process.clock import WALL
from machinery.wire.node import messages as pb

CONNECT_TIMEOUT_S: Final = 10.0  # wall seconds, the runtime's answer included
DIAL_TIMEOUT_S: Final = 30.0  # wall seconds, TLS's handshake included
_READ_BYTES: Final = 64 * 1024
_LARGEST_HEAD: Final = 64 * 1024  # bytes
_LARGEST_REFUSAL: Final = 4 * 1024  # bytes of a text that says why not


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that stands, and the headers of the answer that has upgraded it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    headers: tuple[tuple[str, str], ...] = ()


async def upgraded(url: str, method: str, query: str, headers: Iterable[tuple[str, str]]) -> Connection:
    """Open the session behind a URL of the runtime.

    Raises:
        Unavailable: nobody answers there.
        ApiError: the runtime refuses the upgrade; what its status says.
    """
    try:
        async with WALL.timeout_wall(CONNECT_TIMEOUT_S):
            reader, writer = await _connected(url)
            try:
                writer.write(_head(url, method, query, headers))
                return await _answered(reader, writer)
            except BaseException:
                writer.transport.abort()
                raise
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:  # TimeoutError is an OSError
        text = f"the runtime's streaming server does not answer: {error or 'in time'}"
        raise Unavailable(text) from error


class DialError(Exception):
    """An address cannot be connected to; the text says why, as Go's programs say it."""


async def dialled(host: str, port: int, *, tls: bool) -> Connection:
    """Connect to an address, as the node reaches it; nobody checks the certificate of who answers.

    Raises:
        DialError: it cannot be connected to.
    """
    netloc = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with WALL.timeout_wall(DIAL_TIMEOUT_S):
            context = trusting_context() if tls else None
            return Connection(*await asyncio.open_connection(host, port, ssl=context, limit=_LARGEST_HEAD))
    except TimeoutError as error:
        raise DialError(f"dial tcp {netloc}: i/o timeout") from error
    except ValueError as error:  # what IDNA does not take
        raise DialError(f"dial tcp: lookup {host}: no such host") from error
    except OSError as error:
        raise DialError(f"dial tcp {netloc}: {describe_os_error(error)}") from error


async def carry(connection: Connection, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Carry bytes both ways until the other end of the connection sends no more; the messages are `TunnelOutput`.

    The input is carried by a task of its own, which lives exactly as long as this generator: a TaskGroup cannot
    span its yields.
    """
    headers = [pb.Header(name=name, value=value) for name, value in connection.headers]
    pump = asyncio.ensure_future(_send(connection.writer, requests))
    try:
        yield pb.TunnelOutput(opened=pb.TunnelOpened(headers=headers))
        with suppress(OSError):  # a connection that broke has ended
            while data := await connection.reader.read(_READ_BYTES):
                yield pb.TunnelOutput(data=data)
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
        connection.writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, requests: AsyncIterator[Any]) -> None:
    async for message in requests:
        match message.WhichOneof("input"):
            case "data":
                writer.write(message.data)
                await writer.drain()
            case "end":
                break
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()


async def _connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    if parts.scheme == "http+unix":
        return await asyncio.open_unix_connection(unquote(parts.netloc), limit=_LARGEST_HEAD)
    if parts.scheme == "http" and parts.hostname:
        return await asyncio.open_connection(parts.hostname, parts.port or 80, limit=_LARGEST_HEAD)
    raise Unavailable(f"the runtime answered with a URL that is not understood: {url}")


def _head(url: str, method: str, query: str, headers: Iterable[tuple[str, str]]) -> bytes:
    parts = urlsplit(url)
    host = "localhost" if parts.scheme == "http+unix" else parts.netloc
    queries = "&".join(filter(None, (parts.query, query)))
    target = f"{parts.path or '/'}?{queries}" if queries else parts.path or "/"
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header has a line break")
    return "\r\n".join((*lines, "", "")).encode("latin-1", errors="replace")


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.rstrip("\r\n").split("\r\n")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    code = int(status.split()[1]) if len(status.split()) > 1 else 0
    if code == 101:
        return Connection(reader, writer, headers)
    text = (await reader.read(_LARGEST_REFUSAL)).decode(errors="replace").strip()
    raise BY_CODE.get(code, Unavailable)(text or f"the runtime's streaming server refuses: {status}")

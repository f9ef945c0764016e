"""A small HTTP/1.1 client for probes and lifecycle hooks: one GET on a connection of its own.

It checks no certificates (a probe asks whether somebody answers, not who), follows redirects to the same host only,
and reads at most 10 KiB of the body. Proxies are not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from kubelet.core.probing import PROBE_OUTPUT_LIMIT

USER_AGENT: Final = "kube-probe/1.36"
_MAX_REDIRECTS: Final = 10
_HEAD_LIMIT: Final = 64 * 1024
_Headers = Sequence[tuple[str, str]]


class HttpProblem(Exception):  # noqa: N818 - it is what a probe's event says
    """Nobody answered as HTTP servers do; the text says how."""


async def http_get(
    host: str, port: int, path: str, headers: _Headers, scheme: str, timeout_s: float
) -> tuple[int, bytes]:
    """Ask, and give the status and the beginning of the body.

    `timeout_s` is in wall seconds and covers everything. A redirect elsewhere is given back as it is.

    Raises:
        HttpProblem: no connection, no answer in time, or no HTTP.
    """
    url = f"{scheme.lower() or 'http'}://{_netloc(host, port)}{path if path.startswith('/') else '/' + path}"
    try:
        async with asyncio.timeout(timeout_s):
            return await _follow(url, headers)
    except TimeoutError as error:
        raise HttpProblem(
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        ) from error


async def _follow(url: str, headers: _Headers) -> tuple[int, bytes]:
    host = urlsplit(url).hostname
    for _ in range(_MAX_REDIRECTS):
        status, location, body = await _request(url, headers)
        target = urljoin(url, location) if location else ""
        if not (300 <= status < 400 and target) or urlsplit(target).hostname != host:
            return status, body
        url = target
    raise HttpProblem(f'Get "{url}": stopped after {_MAX_REDIRECTS} redirects')


async def _request(url: str, headers: _Headers) -> tuple[int, str, bytes]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    try:
        reader, writer = await asyncio.open_connection(
            parts.hostname, port, ssl=_trusting_context() if secure else None, limit=_HEAD_LIMIT
        )
    except OSError as error:
        where = _netloc(parts.hostname or "", port)
        raise HttpProblem(f'Get "{url}": dial tcp {where}: {describe_os_error(error)}') from error
    try:
        writer.write(_head(url, headers))
        return await _read_answer(reader)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise HttpProblem(f'Get "{url}": {_describe(error)}') from error
    finally:
        writer.transport.abort()


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, _, rest = head[0].partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise ValueError(f'malformed HTTP response "{head[0][:80]}"')
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    status = int(rest[:3])
    if 100 <= status < 200:
        return await _read_answer(reader)
    return status, fields.get("location", ""), await _read_body(reader, fields)


async def _read_body(reader: asyncio.StreamReader, fields: dict[str, str]) -> bytes:
    """Read what there is, up to the limit; the body only makes an event's text, so a cut one is no error."""
    length = fields.get("content-length", "")
    wanted = min(int(length), PROBE_OUTPUT_LIMIT) if length.isdecimal() else PROBE_OUTPUT_LIMIT
    body = bytearray()
    while len(body) < wanted and (piece := await reader.read(wanted - len(body))):
        body += piece
        if fields.get("transfer-encoding", "").lower() == "chunked" and body.endswith(b"0\r\n\r\n"):
            break
    return (
        _unchunked(bytes(body)) if "chunked" in fields.get("transfer-encoding", "").lower() else bytes(body)
    )


def _unchunked(body: bytes) -> bytes:
    content = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        try:
            length = int(size.split(b";")[0], 16)
        except ValueError:
            break
        if not length:
            break
        content += body[:length]
        body = body[length + 2 :]
    return bytes(content)


def _head(url: str, headers: _Headers) -> bytes:
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    own = {name.lower() for name, _ in headers}
    defaults = [("Host", parts.netloc), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
    lines = [f"{name}: {value}" for name, value in defaults if name.lower() not in own]
    lines += [f"{name}: {value}" for name, value in headers if value]
    if any(sign in text for text in (target, *lines) for sign in "\r\n"):
        raise HttpProblem(f'Get "{url}": a header or the path has a line break')
    return "\r\n".join([f"GET {target} HTTP/1.1", *lines, "Connection: close", "", ""]).encode()


def describe_os_error(error: OSError) -> str:
    """Write a failed connection as users of probes know it."""
    text = {
        111: "connection refused",
        113: "no route to host",
        110: "connection timed out",
        101: "network is unreachable",
    }
    number = error.errno or 0
    if number in text:
        return f"connect: {text[number]}"
    return str(error)


def _describe(error: Exception) -> str:
    if isinstance(error, EOFError):  # the connection ended in the middle
        return "EOF"
    if isinstance(error, ConnectionResetError):
        return "read: connection reset by peer"
    return str(error)


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _trusting_context() -> Any:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

"""/livez, /readyz and /metrics over HTTP on a unix socket that only the process's own user may open.

Alive is a process that answers. Ready it is once the component has said so and while every check passes.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from machinery.process.metrics import Metrics

_PATIENCE_S: Final = 5.0  # wall seconds for a request to arrive
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_WORDS: Final = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


class Health:
    """What a process says about itself."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._checks: dict[str, Callable[[], str]] = {}
        self.is_ready = False

    def add_check(self, name: str, check: Callable[[], str]) -> None:
        """Add a condition of readiness: `check()` gives "" when all is well, else what is wrong."""
        self._checks[name] = check

    def problems(self) -> list[str]:
        """Say what keeps the process from being ready."""
        found = [] if self.is_ready else ["starting"]
        return found + [f"{name}: {text}" for name, check in self._checks.items() if (text := check())]

    def answer(self, path: str) -> tuple[int, str]:
        """Give the HTTP status and body for a path."""
        match path:
            case "/livez":
                return 200, "ok"
            case "/readyz":
                problems = self.problems()
                return (503, "\n".join(problems)) if problems else (200, "ok")
            case "/metrics":
                return 200, self._metrics.render()
            case _:
                return 404, "there are /livez, /readyz and /metrics"


@asynccontextmanager
async def served(health: Health, socket_path: str) -> AsyncIterator[None]:
    """Answer on a unix socket while inside; with an empty path, do nothing."""
    if not socket_path:
        yield
        return

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _respond(health, reader, writer)

    server = await asyncio.start_unix_server(respond, sock=private_socket(socket_path))
    try:
        yield
    finally:
        server.close()
        _unlink(socket_path)


def private_socket(path: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Bind a unix socket of mode 0600, in place of one that a dead process left."""
    _unlink(path)
    bound = socket.socket(socket.AF_UNIX, kind)
    with PrivateFiles():
        bound.bind(path)
    bound.settimeout(0)
    return bound


class PrivateFiles:
    """While inside, files that the process creates are for its user only (the umask is the whole process's)."""

    def __enter__(self) -> None:
        self._before = os.umask(0o177)

    def __exit__(self, *_error: object) -> None:
        os.umask(self._before)


def _unlink(path: str) -> None:
    Path(path).unlink(missing_ok=True)


async def _respond(health: Health, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
        parts = head.split(b" ", 2)
        path = parts[1].decode("ascii", "replace").partition("?")[0] if len(parts) > 1 else ""
        writer.write(_response(*health.answer(path)))
        await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return
    finally:
        writer.close()


def _response(status: int, text: str) -> bytes:
    body = text.encode()
    lines = (
        f"HTTP/1.1 {status} {_WORDS[status]}",
        f"Content-Type: {_TEXT}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body

"""The process's control socket: HTTP on a unix socket that only the process's own user may open.

    GET /livez, /readyz, /metrics    what `machinery.process.health` says
    GET /statusz, /flagz             what the process is, and what it was told
    GET /faults                      the fault plan, and what each of its rules has met and done
    PUT /faults                      a plan in place of the one before; rules that both have go on with their counts
    GET /clock, PUT /clock           {"ahead_s": 30}: the wall seconds that the process's clock shows too many
    GET /messages                    the latest messages of the process, where it records them

One socket rather than several: each process has it already, at a path that its supervisor
knows, and who may open it may end the process anyway.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from machinery.model.fault_plan import PlanError, parse_plan, to_dict
from machinery.process.clock import WALL, SystemClock
from machinery.process.faults import PlannedFaults
from machinery.process.health import Health
from machinery.process.recorder import Recorded, Recorder
from machinery.process.z_pages import FLAGS, STATUS, ZPages

_PATIENCE_S: Final = 5.0  # wall seconds for a request to arrive
_LARGEST_BODY: Final = 1024 * 1024
_FURTHEST_S: Final = 10 * 365 * 86400.0
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_JSON: Final = "application/json"
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    503: "Service Unavailable",
}


class _Step(msgspec.Struct, forbid_unknown_fields=True):
    """How far a clock is ahead, in wall seconds."""

    ahead_s: float


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = _TEXT


class Pages(Protocol):
    """Answers HTTP requests."""

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Return the response to a request; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Control:
    """What a process can be asked and told over its socket."""

    health: Health
    faults: PlannedFaults
    clock: SystemClock
    recorder: Recorder | None = None
    more: Mapping[str, Pages] = field(default_factory=dict)  # a component's own, by path

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Return the response to a request; never raises."""
        if (pages := self.more.get(path)) is not None:
            return pages.answer(method, path, body)
        match method, path:
            case "PUT", "/faults" | "/clock":
                return (self._use if path == "/faults" else self._step)(body)
            case "GET", "/faults" | "/clock":
                return self._plan() if path == "/faults" else self._time()
            case "GET", "/messages" if self.recorder is not None:
                return _json([_recorded(each) for each in self.recorder.latest()])
            case "GET", _:
                status, text = self.health.answer(path)
                return Answer(status, text.encode())
        return Answer(405, b"GET, and PUT of /faults and /clock")

    def _plan(self) -> Answer:
        rules = [
            {**to_dict(rule), "seen": tally.seen, "applied": tally.applied}
            for rule, tally in self.faults.tallies()
        ]
        return _json({"seed": self.faults.plan.seed, "rules": rules})

    def _time(self) -> Answer:
        return _json({"ahead_s": self.clock.ahead_s})

    def _step(self, body: bytes) -> Answer:
        try:
            ahead_s = msgspec.json.decode(body, type=_Step).ahead_s
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Answer(400, str(error).encode())
        if not abs(ahead_s) <= _FURTHEST_S:
            return Answer(400, f"ahead_s: has to be from -{_FURTHEST_S:g} to {_FURTHEST_S:g}".encode())
        self.clock.ahead_s = ahead_s
        return self._time()

    def _use(self, body: bytes) -> Answer:
        try:
            plan = parse_plan(body)
        except PlanError as error:
            return Answer(400, str(error).encode())
        self.faults.use(plan)
        return self._plan()


@dataclass(frozen=True, slots=True)
class ZDoor:
    """A z-page, for people."""

    pages: ZPages

    def answer(self, method: str, path: str, _body: bytes) -> Answer:
        """Return the page."""
        text = self.pages.text(path) if method == "GET" else None
        return Answer(405, b"GET") if text is None else Answer(200, text.encode())


def z_doors(pages: ZPages) -> dict[str, Pages]:
    """Return who answers the z-pages of a process, by path."""
    return {f"/{name}": ZDoor(pages) for name in (STATUS, FLAGS)}


@asynccontextmanager
async def served(control: Control, socket_path: str) -> AsyncIterator[None]:
    """Answer on a unix socket while inside; with an empty path, do nothing."""
    if not socket_path:
        yield
        return

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _respond(control, reader, writer)

    server = await asyncio.start_unix_server(respond, sock=private_socket(socket_path))
    try:
        yield
    finally:
        server.close()
        _unlink(socket_path)


@asynccontextmanager
async def served_on_tcp(pages: Pages, listen: str) -> AsyncIterator[None]:
    """Answer at host:port while inside, in the clear, so only where nobody but a node's probes and scrapers come; with "", do nothing.

    Raises:
        OSError: the address is taken, or is not ours.
    """
    if not listen:
        yield
        return

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _respond(pages, reader, writer)

    host, _, port = listen.rpartition(":")
    server = await asyncio.start_server(respond, host.strip("[]"), int(port))
    try:
        yield
    finally:
        server.close()


def private_socket(path: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Bind a unix socket of mode 0600, in place of one that a dead process left.

    Raises:
        OSError: there is no place for it.
    """
    _unlink(path)
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        with PrivateFiles():
            bound.bind(path)
    except OSError:
        bound.close()
        raise
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


async def _respond(control: Pages, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with WALL.timeout_wall(_PATIENCE_S):
            writer.write(_response(await _answered(control, reader)))
            await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return
    finally:
        writer.close()


async def _answered(control: Pages, reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    request, _, fields = head.decode("latin-1").partition("\r\n")
    method, _, target = request.partition(" ")
    length = _content_length(fields)
    if length > _LARGEST_BODY:
        return Answer(413, f"a plan has at most {_LARGEST_BODY} bytes".encode())
    body = await reader.readexactly(length)
    return control.answer(method, target.partition(" ")[0].partition("?")[0], body)


def _content_length(fields: str) -> int:
    for line in fields.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-length" and value.strip().isdecimal():
            return int(value)
    return 0


def _response(answer: Answer) -> bytes:
    lines = (
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + answer.body


def _json(value: Any) -> Answer:
    return Answer(200, msgspec.json.encode(value), _JSON)


def _recorded(recorded: Recorded) -> dict[str, Any]:
    """Return a message as JSON, without its body."""
    message, outcome = recorded.message, recorded.outcome
    return {
        "at_s": recorded.at_s,
        **message.ends._asdict(),
        "method": message.method,
        "about": message.about,
        "causes": message.causes,
        "error": outcome.error.to_status() if outcome.error else None,
        "revision": outcome.revision,
        "size": outcome.size,
        "took_s": outcome.took_s,
    }

"""The way to the Docker engine: its API from 1.41 on, over its unix socket. Nobody else talks to it.

Requests go through aiodocker with a connector of our own: its default of 100 connections hangs behind log streams.
exec and attach take the connection over (`Hijacked`), which aiodocker cannot do with a half-close.

Errors are those of machinery.model.errors: the engine's status decides, its text is the message. Nobody answering is
Unavailable; so the process stays up while the engine is away.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

import aiohttp
from aiodocker import Docker
from aiodocker.exceptions import DockerError

from machinery.model.clock import Clock
from machinery.model.errors import (
    ApiError,
    BadRequest,
    Conflict,
    DeadlineExceeded,
    InternalError,
    NotFound,
    Unauthorized,
    Unavailable,
)
from machinery.wire.conversation import Measured, Reading

READ_S: Final = 20.0  # wall seconds
WRITE_S: Final = 120.0  # creating and starting wait for each other in the engine
_READ_BYTES: Final = 64 * 1024
_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    900: Unavailable,  # aiodocker's own number for "cannot connect"
}


class EngineCall(NamedTuple):
    """A request: /family/name/action, of which name and action may be empty."""

    method: str
    family: str
    name: str = ""
    action: str = ""
    params: Mapping[str, str] = {}
    body: bytes | None = None
    file: BinaryIO | None = None  # sent as it is read, in place of a body
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}
    is_versioned: bool = True

    @property
    def path(self) -> str:
        """The path below the API's version."""
        return "/".join(filter(None, (self.family, self.name, self.action)))

    @property
    def operation(self) -> str:
        """What it does, without what it is about: "POST containers/start"."""
        return f"{self.method} {'/'.join(filter(None, (self.family, self.action)))}"

    @property
    def about(self) -> str:
        """The key of what it is about: "containers/0123"; "" where it names none."""
        return f"{self.family}/{self.name}" if self.name else ""


READING: Final = Reading(
    lambda call: call.about, lambda call: call.body or b"", lambda answer: Measured(size=len(answer))
)
"""How calls and answers are read for a seam."""


@dataclass(slots=True)
class Hijacked:
    """A connection that carries the streams of a process. Output without a terminal is in frames."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> bytes:
        """Return some output; b"" at its end.

        Raises:
            Unavailable: the connection broke.
        """
        try:
            return await self.reader.read(_READ_BYTES)
        except OSError as error:
            raise Unavailable(f"the connection to the Docker engine broke: {error}") from error

    async def write(self, data: bytes) -> None:
        """Write input; a process that reads no more makes the caller wait, one that is gone drops it."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            return

    def end_input(self) -> None:
        """Close the input; output goes on."""
        if self.writer.can_write_eof() and not self.writer.transport.is_closing():
            self.writer.write_eof()

    def close(self) -> None:
        """Close at once."""
        self.writer.transport.abort()


class Connection(Protocol):
    """What `dockershim.docker.Engine` needs. Times are wall seconds; None: as long as it takes.

    Raises:
        Unavailable: nobody answers, or the connection breaks.
        DeadlineExceeded: there is no answer in time.
        ApiError: what the engine answered, by its status; InternalError where that says no more.
    """

    async def call(self, call: EngineCall, timeout_s: float | None) -> bytes:
        """Return the whole body of the answer.

        Raises:
            ApiError: the engine refuses, or does not answer.
        """
        ...

    def stream(
        self, call: EngineCall, timeout_s: float | None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an answer, and yield its body in pieces while inside.

        Raises:
            ApiError: the engine refuses, or does not answer.
        """
        ...

    async def hijack(self, call: EngineCall) -> Hijacked:
        """Send a request and keep its connection, which from then on carries the streams of a process."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class EngineConnection:
    """Implements `Connection` on the engine's socket."""

    def __init__(self, socket: str, clock: Clock) -> None:
        self._socket = socket
        self._clock = clock
        self._connector = aiohttp.UnixConnector(socket, limit=0)
        self._client = Docker(
            url="unix://localhost", connector=self._connector
        )  # the connector knows the socket

    async def call(self, call: EngineCall, timeout_s: float | None) -> bytes:
        """Return the whole body of the answer.

        Raises:
            ApiError: the engine refuses, or does not answer.
        """
        async with self._answer(call, timeout_s) as answer:
            body: bytes = await _translated(answer.read())
            return body

    @asynccontextmanager
    async def stream(self, call: EngineCall, timeout_s: float | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer, and yield its body in pieces while inside.

        Raises:
            ApiError: the engine refuses, or does not answer.
        """
        async with self._answer(call, timeout_s) as answer:
            yield _pieces(answer)

    async def hijack(self, call: EngineCall) -> Hijacked:
        """Send a request and keep its connection, which the caller has to close.

        Raises:
            Unavailable: nobody answers, or the connection breaks.
            DeadlineExceeded: there is no answer in time.
            ApiError: the engine refuses; its status decides which (a Conflict: the container does not run).
        """
        await _translated(self._client._check_version())  # noqa: SLF001
        content = call.body or b""
        query = "&".join(f"{key}={value}" for key, value in call.params.items())
        path = f"/{call.path}?{query}" if query else f"/{call.path}"
        head = (
            f"POST /{self._client.api_version}{path} HTTP/1.1",
            "Host: docker",
            "Content-Type: application/json",
            "Connection: Upgrade",
            "Upgrade: tcp",
            f"Content-Length: {len(content)}",
        )
        try:
            async with self._clock.timeout_wall(READ_S):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                writer.write("\r\n".join((*head, "", "")).encode() + content)
                answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except TimeoutError as error:
            raise DeadlineExceeded(f"the Docker engine did not answer POST {path} in time") from error
        except (OSError, EOFError) as error:
            raise Unavailable(f"the Docker engine does not answer at {self._socket}: {error}") from error
        status = int(answer.split(" ", 2)[1])
        if status in {101, 200}:
            return Hijacked(reader, writer)
        text = await self._read_error(reader)
        writer.close()
        raise _BY_STATUS.get(status, InternalError)(text)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.session.close()
        await self._client.close()
        await self._connector.close()

    @asynccontextmanager
    async def _answer(
        self, call: EngineCall, timeout_s: float | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._clock.timeout_wall(timeout_s):
                answer = await _translated(
                    self._client._do_query(  # noqa: SLF001 - aiodocker's door to paths that it has no method for
                        call.path,
                        call.method,
                        params=dict(call.params),
                        data=call.body if call.file is None else call.file,
                        headers={"Content-Type": call.content_type, **call.headers},
                        timeout=aiohttp.ClientTimeout(),
                        versioned_api=call.is_versioned,
                    )
                )
                try:
                    yield answer
                finally:
                    answer.close() if timeout_s is None else answer.release()
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"the Docker engine did not answer {call.method} {call.path} in time"
            ) from error

    async def _read_error(self, reader: asyncio.StreamReader) -> str:
        try:
            async with self._clock.timeout_wall(READ_S):
                text = (await reader.read(_READ_BYTES)).decode(errors="replace")
        except (TimeoutError, OSError):
            return "the Docker engine refused"
        try:
            return str(json.loads(text[text.index("{") : text.rindex("}") + 1])["message"])
        except (ValueError, KeyError):
            return text.strip() or "the Docker engine refused"


async def _translated(work: Any) -> Any:
    """Await a call of aiodocker or aiohttp and turn its errors into ours."""
    try:
        return await work
    except DockerError as error:
        raise _BY_STATUS.get(error.status, InternalError)(error.message) from error
    except aiohttp.ClientError as error:
        raise Unavailable(f"the connection to the Docker engine broke: {error}") from error


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.content.iter_any():
            yield piece
    except aiohttp.ClientError as error:
        raise Unavailable(f"the stream from the Docker engine broke: {error}") from error

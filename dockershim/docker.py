"""The only module that talks to the Docker engine (its API from 1.41 on, over its unix socket).

Requests go through aiodocker with a connector of our own: its default of 100 connections hangs behind log streams.
exec and attach take the connection over (`Hijacked`), which aiodocker cannot do with a half-close.

Errors are those of machinery.model.errors: the engine's status decides, its text is the message. Nobody answering is
Unavailable; so the process stays up while the engine is away.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from aiodocker import Docker
from aiodocker.exceptions import DockerError

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
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
Json = dict[str, Any]


class Engine:
    """One engine."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._connector = aiohttp.UnixConnector(socket, limit=0)
        self._client = Docker(
            url="unix://localhost", connector=self._connector
        )  # the connector knows the socket

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.session.close()
        await self._client.close()
        await self._connector.close()

    # --- the engine itself

    async def ping(self) -> None:
        """Return if the engine answers."""
        async with self._answer("_ping", timeout_s=READ_S, versioned=False):
            return

    async def version(self) -> Json:
        """Tell its version."""
        return await self._object("version")

    async def info(self) -> Json:
        """Tell how it is set up."""
        return await self._object("info")

    async def disk_usage(self) -> Json:
        """Tell what its images and containers take."""
        return await self._object("system/df", timeout_s=WRITE_S)

    # --- containers

    async def create(self, name: str, body: Json) -> str:
        """Create a container and give its id.

        Raises:
            Conflict: the name is taken.
            NotFound: there is no such image (or no container whose namespaces are to be joined).
        """
        made = await self._json("containers/create", "POST", {"name": name}, body, WRITE_S)
        return str(made["Id"])

    async def start(self, container_id: str) -> None:
        """Start a container; fine if it runs."""
        await self._do(f"containers/{container_id}/start", timeout_s=WRITE_S)

    async def inspect(self, container: str) -> Json:
        """Describe a container by its name, its id or the beginning of its id."""
        if not _ID.fullmatch(container):
            raise NotFound(f"no such container: {container!r}")
        return await self._object(f"containers/{container}/json")

    async def containers(self, labels: list[str], **filters: list[str]) -> list[Json]:
        """List containers in any state that have all these labels ("key=value")."""
        chosen = json.dumps({"label": labels, **filters})
        found: list[Json] = await self._json("containers/json", params={"all": "1", "filters": chosen})
        return found

    async def kill(self, container_id: str, signal: str) -> None:
        """Send a signal; Conflict if the container does not run."""
        await self._do(f"containers/{container_id}/kill", {"signal": signal})

    async def wait(self, container_id: str) -> None:
        """Wait, however long, until a container does not run; the caller bounds it."""
        await self._do(f"containers/{container_id}/wait", {"condition": "not-running"}, timeout_s=None)

    async def remove(self, container_id: str) -> None:
        """Remove a container and its anonymous volumes, running or not."""
        path, params = f"containers/{container_id}", {"force": "1", "v": "1"}
        async with self._answer(path, "DELETE", params=params, timeout_s=WRITE_S):
            return

    async def update(self, container_id: str, limits: Json) -> None:
        """Change what a container is held to."""
        await self._json(f"containers/{container_id}/update", "POST", None, limits)

    # --- streams

    @asynccontextmanager
    async def events(self, labels: list[str], since: str) -> AsyncIterator[AsyncIterator[Json]]:
        """Open the stream of what happens to containers with these labels; those since then come first."""
        chosen = {
            "type": ["container"],
            "label": labels,
            "event": ["create", "start", "die", "destroy", "oom"],
        }
        params = {"filters": json.dumps(chosen), "since": since}
        async with self._answer("events", params=params, timeout_s=None) as answer:
            yield _json_lines(answer)

    @asynccontextmanager
    async def logs(
        self, container_id: str, since: str, *, follow: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open what a container writes, with timestamps, as pieces of the engine's stream."""
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": "1" if follow else "0"}
        if since:
            params["since"] = since
        path = f"containers/{container_id}/logs"
        async with self._answer(path, params=params, timeout_s=None if follow else WRITE_S) as answer:
            yield _pieces(answer)

    async def attach(self, container_id: str, *, stdin: bool) -> Hijacked:
        """Take part in the streams of a container's first process."""
        wanted = f"stream=1&stdout=1&stderr=1&stdin={int(stdin)}"
        return await self._hijack(f"/containers/{container_id}/attach?{wanted}", {})

    async def resize(self, path: str, width: int, height: int) -> None:
        """Give a terminal another size; `path` is containers/<id> or exec/<id>."""
        await self._do(f"{path}/resize", {"w": str(width), "h": str(height)})

    # --- exec

    async def exec_create(self, container_id: str, body: Json) -> str:
        """Prepare a command in a container; Conflict if it does not run."""
        made = await self._json(f"containers/{container_id}/exec", "POST", None, body)
        return str(made["Id"])

    async def exec_start(self, exec_id: str, *, tty: bool) -> Hijacked:
        """Run a prepared command and take its streams."""
        return await self._hijack(f"/exec/{exec_id}/start", {"Detach": False, "Tty": tty})

    async def exec_inspect(self, exec_id: str) -> Json:
        """Tell how a command goes on or ended."""
        return await self._object(f"exec/{exec_id}/json")

    # --- images

    async def images(self) -> list[Json]:
        """List images."""
        found: list[Json] = await self._json("images/json")
        return found

    async def image(self, name: str) -> Json:
        """Describe an image; BadRequest if the name cannot be one."""
        return await self._object(f"images/{_image_path(name)}/json")

    async def remove_image(self, name: str) -> None:
        """Take a name (or an image without one) away."""
        async with self._answer(f"images/{_image_path(name)}", "DELETE", timeout_s=WRITE_S):
            return

    async def import_image(self, repository: str, tag: str, archive: bytes, changes: list[str]) -> None:
        """Make an image from a tar of its files."""
        params: Any = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": changes[0]}
        async with self._answer(
            "images/create",
            "POST",
            params=params,
            data=archive,
            timeout_s=WRITE_S,
            content="application/x-tar",
        ) as answer:
            await _raise_reported(answer)

    async def pull(self, repository: str, tag: str, auth: str) -> None:
        """Pull an image; takes as long as it takes, and the caller may cancel it.

        Raises:
            NotFound: the registry does not have it, or wants credentials before it says so.
            Unauthorized: the credentials do not work.
            Unavailable: the registry does not answer.
        """
        params = {"fromImage": repository, "tag": tag}
        headers = {"X-Registry-Auth": auth} if auth else {}
        try:
            async with self._answer(
                "images/create", "POST", params=params, headers=headers, timeout_s=None
            ) as answer:
                await _raise_reported(answer)
        except InternalError as error:
            raise Unavailable(error.message) from error

    # --- within

    async def _do(
        self, path: str, params: Mapping[str, str] | None = None, timeout_s: float | None = READ_S
    ) -> None:
        async with self._answer(path, "POST", params=params, timeout_s=timeout_s) as answer:
            await _translated(answer.read())

    async def _object(self, path: str, timeout_s: float = READ_S) -> Json:
        found: Json = await self._json(path, timeout_s=timeout_s)
        return found

    async def _json(
        self,
        path: str,
        method: str = "GET",
        params: Mapping[str, str] | None = None,
        body: Json | None = None,
        timeout_s: float = READ_S,
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        async with self._answer(path, method, params=params, data=data, timeout_s=timeout_s) as answer:
            return await _translated(answer.json())

    @asynccontextmanager
    async def _answer(
        self,
        path: str,
        method: str = "GET",
        *,
        timeout_s: float | None,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        content: str = "application/json",
        versioned: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with asyncio.timeout(timeout_s):
                answer = await _translated(
                    self._client._do_query(  # noqa: SLF001 - aiodocker's door to paths that it has no method for
                        path,
                        method,
                        params=dict(params or {}),
                        data=data,
                        headers={"Content-Type": content, **(headers or {})},
                        timeout=aiohttp.ClientTimeout(),
                        versioned_api=versioned,
                    )
                )
                try:
                    yield answer
                finally:
                    answer.close() if timeout_s is None else answer.release()
        except TimeoutError as error:
            raise DeadlineExceeded(f"the Docker engine did not answer {method} {path} in time") from error

    async def _hijack(self, path: str, body: Json) -> Hijacked:
        await _translated(self._client._check_version())  # noqa: SLF001
        content = json.dumps(body).encode()
        head = (
            f"POST /{self._client.api_version}{path} HTTP/1.1",
            "Host: docker",
            "Content-Type: application/json",
            "Connection: Upgrade",
            "Upgrade: tcp",
            f"Content-Length: {len(content)}",
        )
        try:
            async with asyncio.timeout(READ_S):
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
        text = await _read_error(reader)
        writer.close()
        raise _BY_STATUS.get(status, InternalError)(text)


@dataclass(slots=True)
class Hijacked:
    """A connection that carries the streams of a process. Output without a terminal is in frames."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> bytes:
        """Give some output; b"" at its end.

        Raises:
            Unavailable: the connection broke.
        """
        try:
            return await self.reader.read(_READ_BYTES)
        except OSError as error:
            raise Unavailable(f"the connection to the Docker engine broke: {error}") from error

    async def write(self, data: bytes) -> None:
        """Give input; a process that reads no more makes the caller wait, one that is gone drops it."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            return

    def end_input(self) -> None:
        """Say that no more input comes; output goes on."""
        if self.writer.can_write_eof() and not self.writer.transport.is_closing():
            self.writer.write_eof()

    def close(self) -> None:
        """Close at once."""
        self.writer.transport.abort()


def _image_path(name: str) -> str:
    """Write an image's name as a part of a path that leads nowhere else."""
    if any(part in {"", ".", ".."} for part in name.split("/")):
        raise BadRequest("invalid reference format")
    return quote(name, safe="/:@")


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


async def _json_lines(answer: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    rest = b""
    async for piece in _pieces(answer):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)


async def _raise_reported(answer: aiohttp.ClientResponse) -> None:
    """Read progress reports to their end; one of them may be an error, after status 200."""
    async for report in _json_lines(answer):
        if text := report.get("error"):
            raise InternalError(str(text))


async def _read_error(reader: asyncio.StreamReader) -> str:
    try:
        async with asyncio.timeout(READ_S):
            text = (await reader.read(_READ_BYTES)).decode(errors="replace")
    except (TimeoutError, OSError):
        return "the Docker engine refused"
    try:
        return str(json.loads(text[text.index("{") : text.rindex("}") + 1])["message"])
    except (ValueError, KeyError):
        return text.strip() or "the Docker engine refused"

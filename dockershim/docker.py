"""The Docker engine's methods, as dockershim calls them, over a `dockershim.engine_connection.Connection`."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Final
from urllib.parse import quote

from dockershim.core.times import format_since, parse_ns
from dockershim.engine_connection import READ_S, WRITE_S, Connection, EngineCall, Hijacked
from machinery.model.errors import BadRequest, InternalError, NotFound, Unavailable

_LOADED: Final = re.compile(r"Loaded image(?: ID)?: (\S+)")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
Json = dict[str, Any]


class Engine:
    """The methods of one engine. Each raises what `Connection` says; its own `Raises` names what a caller has to handle."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def aclose(self) -> None:
        """Close every connection."""
        await self._connection.aclose()

    # --- the engine itself

    async def ping(self) -> None:
        """Return if the engine answers.

        Raises:
            Unavailable: it does not.
        """
        await self._connection.call(EngineCall("GET", "_ping", is_versioned=False), READ_S)

    async def version(self) -> Json:
        """Return its version."""
        return await self._json(EngineCall("GET", "version"))

    async def info(self) -> Json:
        """Return how it is set up."""
        return await self._json(EngineCall("GET", "info"))

    async def disk_usage(self) -> Json:
        """Return what its images and containers take."""
        return await self._json(EngineCall("GET", "system", action="df"), WRITE_S)

    # --- containers

    async def create(self, name: str, body: Json) -> str:
        """Create a container and return its id.

        Raises:
            Conflict: the name is taken.
            NotFound: there is no such image (or no container whose namespaces are to be joined).
        """
        made = await self._json(
            EngineCall("POST", "containers", action="create", params={"name": name}, body=_encoded(body)),
            WRITE_S,
        )
        return str(made["Id"])

    async def start(self, container_id: str) -> None:
        """Start a container; one that runs is left alone.

        Raises:
            NotFound: it is gone.
            BadRequest: its configuration does not work.
            InternalError: the engine could not start it, and why.
        """
        await self._connection.call(EngineCall("POST", "containers", container_id, "start"), WRITE_S)

    async def inspect(self, container: str) -> Json:
        """Describe a container by its name, its id or the beginning of its id.

        Raises:
            NotFound: there is none, or it cannot be a name.
        """
        if not _ID.fullmatch(container):
            raise NotFound(f"no such container: {container!r}")
        return await self._json(EngineCall("GET", "containers", container, "json"))

    async def layer_bytes(self, container_id: str) -> int:
        """Measure what a container has written into its own file system. Takes as long as a walk through it.

        Raises:
            NotFound: there is no such container.
        """
        params = {"size": "1"}
        found = await self._json(EngineCall("GET", "containers", container_id, "json", params=params))
        return int(found.get("SizeRw") or 0)

    async def containers(self, labels: list[str], **filters: list[str]) -> list[Json]:
        """List containers in any state that have all these labels ("key=value")."""
        chosen = json.dumps({"label": labels, **filters})
        params = {"all": "1", "filters": chosen}
        return await self._list(EngineCall("GET", "containers", action="json", params=params))

    async def kill(self, container_id: str, signal: str) -> None:
        """Send a signal.

        Raises:
            Conflict: the container does not run.
            NotFound: it is gone.
        """
        await self._connection.call(
            EngineCall("POST", "containers", container_id, "kill", {"signal": signal}), READ_S
        )

    async def was_signalled(self, container_id: str, since_ns: int) -> bool:
        """Whether somebody has sent a container a signal since then, as far back as the engine remembers its events."""
        chosen = {"type": ["container"], "container": [container_id], "event": ["kill"]}
        now = str((await self.info())["SystemTime"])
        until = format_since(parse_ns(now) + 1)
        params = {"filters": json.dumps(chosen), "since": format_since(since_ns), "until": until}
        return bool(await self._connection.call(EngineCall("GET", "events", params=params), READ_S))

    async def wait(self, container_id: str) -> None:
        """Wait, however long, until a container does not run; the caller bounds it.

        Raises:
            NotFound: it is gone.
        """
        await self._connection.call(
            EngineCall("POST", "containers", container_id, "wait", {"condition": "not-running"}), None
        )

    async def remove(self, container_id: str) -> None:
        """Remove a container and its anonymous volumes, running or not.

        Raises:
            Conflict: somebody else is removing it.
            NotFound: it is gone.
        """
        params = {"force": "1", "v": "1"}
        await self._connection.call(EngineCall("DELETE", "containers", container_id, params=params), WRITE_S)

    async def update(self, container_id: str, limits: Json) -> None:
        """Change what a container is held to.

        Raises:
            NotFound: it is gone.
            InternalError: the kernel or the engine refuses the limits.
        """
        body = _encoded(limits)
        await self._connection.call(
            EngineCall("POST", "containers", container_id, "update", body=body), READ_S
        )

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
        async with self._connection.stream(EngineCall("GET", "events", params=params), None) as pieces:
            yield _json_lines(pieces)

    @asynccontextmanager
    async def logs(
        self, container_id: str, since: str, *, follow: bool
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open what a container writes, with timestamps, as pieces of the engine's stream."""
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": "1" if follow else "0"}
        if since:
            params["since"] = since
        call = EngineCall("GET", "containers", container_id, "logs", params)
        async with self._connection.stream(call, None if follow else WRITE_S) as pieces:
            yield pieces

    @asynccontextmanager
    async def archive(self, container_id: str, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the files below a path of a container as a tar; links that lead to it are followed within the container.

        Raises:
            BadRequest: it is no folder, and the path ends as that of one.
            NotFound: there is nothing, or the container is gone.
        """
        call = EngineCall("GET", "containers", container_id, "archive", {"path": path})
        async with self._connection.stream(call, None) as pieces:
            yield pieces

    async def attach(self, container_id: str, *, stdin: bool) -> Hijacked:
        """Connect to the streams of a container's first process.

        Raises:
            Conflict: it does not run.
            NotFound: it is gone.
        """
        params = {"stream": "1", "stdout": "1", "stderr": "1", "stdin": str(int(stdin))}
        call = EngineCall("POST", "containers", container_id, "attach", params, b"{}")
        return await self._connection.hijack(call)

    async def resize(self, path: str, width: int, height: int) -> None:
        """Set the size of a terminal; `path` is containers/<id> or exec/<id>."""
        family, _, name = path.partition("/")
        size = {"w": str(width), "h": str(height)}
        await self._connection.call(EngineCall("POST", family, name, "resize", size), READ_S)

    # --- exec

    async def exec_create(self, container_id: str, body: Json) -> str:
        """Prepare a command in a container and return its id.

        Raises:
            Conflict: the container does not run.
            NotFound: it is gone.
        """
        made = await self._json(EngineCall("POST", "containers", container_id, "exec", body=_encoded(body)))
        return str(made["Id"])

    async def exec_start(self, exec_id: str, *, tty: bool) -> Hijacked:
        """Run a prepared command and return its streams.

        Raises:
            Conflict: the container does not run any more.
        """
        body = _encoded({"Detach": False, "Tty": tty})
        return await self._connection.hijack(EngineCall("POST", "exec", exec_id, "start", body=body))

    async def exec_inspect(self, exec_id: str) -> Json:
        """Return whether a command runs, its pid and its exit code.

        Raises:
            NotFound: its container is gone.
        """
        return await self._json(EngineCall("GET", "exec", exec_id, "json"))

    # --- images

    async def images(self) -> list[Json]:
        """List images."""
        return await self._list(EngineCall("GET", "images", action="json"))

    async def image(self, name: str) -> Json:
        """Describe an image.

        Raises:
            BadRequest: the name cannot be one.
            NotFound: it is not here.
        """
        return await self._json(EngineCall("GET", "images", _image_path(name), "json"))

    async def remove_image(self, name: str) -> None:
        """Remove a name of an image, or an image that has none; with its last name an image goes.

        Raises:
            BadRequest: the name cannot be one.
            Conflict: a container uses it, or somebody else is removing it.
            NotFound: it is not here.
        """
        await self._connection.call(EngineCall("DELETE", "images", _image_path(name)), WRITE_S)

    async def import_image(self, repository: str, tag: str, archive: bytes, changes: list[str]) -> None:
        """Create an image from a tar of its files.

        Raises:
            InternalError: the engine cannot read the tar, or keep the image.
        """
        call = EngineCall(
            "POST",
            "images",
            action="create",
            params={"fromSrc": "-", "repo": repository, "tag": tag, "changes": changes[0]},
            body=archive,
            content_type="application/x-tar",
        )
        _raise_reported(await self._connection.call(call, WRITE_S))

    async def pull(self, repository: str, tag: str, auth: str) -> None:
        """Pull an image; takes as long as it takes, and the caller may cancel it.

        Raises:
            NotFound: the registry does not have it, or wants credentials before it says so.
            Unauthorized: the credentials do not work.
            Unavailable: the registry does not answer.
        """
        headers = {"X-Registry-Auth": auth} if auth else {}
        params = {"fromImage": repository, "tag": tag}
        call = EngineCall("POST", "images", action="create", params=params, headers=headers)
        try:
            _raise_reported(await self._connection.call(call, None))
        except InternalError as error:
            raise Unavailable(error.message) from error

    async def load(self, archive: BinaryIO) -> list[str]:
        """Load the images of an archive that `docker save` has written; return their names, or the ids of those without.

        Raises:
            InternalError: the engine cannot read the archive, or keep an image.
        """
        call = EngineCall(
            "POST",
            "images",
            action="load",
            params={"quiet": "1"},
            file=archive,
            content_type="application/x-tar",
        )
        reports = await self._connection.call(call, None)
        _raise_reported(reports)
        said = (json.loads(line).get("stream", "") for line in reports.splitlines() if line.strip())
        return [match[1] for text in said if (match := _LOADED.match(text))]

    async def tag(self, image: str, repository: str, tag: str) -> None:
        """Add a name to an image.

        Raises:
            BadRequest: the name cannot be one.
            NotFound: there is no such image.
        """
        params = {"repo": repository, "tag": tag}
        await self._connection.call(
            EngineCall("POST", "images", _image_path(image), "tag", params=params), READ_S
        )

    async def push(self, repository: str, tag: str) -> str:
        """Push an image to the registry that its name begins with; return the digest by which the registry has it.

        Raises:
            BadRequest: the name cannot be one.
            Unavailable: the registry does not answer, or does not take it.
        """
        call = EngineCall(
            "POST",
            "images",
            _image_path(repository),
            "push",
            params={"tag": tag},
            headers={"X-Registry-Auth": base64.urlsafe_b64encode(b"{}").decode()},
        )
        reports = await self._connection.call(call, None)
        try:
            _raise_reported(reports)
        except InternalError as error:
            raise Unavailable(error.message) from error
        told = (json.loads(line).get("aux") or {} for line in reports.splitlines() if line.strip())
        digests = [str(each["Digest"]) for each in told if "Digest" in each]
        if not digests:
            raise Unavailable(f"the registry did not confirm {repository}:{tag}")
        return digests[-1]

    # --- within

    async def _json(self, call: EngineCall, timeout_s: float = READ_S) -> Json:
        found: Json = json.loads(await self._connection.call(call, timeout_s))
        return found

    async def _list(self, call: EngineCall) -> list[Json]:
        found: list[Json] = json.loads(await self._connection.call(call, READ_S))
        return found


def _encoded(body: Json) -> bytes:
    return json.dumps(body).encode()


def _image_path(name: str) -> str:
    """Write an image's name as a part of a path that leads nowhere else."""
    if any(part in {"", ".", ".."} for part in name.split("/")):
        raise BadRequest("invalid reference format")
    return quote(name, safe="/:@")


async def _json_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[Json]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)


def _raise_reported(reports: bytes) -> None:
    """Raise what progress reports end with, if it is an error: it comes after status 200."""
    for line in reports.splitlines():
        if text := line.strip() and json.loads(line).get("error"):
            raise InternalError(str(text))

"""exec and attach: a WebSocket server whose URLs work once.

Subprotocols v5.channel.k8s.io and v4.channel.k8s.io: binary messages whose first byte is the channel. Who has the
URL may use it, so it is given only over CRI's own socket, holds 128 random bits, and is good for a minute. Our own
kubelet dials a unix socket of mode 0600 beside CRI's. Any other client (crictl, another kubelet) knows http:// only, so the
first one that asks makes us listen on a port of the node's loopback, as containerd does from the start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import select
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

from aiohttp import WSMsgType, web

from dockershim.core.log_lines import Frames
from dockershim.docker import Engine
from dockershim.engine_connection import Hijacked
from dockershim.exec_process import Command, Commands, exec_body
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Unavailable
from machinery.model.log import EventLog
from machinery.process.control import private_socket

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
TOKEN_S: Final = 60.0  # wall seconds that a URL waits to be used
_WAITING: Final = 1_000  # URLs that may wait at once
_LOOK_S: Final = 1.0  # wall seconds between two looks whether a client is still there
_MESSAGE_BYTES: Final = 32 * 1024 * 1024
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255

Session = Callable[[web.WebSocketResponse], Awaitable[None]]


class Streaming:
    """Sessions that wait for their client, and those that run."""

    def __init__(self, engine: Engine, commands: Commands, clock: Clock, log: EventLog, listen: str) -> None:
        self._engine = engine
        self._commands = commands
        self._clock = clock
        self._log = log
        self._listen = listen  # host:port of loopback
        self._runner: web.AppRunner | None = None
        self._unix_address, self._http_address = "", ""
        self._waiting: dict[str, Session] = {}

    async def address(self, *, is_ours: bool) -> str:
        """Return the beginning of a URL, for a client of ours or any other, without the path.

        Raises:
            Unavailable: there is no port to listen on.
        """
        if is_ours:
            return self._unix_address
        if not self._http_address:
            assert self._runner is not None  # noqa: S101 - who asks is served
            try:
                bound = _bind(self._listen)
                host, port = bound.getsockname()[:2]
                self._http_address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
                await web.SockSite(self._runner, bound).start()
            except OSError as error:
                self._http_address = ""
                raise Unavailable(f"exec and attach cannot be served on {self._listen}: {error}") from error
            self._log.info("serving_streams", address=self._http_address)
        return self._http_address

    def exec_path(self, container_id: str, request: Any) -> str:
        """Prepare an exec, as CRI's ExecRequest has it, and return its path.

        Raises:
            BadRequest: there is no command.
            Unavailable: too many URLs wait for their client.
        """
        body = exec_body(
            request.cmd, stdin=request.stdin, stdout=request.stdout, stderr=request.stderr, tty=request.tty
        )

        async def run(client: web.WebSocketResponse) -> None:
            async with self._commands.started(container_id, body) as command:
                running = self._run(client, command, tty=request.tty)
                if not await self._while_there(client, command.streams, f"exec/{command.id}", running):
                    await self._commands.leave(command, tty=request.tty)

        return self._path("exec", run)

    def attach_path(self, container_id: str, request: Any) -> str:
        """Prepare an attach, as CRI's AttachRequest has it, and return its path.

        Raises:
            Unavailable: too many URLs wait for their client.
        """

        async def run(client: web.WebSocketResponse) -> None:
            streams = await self._engine.attach(container_id, stdin=request.stdin)
            try:
                showing = _show(client, streams, tty=request.tty)
                await self._while_there(client, streams, f"containers/{container_id}", showing)
            finally:
                streams.close()

        return self._path("attach", run)

    def _path(self, verb: str, session: Session) -> str:
        if len(self._waiting) >= _WAITING:
            raise Unavailable("too many exec and attach requests wait for their client")
        token = secrets.token_urlsafe(16)
        self._waiting[token] = session
        self._clock.call_later_wall(TOKEN_S, self._waiting.pop, token, None)
        return f"/{verb}/{token}"

    @asynccontextmanager
    async def served(self, socket_path: str) -> AsyncIterator[None]:
        """Serve while inside.

        Raises:
            OSError: the socket cannot be had.
        """
        application = web.Application()
        application.router.add_route("*", "/{verb}/{token}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, private_socket(socket_path, sockets.SOCK_STREAM)).start()
            self._runner, self._unix_address = runner, f"http+unix://{quote(socket_path, safe='')}"
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=_MESSAGE_BYTES, compress=False)
        if not client.can_prepare(request):
            text = f"this server speaks WebSocket ({', '.join(PROTOCOLS)}) only; SPDY is not built\n"
            return web.Response(status=501, text=text)
        session = self._waiting.pop(request.match_info["token"], None)
        if session is None:
            return web.Response(
                status=404, text="this URL was used already, or has expired: ask for another one\n"
            )
        await client.prepare(request)
        try:
            await session(client)
        except ApiError as error:
            with contextlib.suppress(ConnectionError):
                await client.send_bytes(bytes((_ERROR,)) + json.dumps(error.to_status()).encode())
        except ConnectionError as error:
            self._log.debug("stream_client_left", error=error)
        finally:
            await client.close()
        return client

    async def _run(self, client: web.WebSocketResponse, command: Command, *, tty: bool) -> None:
        """Carry a command's output, and then say how it ended."""
        said = await _deliver(client, command.streams, tty=tty)
        await _finish(client, await self._commands.exit_code(command, said))

    async def _while_there(
        self,
        client: web.WebSocketResponse,
        streams: Hijacked,
        resize_path: str,
        work: Coroutine[Any, Any, None],
    ) -> bool:
        """Do some work for a client and carry its input meanwhile; return whether it stayed to the end."""
        working = asyncio.ensure_future(work)
        leaving = [
            asyncio.ensure_future(self._feed(client, streams, resize_path)),
            asyncio.ensure_future(self._hung_up(client)),  # input that nobody reads hides the end behind it
        ]
        try:
            await asyncio.wait({working, *leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return False
            await working
        except ConnectionError:  # it left while something was sent to it
            return False
        finally:
            for task in (working, *leaving):
                task.cancel()
            await asyncio.wait({working, *leaving})
        return True

    async def _hung_up(self, client: web.WebSocketResponse) -> None:
        """Return when the client has closed its end of the connection, whatever of it is unread."""
        look = select.poll()
        look.register(client.get_extra_info("socket"), select.POLLRDHUP)
        while not look.poll(0):
            await self._clock.sleep_wall(_LOOK_S)

    async def _feed(self, client: web.WebSocketResponse, streams: Hijacked, resize_path: str) -> None:
        """Carry what the client sends until it leaves."""
        async for message in client:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == _STDIN:
                await streams.write(data)
            elif channel == _CLOSE and data[:1] == bytes((_STDIN,)):
                streams.end_input()
            elif channel == _RESIZE:
                await self._resize(resize_path, data)

    async def _resize(self, path: str, data: bytes) -> None:
        try:
            size = json.loads(data)
            await self._engine.resize(path, int(size["Width"]), int(size["Height"]))
        except (ValueError, KeyError, TypeError, ApiError) as error:
            self._log.debug("resize_failed", path=path, error=error)


async def _deliver(client: web.WebSocketResponse, streams: Hijacked, *, tty: bool) -> bytes:
    frames, beginning = Frames(), b""
    while data := await streams.read():
        for stream, payload in [(_STDOUT, data)] if tty else frames.feed(data):
            await client.send_bytes(bytes((stream if stream == _STDERR else _STDOUT,)) + payload)
            if len(beginning) < 1024:
                beginning += payload[:1024]
    return beginning


async def _show(client: web.WebSocketResponse, streams: Hijacked, *, tty: bool) -> None:
    """Carry the output of a container's own process to its end."""
    await _deliver(client, streams, tty=tty)
    await _finish(client, 0)


async def _finish(client: web.WebSocketResponse, code: int) -> None:
    status: dict[str, Any] = {"metadata": {}, "status": "Success"}
    if code:
        status = {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    await client.send_bytes(bytes((_ERROR,)) + json.dumps(status).encode())


def _bind(listen: str) -> sockets.socket:
    host, _, port = listen.rpartition(":")
    family = sockets.AF_INET6 if host.startswith("[") else sockets.AF_INET
    bound = sockets.socket(family, sockets.SOCK_STREAM)
    bound.bind((host.strip("[]"), int(port)))
    bound.listen()
    bound.settimeout(0)
    return bound

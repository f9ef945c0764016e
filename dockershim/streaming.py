"""exec, attach and port-forward: an HTTP server whose URLs work once, and become WebSockets or SPDY connections.

Who has the URL may use it, so it is given only over CRI's own socket, holds 128 random bits, and is good for a minute. Our own
kubelet dials a unix socket of mode 0600 beside CRI's. Any other client (crictl, another kubelet) knows http:// only, so the
first one that asks makes us listen on a port of the node's loopback, as containerd does from the start.

A request that cannot be upgraded does not use its URL up.
"""

from __future__ import annotations

import secrets
import socket as sockets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from aiohttp import web

from dockershim.command_sessions import Client, CommandSessions, say_error
from dockershim.core.stream_protocols import (
    PORT_CHANNELS,
    PORT_FORWARD,
    SPDY,
    TUNNEL,
    Wanted,
    negotiate,
    read_offers,
    read_ports,
    stream_types,
)
from dockershim.exec_process import exec_body
from dockershim.loopback_listener import LoopbackListener
from dockershim.port_forward import Dial, PortForwarding
from dockershim.spdy_client import serve_command
from dockershim.upgrade import upgraded
from dockershim.websocket_client import WebSocketClient, websocket
from dockershim.websocket_ports import WebSocketPorts
from dockershim.websocket_tunnel import WebSocketTunnel, tunnel_socket
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Unavailable
from machinery.model.log import EventLog
from machinery.process.byte_stream import ByteStream
from machinery.process.control import private_socket
from machinery.spdy.connection import Wire

TOKEN_S: Final = 60.0  # wall seconds that a URL waits to be used
_WAITING: Final = 1_000  # URLs that may wait at once
_PROTOCOLS: Final = "Sec-WebSocket-Protocol"
_NO_KEY: Final = "a WebSocket needs a version and a key"
_OFFERS: Final = "X-Stream-Protocol-Version"
_ACCEPTED: Final = "X-Accepted-Stream-Protocol-Versions"

Session = Callable[[Client], Awaitable[None]]


class _Command(NamedTuple):
    """An exec or attach that waits for its client."""

    session: Session
    wanted: Wanted


class _Forward(NamedTuple):
    """A port-forward that waits for its client."""

    sandbox_id: str
    dial: Dial


class Streaming:
    """Sessions that wait for their client, and those that run."""

    def __init__(self, sessions: CommandSessions, clock: Clock, log: EventLog, listen: str) -> None:
        self._sessions = sessions
        self._clock = clock
        self._log = log
        self._listen = listen  # host:port of loopback
        self._listener: LoopbackListener | None = None
        self._unix_address, self._http_address = "", ""
        self._waiting: dict[str, _Command | _Forward] = {}  # by path

    async def address(self, *, is_ours: bool) -> str:
        """Return the beginning of a URL, for a client of ours or any other, without the path.

        Raises:
            Unavailable: there is no port to listen on.
        """
        if is_ours:
            return self._unix_address
        if not self._http_address:
            assert self._listener is not None  # noqa: S101 - who asks is served
            try:
                self._http_address = await self._listener.start(self._listen)
            except OSError as error:
                raise Unavailable(f"streams cannot be served on {self._listen}: {error}") from error
            self._log.info("serving_streams", address=self._http_address)
        return self._http_address

    def exec_path(self, container_id: str, request: Any) -> str:
        """Prepare an exec, as CRI's ExecRequest has it, and return its path.

        Raises:
            BadRequest: there is no command.
            Unavailable: too many URLs wait for their client.
        """
        wanted = _wanted(request)
        body = exec_body(request.cmd, **wanted._asdict())
        session = partial(self._sessions.exec, container_id=container_id, body=body)
        return self._path("exec", _Command(session, wanted))

    def attach_path(self, container_id: str, request: Any) -> str:
        """Prepare an attach, as CRI's AttachRequest has it, and return its path.

        Raises:
            Unavailable: too many URLs wait for their client.
        """
        wanted = _wanted(request)
        session = partial(
            self._sessions.attach, container_id=container_id, stdin=wanted.stdin, tty=wanted.tty
        )
        return self._path("attach", _Command(session, wanted))

    def port_forward_path(self, sandbox_id: str, dial: Dial) -> str:
        """Prepare a port-forward, and return its path; `dial` connects to a port of the sandbox.

        Raises:
            Unavailable: too many URLs wait for their client.
        """
        return self._path("portforward", _Forward(sandbox_id, dial))

    def _path(self, verb: str, waiting: _Command | _Forward) -> str:
        if len(self._waiting) >= _WAITING:
            raise Unavailable("too many exec, attach and port-forward requests wait for their client")
        path = f"/{verb}/{secrets.token_urlsafe(16)}"
        self._waiting[path] = waiting
        self._clock.call_later_wall(TOKEN_S, self._waiting.pop, path, None)
        return path

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
        assert runner.server is not None  # noqa: S101 - it is set up
        self._listener = LoopbackListener(runner.server, self._clock)
        try:
            await web.SockSite(runner, private_socket(socket_path, sockets.SOCK_STREAM)).start()
            self._unix_address = f"http+unix://{quote(socket_path, safe='')}"
            yield
        finally:
            self._listener.close()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._listener is not None:
            self._listener.note_request(request.protocol)
        waiting = self._waiting.get(request.path)
        if waiting is None:
            return _refusal(404, "this URL was used already, or has expired: ask for another one")
        try:
            if _asks_for(request, "websocket"):
                return await self._over_websocket(request, waiting)
            if _asks_for(request, "spdy/3.1"):
                return await self._over_spdy(request, waiting)
        except ConnectionError as error:
            self._log.debug("stream_client_left", error=error)
            return web.Response()
        return _refusal(400, "this URL is for a connection that is upgraded to SPDY/3.1 or WebSocket")

    async def _over_websocket(self, request: web.Request, waiting: _Command | _Forward) -> web.StreamResponse:
        if isinstance(waiting, _Forward):
            return await self._forward_over_websocket(request, waiting)
        connection = websocket()
        if not connection.can_prepare(request):
            return _refusal(400, _NO_KEY)
        del self._waiting[request.path]
        await connection.prepare(request)
        try:
            await self._run(waiting.session, WebSocketClient(connection))
        finally:
            await connection.close()
        return connection

    async def _forward_over_websocket(self, request: web.Request, waiting: _Forward) -> web.StreamResponse:
        connection = tunnel_socket((TUNNEL, *PORT_CHANNELS))
        if not (ready := connection.can_prepare(request)):
            return _refusal(400, _NO_KEY)
        offers = read_offers(request.headers.getall(_PROTOCOLS, []))
        if offers and not ready.protocol:
            return _refusal(
                400, f"port-forward over WebSocket is one of {', '.join((TUNNEL, *PORT_CHANNELS))}"
            )
        ports: list[int] = []
        if ready.protocol != TUNNEL:
            try:
                ports = read_ports(request.query.getall("port", []))
            except ValueError as error:
                return _refusal(400, str(error))
        del self._waiting[request.path]
        await connection.prepare(request)
        try:
            if ready.protocol == TUNNEL:
                await self._tunnel(connection, waiting)
            else:
                await WebSocketPorts(connection, waiting.sandbox_id, waiting.dial).serve(ports)
        finally:
            await connection.close()
        return connection

    async def _tunnel(self, connection: web.WebSocketResponse, waiting: _Forward) -> None:
        tunnel = WebSocketTunnel(connection)
        async with tunnel.sending():
            self._note(await self._forward(tunnel, waiting), "portforward")

    async def _over_spdy(self, request: web.Request, waiting: _Command | _Forward) -> web.StreamResponse:
        offers = request.headers.getall(_OFFERS, [])
        spoken = PORT_FORWARD if isinstance(waiting, _Forward) else SPDY
        if not read_offers(offers):
            return _refusal(400, f"unable to upgrade: {_OFFERS} is required")
        if not (protocol := negotiate(offers, spoken)):
            text = f"unable to negotiate protocol: client supports {', '.join(read_offers(offers))}, server accepts {', '.join(spoken)}"
            return _refusal(403, text, {_ACCEPTED: ", ".join(spoken)})
        del self._waiting[request.path]
        answer = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", _OFFERS: protocol}
        async with upgraded(request, answer) as wire:
            self._note(await self._serve_spdy(wire, protocol, waiting), request.path.split("/")[1])
        return web.Response()

    async def _serve_spdy(self, wire: ByteStream, protocol: str, waiting: _Command | _Forward) -> str:
        if isinstance(waiting, _Forward):
            return await self._forward(wire, waiting)
        types = stream_types(waiting.wanted, protocol)
        return await serve_command(wire, protocol, types, partial(self._run, waiting.session), self._clock)

    async def _forward(self, wire: Wire, waiting: _Forward) -> str:
        return await PortForwarding(waiting.sandbox_id, waiting.dial, self._clock).serve(wire)

    def _note(self, problem: str, verb: str) -> None:
        if problem:
            self._log.info("stream_client_refused", verb=verb, error=problem)

    async def _run(self, session: Session, client: Client) -> None:
        try:
            await session(client)
        except ApiError as error:
            await say_error(client, error)
        except ConnectionError as error:
            self._log.debug("stream_client_left", error=error)


def _wanted(request: Any) -> Wanted:
    return Wanted(stdin=request.stdin, stdout=request.stdout, stderr=request.stderr, tty=request.tty)


def _asks_for(request: web.Request, protocol: str) -> bool:
    """Whether a request wants its connection upgraded to a protocol, as loosely as upstream looks."""
    connection, upgrade = (request.headers.get(name, "").lower() for name in ("Connection", "Upgrade"))
    return "upgrade" in connection and protocol in upgrade


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=headers)

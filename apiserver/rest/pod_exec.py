"""exec and attach: a WebSocket to the caller, a gRPC stream to the kubelet, and what goes between them.

    0 stdin → the command   1 stdout ←   2 stderr ←   3 how it ended ←   4 size of the terminal →

`pod_channels` has the protocols that a caller may speak. A caller that speaks SPDY/3.1, as older ones do, is connected with
the runtime of the container's node, which speaks it too (`node_tunnels`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec

from apiserver.core import pod_access
from apiserver.core.connect_options import AttachOptions, ExecOptions, exec_options
from apiserver.core.values import Json, spec
from apiserver.request import UserInfo
from apiserver.rest import connecting, node_tunnels, query, websockets
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.node_tunnels import connection_headers
from apiserver.rest.paths import Target
from apiserver.rest.pod_channels import PROTOCOLS, Channel, ChannelProtocol
from apiserver.rest.pod_log import container_ref
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams
from apiserver.rest.websockets import received, send_message, until_either_ends
from machinery.model.errors import BadRequest, MethodNotSupported
from machinery.model.k8s import served

if TYPE_CHECKING:
    from aiohttp import web

PLACES: Final = tuple((*served.PODS.gvr, name) for name in ("exec", "attach"))


class PodExec:
    """Serves the subresources `exec` and `attach`."""

    def __init__(self, services: RestServices, streams: Streams) -> None:
        self._services = services
        self._streams = streams

    async def answer(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse:
        """Connect the caller with a container, until the command ends or the caller goes.

        Raises:
            ApiError: it cannot be connected; afterwards what goes wrong is told in the stream.
        """
        http = exchange.http
        if http.method not in {"GET", "POST"}:
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        services = self._services
        await connecting.authorize(services, user, target, *pod_access.connect_verbs(http.method))
        asked = _options(http, target.subresource)
        options = await connecting.admit(services, user, target, http, asked)
        pod = await connecting.pod_of(services, user, target)
        pod_access.check_running(pod)
        start = _start(options, pod)
        if websockets.upgrade_of(http) == websockets.SPDY:
            return await self._over_spdy(exchange, target.subresource, spec(pod)["nodeName"], start)
        protocol = PROTOCOLS[websockets.negotiated(http, PROTOCOLS)]
        async with self._services.kubelets.node(spec(pod)["nodeName"]) as stub:
            method = stub.Exec if target.subresource == "exec" else stub.Attach
            call = method(timeout=node_tunnels.LONGEST_S)
            try:
                await call.opened()  # after the upgrade there is no status to answer with
                return await self._connected(exchange, protocol, call, start)
            finally:
                call.cancel()

    async def _over_spdy(
        self, exchange: Exchange, subresource: str, node: str, start: Any
    ) -> web.StreamResponse:
        from machinery.wire.node import messages

        streams = messages.RuntimeStreams(start=start, headers=connection_headers(exchange.http))
        is_exec = subresource == "exec"
        wanted = messages.TunnelStart(exec=streams) if is_exec else messages.TunnelStart(attach=streams)
        async with node_tunnels.opened(self._services.kubelets, node, wanted) as tunnel:
            response: web.StreamResponse = await node_tunnels.carry(exchange, self._streams, tunnel)
            return response

    async def _connected(
        self, exchange: Exchange, protocol: ChannelProtocol, call: Any, start: Any
    ) -> web.StreamResponse:
        from machinery.rpc.status import RpcError
        from machinery.wire.node import messages
        from machinery.wire.rpc_errors import from_rpc

        socket = websockets.prepared(protocol.name)

        async def end() -> None:
            call.cancel()

        with self._streams.opened(end):
            await exchange.begin_websocket(socket)
            await send_message(
                socket, protocol.encode(_lowest(start), b"")
            )  # tells that the connection stands
            try:
                await call.write(messages.StreamInput(start=start))
                status = await until_either_ends(
                    _carry_out(exchange, socket, protocol, call),
                    _carry_in(exchange, socket, protocol, call),
                )
            except RpcError as error:
                status = from_rpc(error).to_status()
            if not socket.closed and status is not None:
                await _send(socket, protocol.encode_end(status))
            await socket.close()
        return socket


def _lowest(start: Any) -> Channel:
    """Return the lowest channel that goes to the caller."""
    return Channel.STDOUT if start.stdout else Channel.STDERR if start.stderr else Channel.ERROR


async def _send(socket: web.WebSocketResponse, message: bytes | str | None) -> None:
    if message is not None:
        await send_message(socket, message)


async def _carry_in(
    exchange: Exchange, socket: web.WebSocketResponse, protocol: ChannelProtocol, call: Any
) -> None:
    """Forward what the caller sends to the kubelet; return when the caller has gone."""
    async for message in received(socket):
        if (event := stream_input(protocol.decode(message))) is not None:
            await exchange.hand_on(event, call.write)


def stream_input(received: tuple[Channel, bytes] | None) -> Any:
    """Return what a message of the caller is for the kubelet; None for one that makes no sense, which is passed over."""
    from machinery.wire.node import messages

    match received:
        case Channel.STDIN, stdin:
            return messages.StreamInput(stdin=stdin) if stdin else None
        case Channel.CLOSE, b"\x00":
            return messages.StreamInput(close_stdin=True)
        case Channel.RESIZE, size:
            return _resize(size)
    return None


def _resize(data: bytes) -> Any:
    from machinery.wire.node import messages

    try:
        size = msgspec.json.decode(data, type=_Size)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return messages.StreamInput(resize=messages.TerminalSize(width=size.Width, height=size.Height))


_Cells: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=1 << 16)]  # as in Kubernetes


class _Size(msgspec.Struct):
    Width: _Cells = 0
    Height: _Cells = 0


async def _carry_out(
    exchange: Exchange, socket: web.WebSocketResponse, protocol: ChannelProtocol, call: Any
) -> Json:
    """Forward what the command writes to the caller. Return how it ended, as a Status."""
    send = partial(send_message, socket)
    while (event := await call.read()) is not None:
        match event.WhichOneof("output"):
            case "stdout":
                await exchange.send(protocol.encode(Channel.STDOUT, event.stdout), send)
            case "stderr":
                await exchange.send(protocol.encode(Channel.STDERR, event.stderr), send)
            case "exit":
                return pod_access.exit_status(event.exit.code, event.exit.error)
    return pod_access.exit_status(0, "")


def _options(http: HttpRequest, subresource: str) -> ExecOptions:
    asked, attach = http.query, subresource == "attach"
    return exec_options(asked, asked.getall("command", []), partial(query.boolean, asked), attach=attach)


def _start(options: ExecOptions, pod: Json) -> Any:
    from machinery.wire.node import messages

    attach = isinstance(options, AttachOptions)
    if not attach and not options.command:
        raise BadRequest("you must specify a command to execute")
    if not (options.stdin or options.stdout or options.stderr):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    container = pod_access.container_of(pod, options.container)
    return messages.StreamStart(
        container=messages.ContainerRef(**container_ref(pod, container)),
        command=[] if attach else options.command,
        tty=options.tty,
        stdin=options.stdin,
        stdout=options.stdout,
        stderr=options.stderr and not options.tty,  # a terminal has one output
    )

"""exec and attach: a WebSocket to the caller, a gRPC stream to the kubelet, and what goes between them.

The caller speaks v5.channel.k8s.io or v4 (KEP-4006): a binary message begins with the number of its channel. With v5
a message 255, n closes channel n, so that a command sees the end of its input.

    0 stdin → the command   1 stdout ←   2 stderr ←   3 how it ended (a metav1.Status) ←   4 size of the terminal →

SPDY, the older way, is not built and says so. kubectl tries WebSockets first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from apiserver.core import pod_access
from apiserver.core.values import Json, spec
from apiserver.request import UserInfo
from apiserver.rest import query
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.paths import Target
from apiserver.rest.pod_log import container_ref, read_pod
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams, may_pass
from machinery.model.errors import BadRequest, MethodNotSupported, NotImplementedHere
from machinery.model.k8s import served

if TYPE_CHECKING:
    from aiohttp import web

V5: Final = "v5.channel.k8s.io"
V4: Final = "v4.channel.k8s.io"
_STDOUT, _STDERR, _ERROR = b"\x01", b"\x02", b"\x03"
_LONGEST_S: Final = 4 * 3600.0  # wall seconds that a session may last, as in Kubernetes
_HEARTBEAT_S: Final = 30.0  # wall seconds between two pings
_LARGEST: Final = 1024 * 1024  # bytes of a message; kubectl's have 32 KiB

PLACES: Final = tuple((*served.PODS.gvr, name) for name in ("exec", "attach", "portforward"))


class PodExec:
    """Serves the subresources `exec`, `attach` and (not built) `portforward`."""

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
        # A WebSocket begins with a GET, and goes into the pod all the same: it needs the verb create, too.
        verbs = ("get", "create") if http.method == "GET" else ("create",)
        pod = await read_pod(self._services, user, target, *verbs)
        if target.subresource == "portforward":
            raise NotImplementedHere("port-forward is not built", kind="pods", name=target.name)
        pod_access.check_running(pod)
        start = _start(http, pod, target.subresource)
        _check_upgrade(http)
        async with self._services.kubelets.node(spec(pod)["nodeName"]) as stub:
            method = stub.Exec if target.subresource == "exec" else stub.Attach
            call = method(timeout=_LONGEST_S)
            try:
                await call.wait_for_connection()  # after the upgrade there is no status to answer with
                return await self._connected(exchange, call, start)
            finally:
                call.cancel()

    async def _connected(self, exchange: Exchange, call: Any, start: Any) -> web.StreamResponse:
        import grpc.aio
        from aiohttp import web

        from machinery.wire.node import messages
        from machinery.wire.status import from_rpc

        socket = web.WebSocketResponse(
            protocols=(V5, V4), heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST, compress=False
        )

        async def end() -> None:
            call.cancel()

        with self._streams.opened(end):
            await exchange.begin(socket)
            await socket.send_bytes(_STDOUT if start.stdout else _STDERR if start.stderr else _ERROR)
            try:
                await call.write(messages.StreamInput(start=start))
                status = await _converse(socket, call)
            except grpc.aio.AioRpcError as error:
                status = from_rpc(error).to_status()
            if not socket.closed and status is not None:
                await socket.send_bytes(_ERROR + msgspec.json.encode(status))
            await socket.close()
        return socket


async def _converse(socket: web.WebSocketResponse, call: Any) -> Json | None:
    """Carry bytes both ways until the command ends, or the caller goes (then there is nothing to tell)."""
    going_in = asyncio.ensure_future(_carry_in(socket, call))
    coming_out = asyncio.ensure_future(_carry_out(socket, call))
    try:
        await asyncio.wait((going_in, coming_out), return_when=asyncio.FIRST_COMPLETED)
        if socket.closed and not coming_out.done():
            return None
        return await coming_out
    finally:
        for task in (going_in, coming_out):
            task.cancel()
        await asyncio.gather(going_in, coming_out, return_exceptions=True)


async def _carry_in(socket: web.WebSocketResponse, call: Any) -> None:
    """Hand what the caller sends to the kubelet; returns when the caller has gone."""
    async for message in socket:
        data = message.data.encode() if isinstance(message.data, str) else bytes(message.data)
        if (event := _input(data)) is not None:
            await call.write(event)


def _input(data: bytes) -> Any:
    from machinery.wire.node import messages

    match data[:1], data[1:]:
        case b"\x00", stdin:
            return messages.StreamInput(stdin=stdin) if stdin else None
        case b"\xff", b"\x00":
            return messages.StreamInput(close_stdin=True)
        case b"\x04", size:
            return _resize(size)
    return None


def _resize(data: bytes) -> Any:
    from machinery.wire.node import messages

    try:
        size = msgspec.json.decode(data, type=_Size)
    except msgspec.MsgspecError:
        return None
    return messages.StreamInput(resize=messages.TerminalSize(width=size.Width, height=size.Height))


class _Size(msgspec.Struct):
    Width: int = 0
    Height: int = 0


async def _carry_out(socket: web.WebSocketResponse, call: Any) -> Json:
    """Hand what the command writes to the caller. Return how it ended, as a Status."""
    from grpc.aio import EOF

    while (event := await call.read()) is not EOF:
        if not await may_pass(event.stdout or event.stderr):
            continue
        match event.WhichOneof("output"):
            case "stdout":
                await socket.send_bytes(_STDOUT + event.stdout)
            case "stderr":
                await socket.send_bytes(_STDERR + event.stderr)
            case "exit":
                return pod_access.exit_status(event.exit.code, event.exit.error)
    return pod_access.exit_status(0, "")


def _start(http: HttpRequest, pod: Json, subresource: str) -> Any:
    from machinery.wire.node import messages

    asked = http.query
    command = asked.getall("command", [])
    if subresource == "exec" and not command:
        raise BadRequest("you must specify a command to execute")
    tty = bool(query.boolean(asked, "tty"))
    streams = {name: bool(query.boolean(asked, name)) for name in ("stdin", "stdout", "stderr")}
    if not any(streams.values()):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if tty:  # a terminal has one output
        streams["stderr"] = False
    container = pod_access.container_of(pod, asked.get("container", ""))
    return messages.StreamStart(
        container=messages.ContainerRef(**container_ref(pod, container)),
        command=command if subresource == "exec" else [],
        tty=tty,
        **streams,
    )


def _check_upgrade(http: HttpRequest) -> None:
    upgrade = http.headers.get("Upgrade", "").lower()
    if upgrade.startswith("spdy"):
        raise NotImplementedHere("SPDY is not built: use WebSockets (kubectl 1.31 and later do)")
    if upgrade != "websocket":
        raise BadRequest("Upgrade request required")
    offered = http.headers.get("Sec-WebSocket-Protocol", "")
    if not {V4, V5} & {each.strip() for each in offered.split(",")}:
        raise BadRequest(f"none of the offered protocols is built: {offered}; {V5} and {V4} are")

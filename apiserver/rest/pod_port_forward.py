"""Port-forward: connections of a caller to ports of a pod, over a connection that the caller has upgraded.

    SPDY/3.1                                      a pair of streams for each connection; older clients
    WebSocket, SPDY/3.1+portforward.k8s.io        the same within a WebSocket; kubectl
    WebSocket, v4.channel.k8s.io, …               a pair of channels for each port that the query names; other clients

What is spoken on it is between the caller and the runtime of the pod's node: it goes through the kubelet as it is, except
for the WebSocket around SPDY, which ends here, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from apiserver.core import pod_access
from apiserver.core.connect_options import PortForwardOptions, port_forward_options
from apiserver.core.values import Json
from apiserver.request import UserInfo
from apiserver.rest import connecting, node_tunnels, websockets
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.node_tunnels import Tunnel, connection_headers
from apiserver.rest.paths import Target
from apiserver.rest.pod_log import container_ref
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams, send
from machinery.model.errors import MethodNotSupported
from machinery.model.k8s import served

if TYPE_CHECKING:
    from aiohttp import web

PLACES: Final = ((*served.PODS.gvr, "portforward"),)

_SPDY: Final = "portforward.k8s.io"
_TUNNEL: Final = f"SPDY/3.1+{_SPDY}"


class PodPortForward:
    """Serves the subresource `portforward`."""

    def __init__(self, services: RestServices, streams: Streams) -> None:
        self._services = services
        self._streams = streams

    async def answer(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse:
        """Connect the caller with the pod's ports, until it goes.

        Raises:
            ApiError: it cannot be connected.
        """
        http = exchange.http
        if http.method not in {"GET", "POST"}:
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        services = self._services
        await connecting.authorize(services, user, target, *pod_access.connect_verbs(http.method))
        asked = port_forward_options(http.query.getall("ports", []))
        options = await connecting.admit(services, user, target, http, asked)
        pod = await connecting.pod_of(services, user, target)
        node = pod_access.node_of(pod)
        kind = websockets.upgrade_of(http)
        is_tunnel = kind == websockets.WEBSOCKET and _TUNNEL in websockets.offered(http)
        start = _start(http, pod, options, is_tunnel=is_tunnel)
        async with node_tunnels.opened(self._services.kubelets, node, start) as tunnel:
            if is_tunnel:
                return await self._unwrapped(exchange, tunnel)
            response: web.StreamResponse = await node_tunnels.carry(exchange, self._streams, tunnel)
            return response

    async def _unwrapped(self, exchange: Exchange, tunnel: Tunnel) -> web.StreamResponse:
        """Carry the SPDY connection that the caller has put into a WebSocket."""
        socket = websockets.prepared(_TUNNEL)

        async def end() -> None:
            tunnel.cut()

        with self._streams.opened(end):
            await exchange.begin_websocket(socket)
            await websockets.until_either_ends(
                _carry_out(exchange, socket, tunnel),
                _carry_in(exchange, websockets.received(socket), tunnel),
            )
            await socket.close()
        return socket


async def _carry_out(exchange: Exchange, socket: web.WebSocketResponse, tunnel: Tunnel) -> None:
    while data := await tunnel.read():
        await exchange.send(data, partial(send, socket.send_bytes))


async def _carry_in(exchange: Exchange, messages: AsyncIterator[bytes | str], tunnel: Tunnel) -> None:
    async for message in messages:
        if isinstance(message, bytes) and message:
            await exchange.hand_on(message, tunnel.write)


def _start(http: HttpRequest, pod: Json, options: PortForwardOptions, *, is_tunnel: bool) -> Any:
    from machinery.wire.node import messages

    ports = list(map(str, options.ports))
    headers = _spdy_headers() if is_tunnel else connection_headers(http)
    container = messages.ContainerRef(**container_ref(pod, ""))
    return messages.TunnelStart(
        port_forward=messages.RuntimeStreams(
            start=messages.StreamStart(container=container),
            query=f"port={','.join(ports)}" if ports else "",
            headers=headers,
        )
    )


def _spdy_headers() -> list[Any]:
    from machinery.wire.node import messages

    named = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": _SPDY}
    return [messages.Header(name=name, value=value) for name, value in named.items()]

"""Connections through a kubelet (`Node.Tunnel`), and callers' connections whose bytes go through one.

`opened` has the kubelet connect; `carry` answers a caller with 101, and then carries bytes until either side ends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from apiserver.kubelets import Kubelets
from apiserver.proxied_http import Wire
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.streams import Streams, send
from apiserver.rest.websockets import until_either_ends
from machinery.model.errors import Unavailable

if TYPE_CHECKING:
    from machinery.process.byte_stream import ByteStream

LONGEST_S: Final = 4 * 3600.0  # wall seconds that a session may last, as in Kubernetes
_CONNECTION_HEADERS: Final = (
    "Connection",
    "Upgrade",
    "X-Stream-Protocol-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
)


class Tunnel:
    """A connection that a kubelet has made."""

    def __init__(self, call: Any, headers: tuple[tuple[str, str], ...]) -> None:
        self.headers = headers  # of the answer that has upgraded it, where it was upgraded
        self._call = call

    async def read(self) -> bytes:
        """Return some bytes; b"" at the end.

        Raises:
            RpcError: the tunnel broke.
        """
        while (message := await self._call.read()) is not None:
            if message.data:
                return bytes(message.data)
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the other end does not read.

        Raises:
            RpcError: the tunnel broke.
        """
        from machinery.wire.node import messages

        await self._call.write(messages.TunnelInput(data=data))

    async def end(self) -> None:
        """Say that nothing more is sent.

        Raises:
            RpcError: the tunnel broke.
        """
        from machinery.wire.node import messages

        await self._call.write(messages.TunnelInput(end=True))

    def cut(self) -> None:
        """End it at once. Idempotent."""
        self._call.cancel()


@asynccontextmanager
async def opened(kubelets: Kubelets, node: str, start: Any) -> AsyncIterator[Tunnel]:
    """Have a tunnel while inside; `start` says where to (`TunnelStart`).

    Raises:
        ApiError: the kubelet cannot be reached, or cannot connect.
    """
    from machinery.wire.node import messages

    async with kubelets.node(node) as stub:
        call = stub.Tunnel(timeout=LONGEST_S)
        try:
            await call.write(messages.TunnelInput(start=start))
            first = await call.read()
            if first is None:
                raise Unavailable(f'the kubelet of node "{node}" has ended the connection')
            if first.failed:
                raise Unavailable(f"error trying to reach service: {first.failed}")
            yield Tunnel(call, tuple((each.name, each.value) for each in first.opened.headers))
        finally:
            call.cancel()


def connection_headers(http: HttpRequest) -> list[Any]:
    """Return the headers of a request that say what its connection is to become."""
    from machinery.wire.node import messages

    return [
        messages.Header(name=name, value=value)
        for name in _CONNECTION_HEADERS
        for value in http.headers.getall(name, [])
    ]


async def carry(exchange: Exchange, streams: Streams, tunnel: Tunnel) -> Any:
    """Upgrade the caller's connection as the other end has answered, and carry bytes until either side ends.

    Raises:
        Unavailable: the door is closing.
        TooManyRequests: too many streams are open.
        RpcError: the tunnel broke.
        ConnectionError: the caller has gone.
    """

    async def end() -> None:
        tunnel.cut()

    with streams.opened(end):
        connection = exchange.take_over(_answer_headers(tunnel.headers))
        try:
            await carry_bytes(exchange, connection, tunnel)
        finally:
            connection.close()
    return exchange.taken_response()


async def carry_bytes(exchange: Exchange, connection: ByteStream, tunnel: Wire) -> None:
    """Carry bytes both ways between a caller's connection, once it is taken over, and a tunnel until either side ends.

    Raises:
        RpcError: the tunnel broke.
        Unavailable: another connection broke.
        ConnectionError: the caller takes nothing.
    """
    await until_either_ends(_carry_out(exchange, connection, tunnel), _carry_in(exchange, connection, tunnel))


def _answer_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in {"date", "server"}]


async def _carry_out(exchange: Exchange, connection: ByteStream, tunnel: Wire) -> None:
    async def post(data: bytes) -> None:
        connection.post(data)
        await connection.drain()

    while data := await tunnel.read():
        await exchange.send(data, partial(send, post))


async def _carry_in(exchange: Exchange, connection: ByteStream, tunnel: Wire) -> None:
    while data := await connection.read():
        await exchange.hand_on(data, tunnel.write)

"""Connections with addresses that only a node can reach, as sockets: their bytes go through the kubelet (`Node.Tunnel`)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

from apiserver.kubelets import Kubelets
from apiserver.rest import node_tunnels
from apiserver.rest.node_tunnels import Tunnel
from apiserver.rest.websockets import until_either_ends
from machinery.model.errors import ApiError
from machinery.rpc.status import RpcError

_READ: Final = 64 * 1024

Begin = Callable[[Coroutine[Any, Any, None]], Any]
"""Begins a task of the process."""


class ServiceTunnels:
    """Connects through nodes."""

    def __init__(self, kubelets: Kubelets, begin: Begin) -> None:
        self._kubelets = kubelets
        self._begin = begin

    async def connect(self, node: str, host: str, port: int) -> socket.socket:
        """Return a socket whose other end is at an address that a node reaches.

        Raises:
            ConnectionError: it cannot be reached, or the node cannot.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003 - the one question it answers
        theirs.setblocking(False)  # noqa: FBT003
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = self._begin(self._carry(node, host, port, ours, opened))
        try:
            await opened
        except BaseException:
            task.cancel()
            theirs.close()
            raise
        return theirs

    async def _carry(
        self, node: str, host: str, port: int, ours: socket.socket, opened: asyncio.Future[None]
    ) -> None:
        from machinery.wire.node import messages

        start = messages.TunnelStart(address=messages.Address(host=host, port=port))
        try:
            async with node_tunnels.opened(self._kubelets, node, start) as tunnel:
                reader, writer = await asyncio.open_connection(sock=ours)
                if opened.cancelled():
                    return
                opened.set_result(None)
                try:
                    await until_either_ends(_carry_out(reader, tunnel), _carry_in(tunnel, writer))
                finally:
                    writer.close()
        except (ApiError, RpcError, OSError) as error:
            if not opened.done():
                opened.set_exception(ConnectionError(str(error)))
        finally:
            ours.close()


async def _carry_out(reader: asyncio.StreamReader, tunnel: Tunnel) -> None:
    while data := await reader.read(_READ):
        await tunnel.write(data)


async def _carry_in(tunnel: Tunnel, writer: asyncio.StreamWriter) -> None:
    while data := await tunnel.read():
        writer.write(data)
        await writer.drain()

"""The kubelets, as the apiserver dials them: logs, exec and attach of the containers on a node.

A kubelet's address is what its Node object says: the InternalIP (else another one) and the port of its daemon
endpoint. Its certificate has to carry the node's name, wherever it is. A few channels are kept open after their use, since whoever reads one log reads another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from apiserver.lookup import Lookup
from machinery.client.tls import ClientTls
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, BadRequest, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from machinery.rpc.channel import Channel

    ThroughSeam = Callable[[Channel, str], Any]

_ADDRESS_TYPES: Final = ("InternalIP", "Hostname", "ExternalIP")
_DEFAULT_PORT: Final = 10250
_PAGE_S: Final = 8.0  # wall seconds that a page may take; a component's call has 10
_LARGEST_PAGE: Final = 1024 * 1024  # bytes of a page that is answered in one piece
_KEPT: Final = 32  # channels that stay open while nobody uses them


@dataclass(slots=True)
class _Line:
    channel: Any
    stub: Any
    users: int = 0


class Kubelets:
    """Channels to the kubelets of the cluster.

    `seam(channel, node)` is where a fault plan takes hold of a channel; without it, nothing does.
    """

    def __init__(
        self, lookup: Lookup, tls: ClientTls, clock: Clock, *, seam: ThroughSeam | None = None
    ) -> None:
        self._lookup = lookup
        self._tls = tls
        self._clock = clock
        self._seam = seam
        self._lines: OrderedDict[tuple[str, str, bool], _Line] = OrderedDict()

    @asynccontextmanager
    async def node(self, name: str, *, is_verified: bool = True) -> AsyncIterator[Any]:
        """Return the stub of a node's `Node` service while inside; errors of its calls become ApiErrors.

        Without `is_verified` whoever answers at the node's address is taken for its kubelet.

        Raises:
            Unavailable: the kubelet cannot be reached.
        """
        from machinery.rpc.status import RpcError
        from machinery.wire.rpc_errors import from_rpc

        address = await self._address(name)
        line = self._line(address, name, is_verified=is_verified)
        line.users += 1
        try:
            yield line.stub
        except RpcError as error:
            raise _named(from_rpc(error), name, address) from error
        finally:
            line.users -= 1
            await self._trim()

    async def page(self, node: str, method: str, path: str) -> bytes:
        """Return a page of a kubelet, or what it says to a request that has no body.

        Raises:
            Unavailable: the kubelet cannot be reached, or does not answer in time.
            TooLarge: the page is too large for a caller who wants it in one piece.
            ApiError: what the kubelet answers.
        """
        from machinery.wire.node import messages

        asked, found = messages.PageRequest(method=method, path=path), bytearray()
        async with self.node(node) as stub:
            chunks = stub.Page(asked, timeout=_PAGE_S)
            try:
                while (chunk := await chunks.read()) is not None:
                    found += chunk.data
                    if len(found) > _LARGEST_PAGE:
                        raise TooLarge(f"{path} of the kubelet has over {_LARGEST_PAGE} bytes")
            finally:
                chunks.cancel()
        return bytes(found)

    async def aclose(self) -> None:
        """Close every channel."""
        lines, self._lines = self._lines, OrderedDict()
        for line in lines.values():
            await line.channel.close()

    def _line(self, address: str, node: str, *, is_verified: bool) -> _Line:
        from machinery.wire import node as conversation
        from machinery.wire.stubs import Stub

        key = (address, node, is_verified)
        line = self._lines.get(key)
        if line is None:
            tls = replace(self._tls, server_name=node, is_verified=is_verified)
            channel = tls.channel(address, self._clock)
            seamed = self._seam(channel, node) if self._seam else channel
            stub = Stub(seamed, conversation.SERVICE, conversation.SERVICE_PATH)
            line = self._lines[key] = _Line(channel, stub)
        self._lines.move_to_end(key)
        return line

    async def _trim(self) -> None:
        idle = [key for key, line in self._lines.items() if not line.users]
        for key in idle[: max(0, len(idle) - _KEPT)]:
            await self._lines.pop(key).channel.close()

    async def _address(self, name: str) -> str:
        try:
            reply = await self._lookup.cached("nodes", "", name)
        except NotFound as error:
            raise BadRequest(f'the node "{name}" of the pod does not exist') from error
        return address_of(name, msgspec.json.decode(reply.json))


def address_of(name: str, node: dict[str, Any]) -> str:
    """Return host:port of a node's kubelet.

    Raises:
        Unavailable: the node has not said yet where it is.
    """
    host, port = host_of(name, node), port_of(node)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(name: str, node: dict[str, Any]) -> str:
    """Return the address of a node.

    Raises:
        Unavailable: the node has not said yet where it is.
    """
    addresses = (node.get("status") or {}).get("addresses") or ()
    known = [(each.get("type"), each.get("address", "")) for each in addresses]  # the first of a type counts
    host = next(
        (address for kind in _ADDRESS_TYPES for type_, address in known if type_ == kind and address), ""
    )
    if not host:
        raise Unavailable(f'the node "{name}" has no address yet')
    return host


def port_of(node: dict[str, Any]) -> int:
    """Return the port of a node's kubelet."""
    endpoints = (node.get("status") or {}).get("daemonEndpoints") or {}
    return (endpoints.get("kubeletEndpoint") or {}).get("Port") or _DEFAULT_PORT


def _named(error: ApiError, node: str, address: str) -> ApiError:
    """Return the error with the kubelet's name, where the kubelet did not speak itself."""
    if isinstance(error, Unavailable):
        return Unavailable(f'the kubelet of node "{node}" at {address} cannot be reached: {error.message}')
    return error

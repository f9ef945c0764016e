"""gRPC servers: TLS with client certificates on the network, file modes on unix sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from machinery.model.seam import Seam
from machinery.process.accepting import Accepting
from machinery.process.clock import WALL
from machinery.process.control import private_socket
from machinery.process.seam_server import through
from machinery.process.tls import Peer, ServerTls, peer_of_rpc
from machinery.rpc.server import LARGEST, Server
from machinery.rpc.service import CallContext
from machinery.wire.services import ServiceHandler

__all__ = ["GrpcServer", "ListenError", "Peer", "bound_ports", "grpc_server", "peer"]

HANDSHAKE_S: Final = 10.0  # wall seconds; an honest client takes milliseconds
_GREETINGS: Final = 512  # clients that shake hands at once; above it the longest one is cut
_UNIX: Final = "unix:"
_BACKLOG: Final = 1024
_PORTS: Final = 1 << 16


class ListenError(Exception):
    """An address cannot be listened on; the text names it."""


class GrpcServer:
    """Serves on sockets that are bound already, from `start` to `stop`."""

    def __init__(
        self, server: Server, listening: Sequence[_Listening], tls: ServerTls | None, connections: int
    ) -> None:
        self._server = server
        self._listening = listening
        self._tls = tls
        self._connections = connections
        self._accepting: list[Accepting] = []
        self._context: ssl.SSLContext | None = None
        self.ports: Final = tuple(each.port for each in listening)

    async def start(self) -> None:
        """Serve those who have come already, and who come.

        Raises:
            ListenError: the certificate cannot be used.
        """
        if self._tls is not None and any(self.ports):
            try:
                self._context = self._tls.ssl_context()
            except OSError as error:
                raise ListenError(f"the certificate {self._tls.cert_file} cannot be used: {error}") from error
            self._context.set_alpn_protocols(["h2"])
        for each in self._listening:
            accepting = Accepting(
                self._server,
                self._has_room,
                None if each.path else self._context,
                greetings=min(_GREETINGS, self._connections or _GREETINGS),
                handshake_s=HANDSHAKE_S,
            )
            for listening in each.sockets:
                accepting.accept_on(listening)
            self._accepting.append(accepting)

    def show(self, cert_file: str, key_file: str) -> None:
        """Show another certificate to those who come from now on.

        Raises:
            OSError: a file cannot be read, or (ssl.SSLError) the two do not belong together. Then nothing changes.
        """
        if self._context is not None and self._tls is not None:
            replace(self._tls, cert_file=cert_file, key_file=key_file).ssl_context()
            self._context.load_cert_chain(cert_file, key_file)

    async def stop(self, grace_s: float | None) -> None:
        """Accept nobody more; calls under way have so many wall seconds, then they are cancelled."""
        for accepting in self._accepting:
            await accepting.aclose()
        for each in self._listening:
            each.close()
        await self._server.stop(grace_s)

    def _has_room(self) -> bool:
        return not self._connections or len(self._server) < self._connections


def grpc_server(
    listen: Sequence[str],
    tls: ServerTls | None,
    handlers: Sequence[ServiceHandler],
    seam: Seam | None = None,
    *,
    name: str = "",
    largest_bytes: int = LARGEST,
    connections: int = 0,
) -> GrpcServer:
    """Return a server that listens on "host:port" (TLS needed) and "unix:/path" (mode 0600) addresses.

    The caller starts it (`await server.start()`) and ends it (`await server.stop(grace_s)`). `name` is the
    instance's name, by which fault plans and records know it. A message of more than `largest_bytes` ends its call with
    RESOURCE_EXHAUSTED. There are at most so many `connections` (0: any).

    Raises:
        ListenError: an address is taken or cannot be used.
    """
    served = [through(handler, seam, name) for handler in handlers]
    methods = {path: method for handler in served for path, method in handler.methods.items()}
    bound: list[_Listening] = []
    try:
        bound.extend(_bind(address, tls) for address in listen)
    except ListenError:
        for each in bound:
            each.close()
        raise
    return GrpcServer(Server(methods, WALL, largest_bytes), bound, tls, connections)


def bound_ports(server: GrpcServer) -> tuple[int, ...]:
    """Return the ports that a server got, in the order of its addresses (for port 0, the one that was free)."""
    return server.ports


def peer(context: CallContext) -> Peer:
    """Return who calls: the client certificate's common name and organizations, empty on a unix socket."""
    return peer_of_rpc(context)


class _Listening:
    """The sockets of one address."""

    def __init__(self, sockets: Sequence[socket.socket], path: str = "") -> None:
        self.sockets = sockets
        self.path = path  # of a unix socket
        self.port = 0 if path else int(sockets[0].getsockname()[1])
        self._inode = _inode(path) if path else None

    def close(self) -> None:
        """Close them, and remove the file, unless another server has put its own there. Idempotent."""
        for each in self.sockets:
            each.close()
        if self.path and self._inode is not None and _inode(self.path) == self._inode:
            with suppress(OSError):
                Path(self.path).unlink()


def _bind(address: str, tls: ServerTls | None) -> _Listening:
    try:
        if address.startswith(_UNIX):
            return _bind_unix(address.removeprefix(_UNIX))
        if tls is None:
            raise ListenError(f"{address}: a network listener speaks TLS, and there is no certificate for it")
        return _bind_port(address)
    except (OSError, ValueError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error


def _bind_unix(path: str) -> _Listening:
    if Path(path).exists() and not Path(path).is_socket():
        raise FileExistsError("there is a file that is no socket")
    bound = private_socket(path)
    bound.listen(_BACKLOG)
    return _Listening([bound], path)


def _bind_port(address: str) -> _Listening:
    host, _, text = address.rpartition(":")
    kind, port = socket.SOCK_STREAM, int(text)
    if not 0 <= port < _PORTS:  # the resolver would take the rest of a larger number
        raise ValueError("there is no such port")
    found = socket.getaddrinfo(host.strip("[]") or None, port, type=kind, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, place in dict.fromkeys((family, place) for family, _, _, _, place in found):
            free = sockets[0].getsockname()[1] if sockets else place[1]  # of port 0, the same for all
            sockets.append(
                socket.create_server((place[0], free, *place[2:]), family=family, backlog=_BACKLOG)
            )
    except OSError:
        for each in sockets:
            each.close()
        raise
    return _Listening(sockets)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

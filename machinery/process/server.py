"""gRPC servers: TLS with client certificates on the network, file modes on unix sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from machinery.model.seam import Seam
from machinery.process.control import PrivateFiles
from machinery.process.seam_server import through
from machinery.process.tls import Peer, ServerTls, peer_of_rpc
from machinery.wire.services import SERVER_OPTIONS, ServiceHandler

__all__ = ["ListenError", "Peer", "bound_ports", "grpc_server", "peer"]


class ListenError(Exception):
    """An address cannot be listened on; the text names it."""


def grpc_server(
    listen: Sequence[str],
    tls: ServerTls | None,
    handlers: Sequence[ServiceHandler],
    seam: Seam | None = None,
    *,
    name: str = "",
    largest_bytes: int = -1,
    connections: int = 0,
) -> grpc.aio.Server:
    """Return a server that listens on "host:port" (TLS needed) and "unix:/path" (mode 0600) addresses.

    The caller starts it (`await server.start()`) and ends it (`await server.stop(grace_s)`). `name` is the
    instance's name, by which fault plans and records know it. A message of more than `largest_bytes` (-1: any) ends
    its call with RESOURCE_EXHAUSTED. There are at most so many `connections` (0: any) on one address.

    Raises:
        ListenError: an address is taken or cannot be used.
    """
    options = dict(SERVER_OPTIONS) | {"grpc.max_receive_message_length": largest_bytes}
    if connections:
        options["grpc.max_allowed_incoming_connections"] = connections
    server = grpc.aio.server(options=tuple(options.items()))
    server.add_generic_rpc_handlers(tuple(through(handler, seam, name) for handler in handlers))
    server.kubarium_ports = tuple(_bind(server, address, tls) for address in listen)
    return server


def bound_ports(server: grpc.aio.Server) -> tuple[int, ...]:
    """Return the ports that a server got, in the order of its addresses (for port 0, the one that was free)."""
    ports: tuple[int, ...] = server.kubarium_ports
    return ports


def peer(context: Any) -> Peer:
    """Return who calls: the client certificate's common name and organizations, empty on a unix socket."""
    return peer_of_rpc(context)


def _bind(server: grpc.aio.Server, address: str, tls: ServerTls | None) -> int:
    if not address.startswith("unix:") and tls is None:
        raise ListenError(f"{address}: every network listener speaks TLS, and there is no certificate for it")
    try:
        with PrivateFiles():
            port = _add(server, address, tls)
    except (RuntimeError, OSError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error
    if not port:
        raise ListenError(f"cannot listen on {address}: is it in use?")
    return port


def _add(server: grpc.aio.Server, address: str, tls: ServerTls | None) -> int:
    if tls is None or address.startswith("unix:"):
        return int(server.add_insecure_port(address))
    return int(server.add_secure_port(address, tls.grpc_credentials()))

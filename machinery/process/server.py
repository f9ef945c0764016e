"""gRPC servers: TLS with client certificates on the network, file modes on unix sockets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import grpc
import grpc.aio

from machinery.process.faults import FaultInterceptor
from machinery.process.tls import Peer, ServerTls
from machinery.process.tls import peer_of_rpc as peer
from machinery.wire.faults import FaultGate
from machinery.wire.services import SERVER_OPTIONS

__all__ = ["ListenError", "Peer", "bound_ports", "grpc_server", "peer"]

_PORTS: dict[int, tuple[int, ...]] = {}


class ListenError(Exception):
    """An address cannot be listened on; the message names it."""


async def grpc_server(
    listen: Sequence[str],
    tls: ServerTls | None,
    handlers: Sequence[grpc.GenericRpcHandler],
    faults: FaultGate | None = None,
    *,
    callee: str = "",
) -> grpc.aio.Server:
    """Start a server on host:port addresses, which need `tls`, and unix:/paths, which get mode 0600.

    Raises:
        ListenError: an address is taken or not this machine's.
    """
    interceptors = [FaultInterceptor(faults, callee)] if faults else []
    server = grpc.aio.server(options=SERVER_OPTIONS, interceptors=interceptors)
    server.add_generic_rpc_handlers(tuple(handlers))
    ports = tuple(_bind(server, address, tls) for address in listen)
    await server.start()
    for address in listen:
        if address.startswith("unix:"):
            Path(address.removeprefix("unix:")).chmod(0o600)
    _PORTS[id(server)] = ports
    return server


def bound_ports(server: grpc.aio.Server) -> tuple[int, ...]:
    """Give the ports that a server got, in the order of its addresses."""
    return _PORTS[id(server)]


def _bind(server: grpc.aio.Server, address: str, tls: ServerTls | None) -> int:
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)
        return int(server.add_insecure_port(address))
    if tls is None:
        raise ListenError(f"{address}: a network listener needs a certificate")
    try:
        return int(server.add_secure_port(address, tls.grpc_credentials()))
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error

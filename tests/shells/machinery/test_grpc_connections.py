"""A gRPC server and connections on which nobody shakes hands: there are not more than there is room for, and not for long."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from machinery.process import heap
from machinery.process import server as servers
from machinery.process.metrics import resident_bytes
from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from tests.support.apiserver import certificates

ROOM = 3
MIB = 1024 * 1024


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[int]:
    """Serve nothing, with little room, and return the port."""
    pki = certificates(folder)
    files = (str(pki.certificate("apiserver")), str(pki.key("apiserver")), str(pki.certificate("ca")))
    server = grpc_server(["127.0.0.1:0"], ServerTls(*files), [], connections=ROOM)
    await server.start()
    try:
        yield bound_ports(server)[0]
    finally:
        await server.stop(0)


async def test_connections_without_a_handshake_are_few_and_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those above the room are closed at once, the others when a handshake would have been over long since."""
    assert servers.HANDSHAKE_S <= 30
    monkeypatch.setattr(servers, "HANDSHAKE_S", 0.3)
    async with serving(tmp_path) as port, asyncio.timeout(60):
        made = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * ROOM)]
        for reader, writer in made:
            assert await reader.read() == b""
            writer.close()


def test_memory_that_is_free_goes_back_to_the_machine() -> None:
    """What lies below something that is still in use, too."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    pieces = [libc.malloc(1024) for _ in range(64 * 1024)]
    for piece in pieces:
        ctypes.memset(piece, 1, 1024)
    kept = libc.malloc(1024)
    for piece in pieces:
        libc.free(piece)
    before = resident_bytes()
    assert heap.trim() > 32 * MIB
    assert resident_bytes() < before - 32 * MIB
    libc.free(kept)

"""Connections that never ask for anything: what they took is given back when they have gone."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from pathlib import Path

import pytest

from machinery.process import heap
from machinery.process.metrics import resident_bytes
from tests.support.apiserver import Served
from tests.support.waiting import until

COUNT = 400
HELLO = bytes.fromhex("1603010200010001fc0303")  # the beginning of a handshake that does not go on


async def _open(served: Served, *, is_whole: bool) -> list[socket.socket]:
    host, _, port = served.config.rest_listen[0].rpartition(":")
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))

    def connect() -> socket.socket:
        client = socket.create_connection((host, int(port)), timeout=20)
        if is_whole:
            return context.wrap_socket(client, server_hostname=host)
        client.sendall(HELLO)
        return client

    return [await asyncio.to_thread(connect) for _ in range(COUNT)]


async def _came_and_went(served: Served, *, is_whole: bool) -> int:
    """Return how many bytes the process has while the connections are there."""
    clients = await _open(served, is_whole=is_whole)
    during = resident_bytes()
    for client in clients:
        client.close()
    port = int(served.config.rest_listen[0].rpartition(":")[2])
    await until(lambda: not _held(port), what="the server has closed them as well")
    return during


def _held(port: int) -> int:
    """Return how many connections of the server are established, or half closed."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text("ascii").splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] in {"01", "08"} for row in rows)


@pytest.mark.parametrize("is_whole", [True, False])
async def test_memory_of_silent_connections_is_given_back(served: Served, *, is_whole: bool) -> None:
    """Also of those whose handshake has never ended; the first ones pay for what the process keeps anyway."""
    await _came_and_went(served, is_whole=is_whole)
    gc.collect()
    heap.trim()
    before = resident_bytes()
    during = await _came_and_went(served, is_whole=is_whole)
    gc.collect()
    heap.trim()
    after = resident_bytes()
    assert during - before > COUNT * 10_000
    assert after - before < 0.3 * (during - before)

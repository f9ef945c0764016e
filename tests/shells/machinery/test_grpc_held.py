"""A gRPC server and clients that make it keep much, or say nothing: one is cut, the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from machinery.process.server import GrpcServer, grpc_server
from machinery.rpc import server as servers
from machinery.rpc.hpack import write_block
from machinery.rpc.service import Method
from tests.support.http2_frames import PREFACE, frame, message
from tests.support.waiting import until

HELLO = (
    PREFACE + frame(4, 0, 0, b"\0\4\x7f\xff\xff\xff") + frame(8, 0, 0, b"\x7f\0\0\0")
)  # reads whatever comes
MIB = 1024 * 1024


def ask(stream: int, content: bytes = b"1000000") -> bytes:
    """Ask for so many bytes."""
    head = write_block([(":method", "POST"), (":path", "/s/Ask"), ("content-type", "application/grpc")])
    return frame(1, 4, stream, head) + frame(0, 1, stream, message(content))


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[tuple[GrpcServer, list[int]]]:
    """Serve a method that answers with as many bytes as it is told; also says whose handlers have been cancelled."""
    cancelled: list[int] = []

    async def answer(request: bytes, _context: Any) -> bytes:
        if request == b"wait":
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.append(1)
        return bytes(int(request))

    methods = {"/s/Ask": Method(answer, bytes, None, asks_one=True, answers_one=True)}
    handlers: Any = [SimpleNamespace(methods=methods)]
    server = grpc_server([f"unix:{path}"], None, handlers)
    await server.start()
    try:
        yield server, cancelled
    finally:
        await server.stop(0)


async def test_who_reads_nothing_is_cut_when_too_much_is_kept_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its windows say that it would take everything, and it takes nothing. Who asks little is not touched."""
    monkeypatch.setattr(servers, "MOST_HELD", 20 * MIB)
    async with serving(tmp_path / "s"), asyncio.timeout(30):
        reader, modest = await asyncio.open_unix_connection(tmp_path / "s")
        modest.write(HELLO + ask(1, b"10"))
        _, greedy = await asyncio.open_unix_connection(tmp_path / "s", limit=1)
        greedy.write(HELLO + b"".join(ask(stream) for stream in range(1, 100, 2)))
        await until(lambda: greedy.write(frame(6, 0, 0, bytes(8))) or greedy.transport.is_closing())
        modest.write(ask(3, b"10"))
        found = b""
        while found.count(message(bytes(10))) < 2:
            found += await reader.read(1000)
        modest.close()
        greedy.close()


async def test_a_request_that_does_not_go_on_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many large ones that are nearly whole, from one client."""
    monkeypatch.setattr(servers, "MOST_HELD", 4 * MIB)
    async with serving(tmp_path / "s"), asyncio.timeout(30):
        reader, client = await asyncio.open_unix_connection(tmp_path / "s")
        client.write(HELLO)
        head = write_block([(":method", "POST"), (":path", "/s/Ask"), ("content-type", "application/grpc")])
        with suppress(ConnectionError):
            for stream in range(1, 1000, 2):
                client.write(frame(1, 4, stream, head) + frame(0, 0, stream, message(bytes(16_000))[:-1]))
                await client.drain()
            while await reader.read(1000):
                pass
        client.close()


@pytest.mark.parametrize("said", [b"", PREFACE[:10], PREFACE])
async def test_who_never_says_hello_is_given_up(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After as long as a handshake may take."""
    monkeypatch.setattr(servers, "TICK_S", 0.02)
    async with serving(tmp_path / "s"), asyncio.timeout(30):
        reader, client = await asyncio.open_unix_connection(tmp_path / "s")
        client.write(said)
        while await reader.read(1000):
            pass
        client.close()


async def test_who_breaks_the_rules_has_its_handlers_cancelled(tmp_path: Path) -> None:
    """And is told why the connection ends."""
    async with serving(tmp_path / "s") as (_, cancelled), asyncio.timeout(30):
        reader, client = await asyncio.open_unix_connection(tmp_path / "s")
        client.write(HELLO + ask(1, b"wait") + frame(6, 0, 0, bytes(8)))
        while bytes((6, 1)) not in await reader.read(1000):
            pass
        client.write(frame(6, 0, 0, b"short"))
        rest = b""
        while data := await reader.read(1000):
            rest += data
        assert rest.endswith((1).to_bytes(4) + (6).to_bytes(4))  # the last call, FRAME_SIZE_ERROR
        assert cancelled
        client.close()

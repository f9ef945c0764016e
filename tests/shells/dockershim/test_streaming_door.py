"""The HTTP server of streams, by itself: which requests are upgraded, to what, and what becomes of their connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from dockershim import loopback_listener
from dockershim.command_sessions import Client
from dockershim.core.stream_protocols import STDOUT, decode_channel, encode_channel, exit_status
from dockershim.loopback_listener import REQUEST_S
from dockershim.streaming import Streaming
from machinery.model.clock import Clock
from machinery.model.log import SILENT
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL
from tests.support.memory_connection import HandClock
from tests.support.spdy_peer import DATA, FIN, GOAWAY, SYN_REPLY, Frame, SpdyPeer, control, data
from tests.support.waiting import until

EXEC = cri.ExecRequest(container_id="1", cmd=["true"], stdout=True)
VERSIONS = "X-Stream-Protocol-Version"


class Sessions:
    """Sessions that say something and succeed."""

    def __init__(self) -> None:
        self.running = 0

    async def exec(self, client: Client, container_id: str, body: dict[str, Any]) -> None:
        """Say what is run where; with stdin, echo it until its end."""
        self.running += 1
        try:
            await client.write(STDOUT, f"{body['Cmd']} in {container_id}".encode())
            if body["AttachStdin"]:
                await client.feed(self)  # type: ignore[arg-type] # until the client leaves
            await client.finish(exit_status(0))
        finally:
            self.running -= 1

    async def write(self, data: bytes) -> None:
        """Drop input."""

    def end_input(self) -> None:
        """Do nothing."""


class Door:
    """The server, and those who come to it."""

    def __init__(self, folder: Path, clock: Clock = WALL) -> None:
        self.sessions: Any = Sessions()
        self.streaming = Streaming(self.sessions, clock, SILENT, "127.0.0.1:0")
        self.socket = str(folder / "streaming.sock")

    async def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"{await self.streaming.address(is_ours=False)}{path}"

    def open_connections(self) -> int:
        """Count the connections that the server knows."""
        assert self.streaming._listener is not None
        return len(self.streaming._listener._server.connections)


class Caller:
    """A client over a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer = SpdyPeer()
        self.reader, self.writer = reader, writer

    async def upgrade(self, path: str, **headers: str) -> tuple[str, dict[str, str]]:
        """Ask for SPDY; return the status line and the headers."""
        asked = {"Host": "x", "Connection": "Upgrade", "Upgrade": "SPDY/3.1", **headers}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items())]
        self.writer.write("\r\n".join((*lines, "", "")).encode())
        status, *fields = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        return status, dict(line.split(": ", 1) for line in fields)

    async def hear(self, last: int = GOAWAY) -> list[Frame]:
        """Read frames up to the last of a kind."""
        frames: list[Frame] = []
        async with asyncio.timeout(60):
            while not frames or frames[-1].kind != last:
                piece = await self.reader.read(65536)
                assert piece, frames
                frames += self.peer.read(piece)
        return frames


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    door = Door(tmp_path)
    async with door.streaming.served(door.socket):
        yield door


@pytest.fixture
async def caller(door: Door) -> AsyncIterator[Caller]:
    reader, writer = await asyncio.open_unix_connection(door.socket)
    yield Caller(reader, writer)
    writer.close()


async def ask(door: Door, path: str, **headers: str) -> tuple[int, str, Any]:
    """Send a request; return the status, the text and the headers of the answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(await door.url(path), headers=headers) as answer,
    ):
        return answer.status, await answer.text(), answer.headers


async def test_a_command_is_served_over_spdy(door: Door, caller: Caller):
    """The answer says what was agreed on; the connection is SPDY's from then on, until the client closes it."""
    path = door.streaming.exec_path("1", EXEC)
    status, headers = await caller.upgrade(path, **{VERSIONS: "v5.channel.k8s.io, v4.channel.k8s.io"})
    assert status == "HTTP/1.1 101 Switching Protocols"
    assert headers == {"Connection": "Upgrade", "Upgrade": "SPDY/3.1", VERSIONS: "v4.channel.k8s.io"}
    caller.writer.write(caller.peer.open(1, streamtype="error") + caller.peer.open(3, streamtype="stdout"))
    frames = await caller.hear()
    assert [frame.kind for frame in frames] == [SYN_REPLY, SYN_REPLY, DATA, DATA, DATA, DATA, GOAWAY]
    assert frames[2].data == b"['true'] in 1"
    caller.writer.close()
    await until(lambda: not door.open_connections())
    assert (await ask(door, path))[0] == 404


async def test_what_is_sent_with_the_upgrade_is_not_http(door: Door, caller: Caller):
    """Frames right behind the answer are read, however large."""
    request = cri.ExecRequest(container_id="1", cmd=["cat"], stdin=True, stdout=True)
    await caller.upgrade(door.streaming.exec_path("1", request), **{VERSIONS: "channel.k8s.io"})
    for number, kind in enumerate(("error", "stdin", "stdout")):
        caller.writer.write(caller.peer.open(1 + 2 * number, streamtype=kind))
    caller.writer.write(data(3, bytes(4 * 1024 * 1024), FIN))
    async with asyncio.timeout(60):
        await caller.writer.drain()
    assert door.sessions.running
    caller.writer.transport.abort()  # it leaves without a word
    await until(lambda: not door.sessions.running)
    await until(lambda: not door.open_connections())


async def test_a_request_that_cannot_be_upgraded_does_not_use_its_url_up(door: Door, caller: Caller):
    """It is told what it lacks."""
    path = door.streaming.exec_path("1", EXEC)
    spdy = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    assert (await ask(door, path))[0] == 400
    assert (await ask(door, path, Connection="Upgrade", Upgrade="h2c"))[0] == 400
    assert (await ask(door, path, Connection="Upgrade", Upgrade="websocket"))[0] == 400
    status, text, _ = await ask(door, path, **spdy)
    assert (status, text) == (400, f"unable to upgrade: {VERSIONS} is required\n")
    status, text, headers = await ask(door, path, **spdy, **{VERSIONS: "v9.channel.k8s.io"})
    assert status == 403
    assert "client supports v9.channel.k8s.io, server accepts v4.channel.k8s.io" in text
    spoken = "v4.channel.k8s.io, v3.channel.k8s.io, v2.channel.k8s.io, channel.k8s.io"
    assert headers["X-Accepted-Stream-Protocol-Versions"] == spoken
    assert (await caller.upgrade(path, **{VERSIONS: "v3.channel.k8s.io"}))[0].split()[1] == "101"


async def test_a_url_is_for_what_it_was_made_for(door: Door):
    """Another verb, another token: not found; port-forward has protocols of its own."""
    token = door.streaming.exec_path("1", EXEC).rpartition("/")[2]
    for path in (f"/attach/{token}", f"/portforward/{token}", "/exec/guess"):
        assert (await ask(door, path))[0] == 404

    async def dial(_port: int) -> Any:
        raise OSError

    path = door.streaming.port_forward_path("0123", dial)
    spdy = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    assert (await ask(door, path, **spdy, **{VERSIONS: "v4.channel.k8s.io"}))[0] == 403
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="400"):
            await session.ws_connect(await door.url(path), protocols=["v5.channel.k8s.io"])


async def test_a_tunnel_carries_spdy_in_whatever_messages(door: Door):
    """Of one byte each, too; text is none, and ends it."""

    async def dial(port: int) -> Any:
        raise OSError(f"nobody at {port}")

    peer = SpdyPeer()
    opened = peer.open(1, streamtype="error", port="80") + peer.open(3, streamtype="data", port="80")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            await door.url(door.streaming.port_forward_path("0123", dial)),
            protocols=["SPDY/3.1+portforward.k8s.io"],
        ) as socket,
    ):
        for byte in opened:
            await socket.send_bytes(bytes((byte,)))
        frames: list[Frame] = []
        async with asyncio.timeout(60):
            while len(frames) < 5:
                frames += peer.read(await socket.receive_bytes())
            assert b"nobody at 80" in frames[2].data
            await socket.send_str("text")
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    await until(lambda: not door.open_connections())


@pytest.mark.parametrize("protocols", [(), ("v4.channel.k8s.io",), ("v4.base64.channel.k8s.io",)])
async def test_ports_have_two_channels_each_over_a_websocket(door: Door, protocols: tuple[str, ...]):
    """Both begin with the number of their port; a port that cannot be had says so on its second one, and ends alone."""
    spoken = "base64" if protocols and "base64" in protocols[0] else ""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(data := await reader.read(65536)) > 1:
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    there = server.sockets[0].getsockname()[1]

    async def dial(port: int) -> Any:
        if port != 80:
            raise OSError("nobody listens")
        return await asyncio.open_connection("127.0.0.1", there)

    url = f"{await door.url(door.streaming.port_forward_path('0123', dial))}?port=80,81"
    async with (
        server,
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=protocols) as socket,
        asyncio.timeout(60),
    ):

        async def send(channel: int, sent: bytes) -> None:
            message = encode_channel(channel, sent, spoken)
            await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))

        heard: dict[int, bytes] = {}
        await send(2, b"to nobody")
        await send(9, b"to no port")
        await send(0, b"x" * 100_000)
        while len(heard.get(0, b"")) < 100_002 or len(heard.get(3, b"")) < 3:
            channel, got = decode_channel((await socket.receive()).data)
            heard[channel] = heard.get(channel, b"") + got
        assert heard[0] == b"\x50\0" + b"x" * 100_000
        assert (heard[1], heard[2]) == (b"\x50\0", b"\x51\0")
        assert heard[3] == b"\x51\0error forwarding port 81 to pod 0123, uid : nobody listens"
        await send(0, b".")  # which ends the last connection
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", 'query parameter "port" is required'),
        ("?port=", 'query parameter "port" cannot be empty'),
        ("?port=80&port=http", 'unable to parse "http" as a port'),
    ],
)
async def test_ports_over_a_websocket_have_to_be_named(door: Door, query: str, words: str):
    """And are no use of the URL otherwise."""

    async def dial(_port: int) -> Any:
        raise OSError

    path = door.streaming.port_forward_path("0123", dial)
    for _ in range(2):
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        status, text, _ = await ask(door, f"{path}{query}", **headers)
        assert (status, text) == (400, f"{words}\n")


async def test_what_is_not_spdy_ends_its_connection_only(door: Door, caller: Caller):
    """With a GOAWAY; the server goes on."""
    await caller.upgrade(door.streaming.exec_path("1", EXEC), **{VERSIONS: "v4.channel.k8s.io"})
    caller.writer.write(control(1, b"nonsense"))
    assert await caller.hear() == [Frame(GOAWAY, 0, (0, 1))]
    assert await caller.reader.read() == b""
    await until(lambda: not door.open_connections())
    assert (await ask(door, door.streaming.exec_path("1", EXEC)))[0] == 400


async def test_both_transports_have_the_same_session(door: Door):
    """WebSocket's client is told the same."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            await door.url(door.streaming.exec_path("1", EXEC)), protocols=["v4.channel.k8s.io"]
        ) as socket,
    ):
        assert await socket.receive_bytes() == b"\x01['true'] in 1"
        assert (await socket.receive_bytes())[:1] == b"\x03"


async def test_a_server_that_ends_ends_its_streams(tmp_path: Path):
    """Nobody is waited for."""
    door = Door(tmp_path)
    async with door.streaming.served(door.socket):
        request = cri.ExecRequest(container_id="1", cmd=["cat"], stdin=True, stdout=True)
        caller = Caller(*await asyncio.open_unix_connection(door.socket))
        await caller.upgrade(door.streaming.exec_path("1", request), **{VERSIONS: "v4.channel.k8s.io"})
        for number, kind in enumerate(("error", "stdin", "stdout")):
            caller.writer.write(caller.peer.open(1 + 2 * number, streamtype=kind))
        await until(lambda: door.sessions.running)
        assert (await ask(door, "/exec/none"))[0] == 404
    await until(lambda: not door.sessions.running)
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask(door, "/exec/none")
    caller.writer.close()


async def test_who_has_no_url_takes_a_bounded_number_of_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """For a bounded time; who sends a request may stay, and clients of ours come another way."""
    monkeypatch.setattr(loopback_listener, "MOST_CONNECTIONS", 50)  # a test may open a thousand files only
    clock = HandClock()
    door = Door(tmp_path, clock)
    async with door.streaming.served(door.socket), AsyncExitStack() as stack:
        url = urlsplit(await door.url(""))
        callers = []

        async def call() -> Caller:
            caller = Caller(*await asyncio.open_connection(url.hostname, url.port))
            stack.callback(caller.writer.close)
            callers.append(caller)
            return caller

        staying = await call()
        path = door.streaming.exec_path("1", cri.ExecRequest(cmd=["cat"], stdin=True))
        assert "101" in (await staying.upgrade(path, **{VERSIONS: "v4.channel.k8s.io"}))[0]
        for _ in range(49):
            await call()
        await until(lambda: door.open_connections() == 50)
        with suppress(ConnectionError):
            assert await (await call()).reader.read() == b""
        ours = Caller(*await asyncio.open_unix_connection(door.socket))
        stack.callback(ours.writer.close)
        assert "404" in (await ours.upgrade("/exec/none"))[0]
        await clock.advance(REQUEST_S)
        await until(lambda: door.open_connections() <= 2)
        staying.writer.write(control(6, (1).to_bytes(4)))
        assert (await staying.hear(last=6))[-1].numbers == (1,)

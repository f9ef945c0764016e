"""Our channel against a server of gRPC's own library: every arity, errors, metadata, sizes, ends, and servers that go."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.client.tls import ClientTls
from machinery.process.clock import WALL
from machinery.rpc import connection as connections
from machinery.rpc.channel import Channel
from machinery.rpc.status import Closed, Code, Metadata, NotConnected, RpcError
from tests.support.grpc_peer import SERVICE, EchoServer, serving
from tests.support.waiting import pause, until

MIB = 1024 * 1024


class Echo:
    """A client of the service."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.ask = channel.unary_unary(f"/{SERVICE}/Ask", bytes, bytes)
        self.answers = channel.unary_stream(f"/{SERVICE}/Answers", bytes, bytes)
        self.talk = channel.stream_stream(f"/{SERVICE}/Talk", bytes, bytes)


class Pair(NamedTuple):
    """A client and the server that it talks to."""

    echo: Echo
    server: EchoServer


@contextlib.contextmanager
def pki() -> Iterator[Pki]:
    """Make an authority with a server and a client."""
    with tempfile.TemporaryDirectory() as folder:
        made = Pki(Path(folder))
        made.ensure_authority()
        made.ensure(Certificate("server", "server", hosts=("kubelet-7",)))
        made.ensure(Certificate("client", "client"))
        yield made


def client_tls(made: Pki, name: str = "client", server_name: str = "kubelet-7") -> ClientTls:
    """Return the client's side."""
    return ClientTls(
        str(made.certificate("ca")), str(made.certificate(name)), str(made.key(name)), server_name
    )


def server_credentials(made: Pki) -> grpc.ServerCredentials:
    """Return the server's side: it wants to know who comes."""
    pair = (made.key("server").read_bytes(), made.certificate("server").read_bytes())
    authority = made.certificate("ca").read_bytes()
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=True)


@pytest.fixture(params=["tls", "unix", "plain"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    """A pair over each of the three transports."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "tls":
            made = stack.enter_context(pki())
            server, port = await stack.enter_async_context(serving(credentials=server_credentials(made)))
            channel = client_tls(made).channel(f"127.0.0.1:{port}", WALL)
        elif request.param == "unix":
            address = f"unix:{tempfile.mkdtemp(dir='/tmp')}/s"
            server, _ = await stack.enter_async_context(serving(address))
            channel = Channel(address, WALL)
        else:
            server, port = await stack.enter_async_context(serving())
            channel = Channel(f"127.0.0.1:{port}", WALL)
        stack.push_async_callback(channel.close)
        yield Pair(Echo(channel), server)


@pytest.fixture
async def plain() -> AsyncIterator[Pair]:
    """A pair without TLS."""
    async with serving() as (server, port):
        channel = Channel(f"127.0.0.1:{port}", WALL)
        yield Pair(Echo(channel), server)
        await channel.close()


async def test_every_arity(pair: Pair) -> None:
    """One answer, a stream of answers, streams both ways."""
    echo = pair.echo
    assert await echo.ask(b"hello") == b"hello"
    assert await echo.ask(b"") == b""
    assert [len(each) async for each in echo.answers(b"3 10")] == [10, 10, 10]
    call = echo.talk()
    for number in range(5):
        await call.write(b"%d" % number)
        assert await call.read() == b"%d" % number
    await call.write(b"end")
    assert await call.read() is None


async def test_large_messages_cross_both_ways(pair: Pair) -> None:
    """20 MB, as an answer, as a request, in a stream."""
    size = 20 * MIB
    assert len(await pair.echo.ask(b"bytes %d" % size)) == size
    assert await pair.echo.ask(bytes(size)) == bytes(size)
    assert [len(each) async for each in pair.echo.answers(b"2 %d" % size)] == [size, size]
    call = pair.echo.talk()
    await call.write(bytes(size))
    assert len(await call.read()) == size
    call.cancel()


async def test_errors_have_code_text_and_trailers(pair: Pair) -> None:
    """Of calls and of streams, also with letters that are not ASCII."""
    with pytest.raises(RpcError) as raised:
        await pair.echo.ask("fail FAILED_PRECONDITION etwas fehlt: 100 % süß".encode())
    assert (raised.value.code, raised.value.details) == (
        Code.FAILED_PRECONDITION,
        "etwas fehlt: 100 % süß",
    )
    assert set(raised.value.trailers) >= {("why", "told"), ("why-bin", b"\0\xff")}
    call = pair.echo.answers(b"fail")
    assert await call.read() == b"one"
    with pytest.raises(RpcError, match="ABORTED: after one") as raised:
        await call.read()
    assert ("why-bin", b"x") in raised.value.trailers


async def test_an_unknown_method_is_unimplemented(plain: Pair) -> None:
    """A server answers it with trailers only."""
    nothing = plain.echo.channel.unary_unary(f"/{SERVICE}/Nothing", bytes, bytes)
    with pytest.raises(RpcError) as raised:
        await nothing(b"")
    assert raised.value.code is Code.UNIMPLEMENTED
    call = plain.echo.channel.stream_stream("/none.Such/Talk", bytes, bytes)()
    await call.begun()
    with pytest.raises(RpcError) as raised:
        await call.read()
    assert raised.value.code is Code.UNIMPLEMENTED


async def test_metadata_goes_there_and_comes_back(pair: Pair) -> None:
    """Text and bytes; of the answer with it."""
    told: list[Metadata] = []
    sent = (("caller", "me"), ("long", "x" * 3000), ("data-bin", bytes(range(256))))
    answer = await pair.echo.ask(b"metadata", metadata=sent, on_trailers=told.append)
    assert eval(answer) == sorted(sent)
    [trailers] = told
    assert set(trailers) >= {("server", "peer"), ("odd-bin", b"\1\2\3")}


async def test_large_metadata_is_split_into_frames(plain: Pair) -> None:
    """In the headers of a request, and in the trailers of an answer."""
    sent = (("long", "y" * 50_000),)
    assert eval(await plain.echo.ask(b"metadata", metadata=sent)) == list(sent)
    with pytest.raises(RpcError) as raised:
        await plain.echo.ask(b"fail ABORTED " + b"long text " * 5_000)
    assert raised.value.details == "long text " * 5_000


async def test_a_deadline_is_told_and_kept(pair: Pair) -> None:
    """The server knows it; the call ends with it, and the server hears that nobody waits."""
    assert 40 < float(await pair.echo.ask(b"deadline", timeout=60)) <= 60
    assert float(await pair.echo.ask(b"deadline", timeout=200_000)) > 190_000
    for call in (pair.echo.ask(b"wait", timeout=0.2), pair.echo.answers(b"wait", timeout=0.2).read()):
        with pytest.raises(RpcError) as raised:
            await call
        assert raised.value.code is Code.DEADLINE_EXCEEDED
    await until(lambda: pair.server.cancelled == pair.server.waiting)


async def test_who_stops_waiting_is_known_to_the_server(pair: Pair) -> None:
    """A cancelled task and a cancelled stream; the connection goes on."""
    task = asyncio.ensure_future(pair.echo.ask(b"wait"))
    stream = pair.echo.answers(b"wait")
    await stream.begun()
    reader = asyncio.ensure_future(stream.read())
    await until(lambda: pair.server.waiting == 2)
    task.cancel()
    assert stream.cancel()
    assert not stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reader is None
    await until(lambda: pair.server.cancelled == 2)
    assert await pair.echo.ask(b"still there") == b"still there"


async def test_a_thousand_calls_at_once(pair: Pair) -> None:
    """Each has its own answer."""
    calls = [pair.echo.ask(b"%d" % number, timeout=60) for number in range(1_000)]
    assert await asyncio.gather(*calls) == [b"%d" % number for number in range(1_000)]


async def test_calls_wait_for_room(tmp_path: Path) -> None:
    """Where the server takes few at a time."""
    options = {"max_concurrent_streams": 3, "http.overload_protection": 0}  # that one refuses at random
    async with serving(**options) as (_, port):
        echo = Echo(Channel(f"127.0.0.1:{port}", WALL))
        talks = [echo.talk() for _ in range(3)]
        for talk in talks:
            await talk.write(b"hello")
            assert await talk.read() == b"hello"
        more = [asyncio.ensure_future(echo.ask(b"%d" % number, timeout=30)) for number in range(20)]
        with pytest.raises(RpcError) as raised:
            await echo.ask(b"late", timeout=0.2)
        assert raised.value.code is Code.DEADLINE_EXCEEDED
        assert not any(each.done() for each in more)
        for talk in talks:
            await talk.write(b"end")
        assert await asyncio.gather(*more) == [b"%d" % number for number in range(20)]
        await echo.channel.close()


async def test_a_slow_reader_stops_the_server(pair: Pair) -> None:
    """No more waits here than a window; all of it comes when it is read."""
    call = pair.echo.answers(b"2000 16384")
    assert await call.read() is not None
    last = -1
    while pair.server.sent != last:  # until the server stands still
        last = pair.server.sent
        await asyncio.sleep(0.3)
    assert last < 1_000
    numbers = [int.from_bytes(each[:4]) async for each in call]
    assert numbers == list(range(1, 2_000))


async def test_closing_ends_what_is_under_way(pair: Pair) -> None:
    """As unavailable; afterwards nothing begins."""
    echo = pair.echo
    call, stream = asyncio.ensure_future(echo.ask(b"wait")), echo.answers(b"wait")
    await stream.begun()
    await echo.channel.close()
    for work in (call, stream.read()):
        with pytest.raises(RpcError) as raised:
            await work
        assert raised.value.code is Code.UNAVAILABLE
    for work in (echo.ask(b""), echo.talk().write(b"")):
        with pytest.raises(Closed):
            await work


async def test_a_server_that_goes_away_finishes_what_it_has() -> None:
    """New calls go to whoever is there then; closing the channel ends those on both connections."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        address = f"unix:{folder}/s"
        echo, server = Echo(Channel(address, WALL)), grpc.aio.server()
        server.add_generic_rpc_handlers((EchoServer().handlers(),))
        server.add_insecure_port(address)
        await server.start()
        talk, other = echo.talk(), echo.talk()
        for each in (talk, other):
            await each.write(b"before")
            assert await each.read() == b"before"
        stopping = asyncio.ensure_future(server.stop(60))
        await until(lambda: not _is_ready(echo))
        async with serving(address) as (_, _port):
            assert await echo.ask(b"new") == b"new"
            await talk.write(b"after")
            assert await talk.read() == b"after"
            await talk.write(b"end")
            assert await talk.read() is None
            await echo.channel.close()
            with pytest.raises(RpcError) as raised:
                await other.read()
            assert raised.value.code is Code.UNAVAILABLE
        await stopping


async def test_who_is_not_the_server_is_not_talked_to() -> None:
    """A name that its certificate does not carry, and an authority that did not sign it."""
    with pki() as made, pki() as other:
        async with serving(credentials=server_credentials(made)) as (_, port):
            address = f"127.0.0.1:{port}"
            strangers = [
                client_tls(made, server_name="kubelet-8"),
                client_tls(made, server_name=""),
                client_tls(other),
                ClientTls(str(made.certificate("ca")), server_name="kubelet-7"),  # nobody's
            ]
            for tls in strangers:
                channel = tls.channel(address, WALL)
                with pytest.raises(NotConnected, match="cannot connect"):
                    await channel.unary_unary(f"/{SERVICE}/Ask", bytes, bytes)(b"", timeout=60)
                await channel.close()


class Process:
    """The server as a process of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._running: subprocess.Popen[str] | None = None

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        command = [sys.executable, "-m", "tests.support.grpc_peer", self.address]
        self._running = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, text=True)
        assert self._running.stdout is not None
        assert await asyncio.to_thread(self._running.stdout.readline) == "serving\n"

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._running is not None
        self._running.send_signal(number)

    def stop(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.kill()
            self._running.communicate()
            self._running = None


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    """A server that is not started yet."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        made = Process(f"unix:{folder}/s")
        yield made
        made.stop()


async def test_a_server_that_comes_back_is_found(process: Process) -> None:
    """Calls fail at once while it is away, as not sent; what was under way as unavailable."""
    echo = Echo(Channel(process.address, WALL))
    for _ in range(3):
        with pytest.raises(NotConnected):
            await echo.ask(b"early", timeout=60)
    for _ in range(2):
        await process.start()
        await until(lambda: _answers(echo))
        lost, stream = asyncio.ensure_future(echo.ask(b"wait")), echo.answers(b"wait")
        await stream.begun()
        process.stop()
        for work in (lost, stream.read()):
            with pytest.raises(RpcError) as raised:
                await work
            assert raised.value.code is Code.UNAVAILABLE
            assert not isinstance(raised.value, NotConnected)
        with pytest.raises(NotConnected):
            await echo.ask(b"late", timeout=60)
    await echo.channel.close()


async def test_a_frozen_server_is_noticed(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the pings that it does not answer, without a deadline; one that is only idle is kept."""
    for name, seconds in (("PING_AFTER_S", 0.2), ("ANSWER_S", 3.0), ("PING_AGAIN_S", 0.1)):
        monkeypatch.setattr(connections, name, seconds)
    await process.start()
    echo = Echo(Channel(process.address, WALL))
    idle = echo.answers(b"wait")
    await idle.begun()
    reader = asyncio.ensure_future(idle.read())
    await pause(4, "longer than a frozen one has")
    assert not reader.done()
    process.send(signal.SIGSTOP)
    with pytest.raises(RpcError, match="the server has been silent"):
        await reader
    process.send(signal.SIGCONT)
    await until(lambda: _answers(echo))
    await echo.channel.close()


async def test_a_server_that_wants_fewer_pings_gets_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends the connection, as a container runtime in Go does, until they are seldom enough."""
    monkeypatch.setattr(connections, "PING_AFTER_S", 0.05)
    monkeypatch.setattr(connections, "PING_AGAIN_S", 0.05)
    options = {"http2.max_ping_strikes": 1, "http2.min_recv_ping_interval_without_data_ms": 200}
    async with serving(**options) as (_, port):
        echo, lost = Echo(Channel(f"127.0.0.1:{port}", WALL)), 0
        while True:
            idle = echo.answers(b"wait")
            await idle.begun()
            reader = asyncio.ensure_future(idle.read())
            done, _pending = await asyncio.wait(
                (reader,), timeout=2 if lost else 60
            )  # it is ended once at least
            if not done:
                break
            with pytest.raises(RpcError):
                reader.result()
            lost += 1
        assert 1 <= lost <= 6
        idle.cancel()
        await reader
        await echo.channel.close()


def _is_ready(echo: Echo) -> bool:
    return echo.channel.ready is not None


async def _answers(echo: Echo) -> bool:
    with contextlib.suppress(NotConnected):
        return bool(await echo.ask(b"there?", timeout=60))
    return False

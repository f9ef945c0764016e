"""Our server with a client of gRPC's own library: every arity, errors, metadata, sizes, ends, and clients that go."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity import signing
from kubarium.identity.pki import Pki
from machinery.process.server import GrpcServer, ListenError, bound_ports, grpc_server, peer
from machinery.process.tls import ServerTls
from machinery.rpc.service import Method
from machinery.rpc.status import Code, RpcError
from tests.support.waiting import stays, until

MIB = 1024 * 1024
ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Service:
    """Handlers of every arity; what they have seen is in `seen`."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.running = 0

    def methods(self) -> dict[str, Method]:
        """Return them as a server serves them."""
        return {
            "/s/Echo": Method(self.echo, bytes, None, asks_one=True, answers_one=True),
            "/s/Fail": Method(self.fail, bytes, None, asks_one=True, answers_one=True),
            "/s/Wait": Method(self.wait, bytes, None, asks_one=True, answers_one=True),
            "/s/Count": Method(self.count, bytes, None, asks_one=True, answers_one=False),
            "/s/Join": Method(self.join, bytes, None, asks_one=False, answers_one=True),
            "/s/Talk": Method(self.talk, bytes, None, asks_one=False, answers_one=False),
        }

    async def echo(self, request: bytes, context: Any) -> bytes:
        self.seen.append((context.invocation_metadata(), peer(context)))
        context.set_trailing_metadata((("kubarium-server", "me"), ("end-bin", b"\0\xff")))
        return request

    async def fail(self, request: bytes, _context: Any) -> bytes:
        if request == b"bug":
            raise KeyError("bug")
        raise RpcError(Code.ABORTED, "größer: 100 %\n", (("status-bin", bytes(100_000)),))

    async def wait(self, request: bytes, _context: Any) -> bytes:
        self.running += 1
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        finally:
            self.running -= 1
        return request

    async def count(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        await context.send_initial_metadata(())
        size, number = map(int, request.split())
        self.running += 1
        try:
            for index in range(number):
                self.seen.append(index)
                yield bytes(size)
            if not size:
                await asyncio.get_running_loop().create_future()
        finally:
            self.running -= 1

    async def join(self, requests: AsyncIterator[bytes], _context: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def talk(self, requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        yield b"hello"
        async for request in requests:
            yield request


@pytest.fixture
def service() -> Service:
    return Service()


@contextlib.asynccontextmanager
async def serving(
    service: Service, address: str, tls: ServerTls | None = None, **more: Any
) -> AsyncIterator[GrpcServer]:
    """Serve the handlers on an address."""
    handlers: Any = [SimpleNamespace(methods=service.methods())]
    server = grpc_server([address], tls, handlers, **more)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


def server_tls(pki: Pki, **more: Any) -> ServerTls:
    files = (str(pki.certificate("apiserver")), str(pki.key("apiserver")), str(pki.certificate("ca")))
    return ServerTls(*files, **more)


def credentials(pki: Pki, name: str) -> grpc.ChannelCredentials:
    """Return a client's side; "" comes without a certificate."""
    pair = (pki.key(name).read_bytes(), pki.certificate(name).read_bytes()) if name else (None, None)
    return grpc.ssl_channel_credentials(pki.certificate("ca").read_bytes(), *pair)


@pytest.fixture(params=["unix", "tls"])
async def channel(
    request: pytest.FixtureRequest, service: Service, pki: Pki, tmp_path: Path
) -> AsyncIterator[grpc.aio.Channel]:
    """A client of gRPC's own library, over both transports."""
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "unix":
            await stack.enter_async_context(serving(service, f"unix:{tmp_path}/s"))
            made = grpc.aio.insecure_channel(f"unix:{tmp_path}/s", options=ANY_SIZE)
        else:
            server = await stack.enter_async_context(serving(service, "127.0.0.1:0", server_tls(pki)))
            made = grpc.aio.secure_channel(
                f"localhost:{bound_ports(server)[0]}", credentials(pki, "admin"), options=ANY_SIZE
            )
        async with made:
            yield made


async def test_one_request_has_one_answer(channel: grpc.aio.Channel, service: Service) -> None:
    """With its trailers; the handler sees text and bytes of the metadata, and who came."""
    call = channel.unary_unary("/s/Echo")(b"ask", metadata=(("a", "b c"), ("c-bin", b"\0\xff"), ("a", "d")))
    assert await call == b"ask"
    assert tuple(await call.trailing_metadata()) == (("kubarium-server", "me"), ("end-bin", b"\0\xff"))
    [(metadata, who)] = service.seen
    told = [pair for pair in metadata if pair[0] != "user-agent"]
    assert sorted(told, key=lambda pair: pair[0]) == [("a", "b c"), ("a", "d"), ("c-bin", b"\0\xff")]
    assert "grpc-python" in dict(metadata)["user-agent"]
    assert who.common_name in {"", "kubernetes-admin"}


async def test_every_arity(channel: grpc.aio.Channel) -> None:
    """Streams either way and both ways, and empty ones."""
    counted = channel.unary_stream("/s/Count")(b"3 4")
    assert [message async for message in counted] == [bytes(3)] * 4
    assert [message async for message in channel.unary_stream("/s/Count")(b"1 0")] == []
    assert await channel.stream_unary("/s/Join")(iter([b"a", b"", b"b"])) == b"ab"
    assert await channel.stream_unary("/s/Join")(iter([])) == b""
    talk = channel.stream_stream("/s/Talk")()
    assert await talk.read() == b"hello"  # the server may begin
    for number in range(5):
        await talk.write(b"%d" % number)
        assert await talk.read() == b"%d" % number
    await talk.done_writing()
    assert await talk.read() is grpc.aio.EOF
    assert await talk.code() is grpc.StatusCode.OK


async def test_large_messages_cross_both_ways(channel: grpc.aio.Channel) -> None:
    """20 MB, alone, next to another, and in streams."""
    content = bytes(range(256)) * (20 * MIB // 256)
    both = await asyncio.gather(*(channel.unary_unary("/s/Echo")(content) for _ in range(2)))
    assert both == [content, content]
    talk = channel.stream_stream("/s/Talk")(iter([content, b"", content]))
    assert [len(message) async for message in talk] == [5, 20 * MIB, 0, 20 * MIB]


async def test_an_error_has_a_code_a_text_and_trailers(service: Service, tmp_path: Path) -> None:
    """Text that is no ASCII, trailers larger than a frame: a Status with many causes."""
    options = [("grpc.max_metadata_size", 256 * 1024), ("grpc.absolute_max_metadata_size", 512 * 1024)]
    async with (
        serving(service, f"unix:{tmp_path}/s"),
        grpc.aio.insecure_channel(f"unix:{tmp_path}/s", options=options) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/s/Fail")(b"")
    assert raised.value.code() is grpc.StatusCode.ABORTED
    assert raised.value.details() == "größer: 100 %\n"
    assert tuple(raised.value.trailing_metadata()) == (("status-bin", bytes(100_000)),)


async def test_a_bug_is_the_servers_fault(
    channel: grpc.aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged with its trace; the client hears no more than that."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary("/s/Fail")(b"bug")
    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]


async def test_what_is_not_served_is_unimplemented(channel: grpc.aio.Channel) -> None:
    """Methods that are not there, and messages in gzip."""
    for call in (
        channel.unary_unary("/s/Nothing")(b""),
        channel.stream_unary("/t/Echo")(iter(())),  # one that still sends would say that it cannot
        channel.unary_unary("/s/Echo")(bytes(1_000), compression=grpc.Compression.Gzip),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_thousand_calls_at_once(channel: grpc.aio.Channel) -> None:
    """And more than a connection may have: those wait."""
    calls = [channel.unary_unary("/s/Echo")(b"%d" % number) for number in range(2_500)]
    assert await asyncio.gather(*calls) == [b"%d" % number for number in range(2_500)]


async def test_a_handler_hears_of_a_client_that_gives_up(channel: grpc.aio.Channel, service: Service) -> None:
    """A call that asks one thing, and a stream: both handlers are cancelled."""
    call = channel.unary_unary("/s/Wait")(b"")
    stream = channel.unary_stream("/s/Count")(b"0 1")
    assert await stream.read() == b""
    await until(lambda: service.running == 2)
    call.cancel()
    stream.cancel()
    await until(lambda: not service.running)
    assert "cancelled" in service.seen


async def test_a_handler_hears_of_a_connection_that_goes(channel: grpc.aio.Channel, service: Service) -> None:
    """All of its calls are cancelled."""
    stream = channel.unary_stream("/s/Count")(b"0 1")
    assert await stream.read() == b""
    await channel.close(None)
    await until(lambda: not service.running)


async def test_a_deadline_ends_the_call_and_its_handler(channel: grpc.aio.Channel, service: Service) -> None:
    """On both sides."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await channel.unary_unary("/s/Wait")(b"", timeout=0.2)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: not service.running)
    assert await channel.unary_unary("/s/Echo")(b"next", timeout=60) == b"next"


async def test_a_slow_reader_stops_the_writer(channel: grpc.aio.Channel, service: Service) -> None:
    """The handler waits; what it has written ahead is bounded. When the client reads, it goes on."""
    stream = channel.unary_stream("/s/Count")(b"100000 2000")
    await until(lambda: len(service.seen) > 5)
    await stays(lambda: len(service.seen) < 500, for_s=0.5)
    assert sum([len(message) async for message in stream]) == 200_000_000


async def test_a_server_that_stops_lets_calls_end(service: Service, tmp_path: Path) -> None:
    """Within its grace; a new call has to find another server. What has not ended then is told so."""
    async with (
        serving(service, f"unix:{tmp_path}/s") as server,
        grpc.aio.insecure_channel(f"unix:{tmp_path}/s", options=ANY_SIZE) as channel,
    ):
        talk, waiting = channel.stream_stream("/s/Talk")(), channel.unary_unary("/s/Wait")(b"")
        assert await talk.read() == b"hello"
        await until(lambda: service.running == 1)
        stopping = asyncio.ensure_future(server.stop(1))
        await talk.write(b"still here")
        assert await talk.read() == b"still here"
        await talk.done_writing()
        assert await talk.code() is grpc.StatusCode.OK
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await waiting
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        await stopping
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/s/Echo")(b"")
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert not (tmp_path / "s").exists()


async def test_a_message_larger_than_allowed_is_exhaustion(service: Service, tmp_path: Path) -> None:
    """Alone: the connection goes on."""
    async with (
        serving(service, f"unix:{tmp_path}/s", largest_bytes=MIB),
        grpc.aio.insecure_channel(f"unix:{tmp_path}/s", options=ANY_SIZE) as channel,
    ):
        assert len(await channel.unary_unary("/s/Echo")(bytes(MIB))) == MIB
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await channel.unary_unary("/s/Echo")(bytes(30 * MIB))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await channel.unary_unary("/s/Echo")(b"next") == b"next"


async def test_clients_are_known_by_their_certificates(service: Service, pki: Pki) -> None:
    """Whoever has none, one of another authority, or one that is over, gets no call through."""
    pki.ensure_authority("others")
    before = signing._LIFETIME
    signing._LIFETIME = timedelta(seconds=-30)
    try:
        pki.ensure(Certificate("over", "system:over"))
    finally:
        signing._LIFETIME = before
    async with serving(service, "127.0.0.1:0", server_tls(pki)) as server:
        address = f"localhost:{bound_ports(server)[0]}"
        for name, is_let_in in (("admin", True), ("", False), ("over", False), ("front", False)):
            made = credentials(pki, name) if name != "front" else _strangers(pki)
            async with grpc.aio.secure_channel(address, made) as channel:
                if is_let_in:
                    assert await channel.unary_unary("/s/Echo")(b"me") == b"me"
                    assert service.seen[-1][1].common_name == "kubernetes-admin"
                    assert service.seen[-1][1].organizations == ("system:masters",)
                    continue
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await channel.unary_unary("/s/Echo")(b"me")
                assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert len(service.seen) == 1


def _strangers(pki: Pki) -> grpc.ChannelCredentials:
    """Return a client's side whose certificate is of another authority."""
    others = Pki(pki.certificate("ca").parent / "others")
    others.ensure(Certificate("front", "kubernetes-admin", ("system:masters",)))
    pair = (others.key("front").read_bytes(), others.certificate("front").read_bytes())
    return grpc.ssl_channel_credentials(pki.certificate("ca").read_bytes(), *pair)


async def test_a_client_may_be_let_in_without_a_certificate(service: Service, pki: Pki) -> None:
    """Where the server does not insist: it is nobody."""
    async with serving(service, "127.0.0.1:0", server_tls(pki, require_client=False)) as server:
        address = f"localhost:{bound_ports(server)[0]}"
        async with grpc.aio.secure_channel(address, credentials(pki, "")) as channel:
            assert await channel.unary_unary("/s/Echo")(b"me") == b"me"
    assert service.seen[-1][1].common_name == ""


async def test_a_frozen_client_is_given_up(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not answer pings any more; a healthy one that says nothing is kept."""
    monkeypatch.setattr("machinery.rpc.server.TICK_S", 1.0)
    async with (
        serving(service, f"unix:{tmp_path}/s"),
        grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        quiet = channel.unary_stream("/s/Count")(b"0 1")
        assert await quiet.read() == b""
        async with frozen(f"unix:{tmp_path}/s"):
            await until(lambda: service.running == 1)
        await stays(lambda: service.running == 1, for_s=4)
        quiet.cancel()


@contextlib.asynccontextmanager
async def frozen(address: str) -> AsyncIterator[None]:
    """Open a stream from another process, and stop that in the middle of it."""
    program = f"""
import grpc
answers = grpc.insecure_channel({address!r}).unary_stream("/s/Count")(b"0 1")
next(answers)
print("up", flush=True)
next(answers)
"""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert client.stdout is not None
        assert await client.stdout.readline() == b"up\n"
        client.send_signal(signal.SIGSTOP)
        yield
    finally:
        client.kill()
        await client.wait()


async def test_an_address_in_use_is_named(service: Service, pki: Pki, tmp_path: Path) -> None:
    """A port, a file that is no socket, what is no address; a socket that a dead server left is no hindrance."""
    async with serving(service, "127.0.0.1:0", server_tls(pki)) as server:
        taken = f"127.0.0.1:{bound_ports(server)[0]}"
        with pytest.raises(ListenError, match=re.escape(f"cannot listen on {taken}: ")):
            grpc_server([taken], server_tls(pki), [])
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ListenError, match="a file that is no socket"):
        grpc_server([f"unix:{tmp_path}/file"], None, [])
    assert (tmp_path / "file").read_text() == "precious"
    for address in (
        "127.0.0.1:99999",
        "127.0.0.1:",
        "127.0.0.1",
        "no.such.host.invalid:1",
        f"unix:{tmp_path}/no/s",
    ):
        with pytest.raises(ListenError, match=re.escape(address)):
            grpc_server([address], server_tls(pki), [])
    with pytest.raises(ListenError, match="no certificate"):
        grpc_server(["127.0.0.1:0"], None, [])
    async with serving(service, f"unix:{tmp_path}/s"):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
        async with serving(service, f"unix:{tmp_path}/s"):
            pass
    async with (
        serving(service, f"unix:{tmp_path}/s"),
        grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel,
    ):
        assert await channel.unary_unary("/s/Echo")(b"new") == b"new"


async def test_who_speaks_http1_is_closed(service: Service, tmp_path: Path) -> None:
    """At once, and cleanly."""
    async with serving(service, f"unix:{tmp_path}/s"):
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/s")
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(60):
            await reader.read()
        writer.close()

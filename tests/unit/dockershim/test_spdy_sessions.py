"""exec, attach and port-forward over SPDY before and after their streams are there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dockershim.command_sessions import Client, say_error
from dockershim.core.stream_protocols import SPDY, STDERR, STDOUT, Size, exit_status
from dockershim.port_forward import PortForwarding
from dockershim.spdy_client import CREATION_S, GOODBYE_S, serve_command
from machinery.model.errors import Conflict
from machinery.spdy.protocol import CANCEL, REFUSED_STREAM
from tests.support.memory_wire import MemoryWire
from tests.support.spdy_peer import (
    DATA,
    FIN,
    GOAWAY,
    RST_STREAM,
    SYN_REPLY,
    Frame,
    SpdyPeer,
    control,
    data,
    u32,
)
from tests.support.virtual_clock import VirtualClock

V4, V3, _, V1 = SPDY
TERMINAL = frozenset({"error", "stdin", "stdout", "resize"})
PLAIN = frozenset({"error", "stdout", "stderr"})


class Process:
    """What a client's input comes to."""

    def __init__(self) -> None:
        self.stdin = b""
        self.has_ended = False
        self.sizes: list[Size] = []

    async def write(self, data: bytes) -> None:
        self.stdin += data

    def end_input(self) -> None:
        self.has_ended = True

    async def resize(self, size: Size) -> None:
        self.sizes.append(size)


class Talk:
    """A client, and the session that it has reached."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.wire: Any = MemoryWire()
        self.peer = SpdyPeer()

    @asynccontextmanager
    async def serving(
        self,
        session: Callable[[Client], Awaitable[None]],
        types: frozenset[str] = PLAIN,
        protocol: str = V4,
    ) -> AsyncIterator[asyncio.Task[str]]:
        """Serve a session while inside."""
        task = asyncio.create_task(serve_command(self.wire, protocol, types, session, self.clock))
        await self.wire.settle()
        yield task
        task.cancel()
        await asyncio.wait({task})

    async def open(self, *kinds: str, first: int = 1) -> None:
        """Open streams, with consecutive ids."""
        for number, kind in enumerate(kinds):
            await self.wire.feed(self.peer.open(first + 2 * number, streamtype=kind))

    def heard(self) -> list[Frame]:
        """Read what the client was sent."""
        return self.peer.read(self.wire.take())


@pytest.fixture
def talk() -> Talk:
    return Talk()


async def test_a_session_begins_when_all_streams_are_there(talk: Talk):
    """In whatever order they are opened; its output goes to its stream, its outcome to that for errors."""
    begun = asyncio.Event()

    async def session(client: Client) -> None:
        begun.set()
        await client.write(STDOUT, b"out")
        await client.write(STDERR, b"err")
        await client.finish(exit_status(3))

    async with talk.serving(session) as task:
        await talk.open("stderr", "stdout")
        assert not begun.is_set()
        await talk.open("error", first=5)
        assert begun.is_set()
        frames = [frame for frame in talk.heard() if frame.kind != SYN_REPLY]
        assert frames[:2] == [Frame(DATA, 0, (3,), b"out"), Frame(DATA, 0, (1,), b"err")]
        assert json.loads(frames[2].data)["reason"] == "NonZeroExitCode"
        assert {frame.numbers for frame in frames[3:6]} == {(1,), (3,), (5,)}
        assert {frame.flags for frame in frames[3:6]} == {FIN}
        assert frames[6] == Frame(GOAWAY, 0, (5, 0))
        assert not task.done()
        await talk.wire.end()
        assert await task == ""


async def test_a_client_that_does_not_close_has_a_while(talk: Talk):
    """Then the connection ends all the same."""

    async def session(_client: Client) -> None:
        return

    async with talk.serving(session) as task:
        await talk.open("error", "stdout", "stderr")
        await talk.clock.advance(GOODBYE_S)
        assert await task == ""


async def test_input_sizes_and_the_end_of_input_reach_the_process(talk: Talk):
    """Until the client leaves, which ends the session's feed and not the session."""
    process = Process()
    fed = asyncio.Event()

    async def session(client: Client) -> None:
        await client.feed(process)
        fed.set()

    async with talk.serving(session, TERMINAL) as task:
        await talk.open("error", "stdin", "stdout", "resize")
        await talk.wire.feed(
            data(3, b"in") + data(7, b'{"Width":80,') + data(3, b"put") + data(7, b'"Height":24}')
        )
        assert (process.stdin, process.sizes, process.has_ended) == (b"input", [Size(80, 24)], False)
        await talk.wire.feed(data(3, b"", FIN))
        assert process.has_ended
        assert not fed.is_set()
        await talk.wire.end()
        assert fed.is_set()
        await task


async def test_streams_that_do_not_come_are_waited_for_half_a_minute(talk: Talk):
    """The client is told which ones, if it can be told anything."""

    async def session(_client: Client) -> None:
        raise AssertionError("there is no session")

    async with talk.serving(session):
        await talk.open("error", "stdout")
        await talk.clock.advance(CREATION_S - 1)
        assert {frame.kind for frame in talk.heard()} == {SYN_REPLY}
        await talk.clock.advance(1)
        text, *ends = talk.heard()
        assert json.loads(text.data)["message"] == "timed out waiting for client to create streams: stderr"
        assert ends[-1] == Frame(GOAWAY, 0, (3, 0))


async def test_a_client_that_leaves_early_has_no_session(talk: Talk):
    """Its URL is used up."""

    async def session(_client: Client) -> None:
        raise AssertionError("there is no session")

    async with talk.serving(session) as task:
        await talk.open("error")
        await talk.wire.end()
        with pytest.raises(ConnectionResetError, match="before it had opened its streams"):
            await task


@pytest.mark.parametrize("kind", ["stdout", "stdin", "resize", "data", "", "Error"])
async def test_only_what_was_asked_for_can_be_opened_once(talk: Talk, kind: str):
    """Another stream is refused; the session begins all the same."""
    begun = asyncio.Event()

    async def session(_client: Client) -> None:
        begun.set()

    async with talk.serving(session):
        await talk.open("stdout")
        talk.heard()
        await talk.open(kind, first=3)
        assert talk.heard() == [Frame(RST_STREAM, 0, (3, REFUSED_STREAM))]
        await talk.open("stderr", "error", first=5)
        assert begun.is_set()


@pytest.mark.parametrize("protocol", [V1, V3])
async def test_an_older_client_is_told_errors_as_text(talk: Talk, protocol: str):
    """No JSON before v4."""

    async def session(client: Client) -> None:
        await say_error(client, Conflict("container x does not run"))

    async with talk.serving(session, PLAIN, protocol):
        await talk.open("error", "stdout", "stderr")
        assert b"container x does not run" in [frame.data for frame in talk.heard()]


async def test_output_for_a_stream_that_a_client_has_reset_is_dropped(talk: Talk):
    """The other streams go on; with the connection all is over."""
    go_on = asyncio.Event()
    problems = []

    async def session(client: Client) -> None:
        await go_on.wait()
        await client.write(STDERR, b"dropped")
        await client.write(STDOUT, b"read")
        await talk.wire.end()
        for stream in (STDOUT, STDERR):
            try:
                await client.write(stream, b"x")
            except ConnectionResetError as error:
                problems.append(error)

    async with talk.serving(session) as task:
        await talk.open("error", "stdout", "stderr")
        await talk.wire.feed(control(RST_STREAM, u32(5) + u32(CANCEL)))
        talk.heard()
        go_on.set()
        await task
    assert [frame.data for frame in talk.heard() if frame.kind == DATA and frame.data] == [b"read"]
    assert len(problems) == 2


class Forward:
    """A client that forwards ports; the sandbox refuses every connection."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.wire: Any = MemoryWire()
        self.peer = SpdyPeer()
        self.dialled: list[int] = []

    async def _dial(self, port: int) -> Any:
        self.dialled.append(port)
        raise ConnectionRefusedError("nobody listens")

    async def open(self, id_: int, **headers: str) -> list[Frame]:
        """Open a stream; return what comes back."""
        await self.wire.feed(self.peer.open(id_, **headers))
        return self.peer.read(self.wire.take())

    async def serve(self) -> str:
        """Serve until the client leaves."""
        return await PortForwarding("0123", self._dial, self.clock).serve(self.wire)


@pytest.fixture
async def forward() -> AsyncIterator[Forward]:
    forward = Forward()
    task = asyncio.create_task(forward.serve())
    await forward.wire.settle()
    yield forward
    await forward.wire.end()
    assert await task == ""


async def test_a_connection_has_two_streams_that_name_its_port(forward: Forward):
    """What goes wrong is told on the one for errors; then both end."""
    accepted = Frame(SYN_REPLY, 0, (1,), headers={})
    assert await forward.open(1, streamtype="error", port="81", requestid="0") == [accepted]
    assert forward.dialled == []
    reply, *told = await forward.open(3, streamtype="data", port="81", requestid="0")
    assert reply.numbers == (3,)
    text = b"error forwarding port 81 to pod 0123, uid : nobody listens"
    assert told == [Frame(DATA, 0, (1,), text), Frame(DATA, FIN, (3,)), Frame(DATA, FIN, (1,))]
    assert forward.dialled == [81]


async def test_connections_may_be_opened_across_each_other(forward: Forward):
    """Their ids tell them apart; without ids, the order does."""
    await forward.open(1, streamtype="error", port="81", requestid="a")
    await forward.open(3, streamtype="error", port="82", requestid="b")
    await forward.open(5, streamtype="data", port="82", requestid="b")
    assert forward.dialled == [82]
    await forward.open(7, streamtype="data", port="81", requestid="a")
    await forward.open(9, streamtype="error", port="83")
    await forward.open(11, streamtype="data", port="83")
    assert forward.dialled == [82, 81, 83]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"streamtype": "data"},
        {"streamtype": "stdin", "port": "80"},
        {"streamtype": "data", "port": "0"},
        {"streamtype": "data", "port": "65536"},
        {"streamtype": "data", "port": "http"},
    ],
)
async def test_streams_that_name_no_port_or_another_type_are_refused(
    forward: Forward, headers: dict[str, str]
):
    """The others go on."""
    assert await forward.open(1, **headers) == [Frame(RST_STREAM, 0, (1, REFUSED_STREAM))]


async def test_a_stream_can_come_once(forward: Forward):
    """The second of its kind is refused."""
    await forward.open(1, streamtype="data", port="80", requestid="1")
    assert await forward.open(3, streamtype="data", port="80", requestid="1") == [
        Frame(RST_STREAM, 0, (3, REFUSED_STREAM))
    ]


async def test_a_stream_without_its_other_is_given_up(forward: Forward):
    """After half a minute."""
    await forward.open(1, streamtype="data", port="80", requestid="1")
    await forward.clock.advance(CREATION_S - 1)
    assert forward.peer.read(forward.wire.take()) == []
    await forward.clock.advance(1)
    assert forward.peer.read(forward.wire.take()) == [Frame(RST_STREAM, 0, (1, CANCEL))]

"""The REST door and clients that begin something and do not go on, or send more than they may."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import fields
from typing import Final, NamedTuple, TypeAlias

import pytest

from apiserver.rest.connection import Connection
from apiserver.rest.limits import Limits
from kubarium.identity.pki import Pki
from tests.support.apiserver import Served, serving
from tests.support.rest_door import MAPS, Wire, config_map, creation, request
from tests.support.stalls import Stalls, taking
from tests.support.waiting import pause, until
from tests.support.yardstick import times_slower

Dial: TypeAlias = Callable[..., Awaitable[Wire]]

LIMITS: Final = Limits(handshake_s=2.0, head_s=1.0, idle_s=5.0, plain_body_s=0.3, answer_s=3.0, stalled_s=2.0)
WAYS: Final = ((), ("TE: trailers",))  # headers that leave a request to the door, and to aiohttp
HALF: Final = b"GET /version HTTP/1.1\r\nHost: ku"


@pytest.fixture
async def served(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver whose REST door is an impatient one."""
    limits = {f"rest_{field.name}": getattr(LIMITS, field.name) for field in fields(LIMITS)}
    async with serving(pki, **limits) as running:
        yield running


@pytest.fixture
async def narrow(pki: Pki) -> AsyncIterator[Served]:
    """An apiserver whose REST door has little room, and patience."""
    async with serving(pki, rest_greetings=5, rest_connections=8) as running:
        yield running


@pytest.fixture
def address(served: Served) -> tuple[str, int]:
    """Where it listens."""
    host, _, port = served.config.rest_listen[0].rpartition(":")
    return host, int(port)


@pytest.fixture
async def dial(served: Served, address: tuple[str, int]) -> AsyncIterator[Dial]:
    """Return a way to connect, as the admin or as nobody."""
    opened: list[Wire] = []

    async def connect(identity: str = "admin", *, buffer_bytes: int = 0) -> Wire:
        context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
        if identity:
            context.load_cert_chain(served.pki.certificate(identity), served.pki.key(identity))
        sock = socket.socket()
        sock.setblocking(False)
        if buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        await asyncio.get_running_loop().sock_connect(sock, address)
        streams = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=address[0])
        opened.append(Wire(*streams))
        return opened[-1]

    yield connect
    for wire in opened:
        wire.writer.transport.abort()


class Took(NamedTuple):
    """How long something took."""

    wall_s: float
    own_s: float  # without the time in which the machine itself stood still


async def end_of(wire: Wire) -> tuple[bytes, Took]:
    """Read until the connection ends, and return what came and how long that took."""
    with Stalls() as stalls:
        began = time.monotonic()
        async with asyncio.timeout(60):
            try:
                rest = await wire.reader.read()
            except ConnectionError:
                rest = b"reset"
        took_s = time.monotonic() - began
    return rest, Took(took_s, took_s - stalls.total_s)


def test_a_head_may_not_take_longer_than_a_pause() -> None:
    """Else the connection would be closed as idle meanwhile."""
    with pytest.raises(ValueError, match="longer"):
        Limits(head_s=90)


async def test_a_new_connection_has_the_time_of_a_head(dial: Dial) -> None:
    """Whether nothing comes on it or half a head, it is closed without an answer."""
    silent, half = await dial(), await dial()
    await half.send(HALF)
    for wire in (silent, half):
        rest, took = await end_of(wire)
        assert rest == b""
        assert took.own_s < LIMITS.idle_s - 0.2


@pytest.mark.parametrize("way", WAYS)
async def test_half_a_head_ends_a_connection_without_an_answer(dial: Dial, way: tuple[str, ...]) -> None:
    """The time counts from its first byte; more bytes do not prolong it."""
    wire = await dial()
    for _ in range(3):
        await wire.send(request("GET", "/version", *way))
        assert (await wire.answer())[0] == 200
        await pause(0.3, "an idle connection has another limit")
    end = asyncio.ensure_future(end_of(wire))
    for byte in HALF:
        if not end.done():
            wire.writer.write(bytes([byte]))
            await pause(0.05, "a slow client")
    rest, took = await end
    assert rest == b""
    assert took.wall_s > LIMITS.head_s - 0.05
    assert took.own_s < LIMITS.idle_s - 0.7


@pytest.mark.parametrize("way", WAYS)
async def test_an_idle_connection_is_closed(dial: Dial, way: tuple[str, ...]) -> None:
    """It is kept for longer than a head may take."""
    wire = await dial()
    await wire.send(request("GET", "/version", *way))
    await wire.answer()
    rest, took = await end_of(wire)
    assert rest == b""
    assert took.wall_s > LIMITS.idle_s - 0.1
    assert took.own_s < LIMITS.idle_s + 5


@pytest.mark.parametrize("lengths", [("Content-Length: 1000",), ("Transfer-Encoding: chunked",)])
async def test_a_body_that_stays_away_is_a_timeout(dial: Dial, lengths: tuple[str, ...]) -> None:
    """The answer is what Kubernetes gives when a request takes too long, and the connection ends."""
    wire = await dial()
    await wire.send(request("POST", MAPS, *lengths), b"3\r\n{}\n\r\n")
    with taking(less_than_s=LIMITS.answer_s + LIMITS.plain_body_s + 5):
        status, _, body = await wire.answer()
    assert (status, json.loads(body)["reason"], json.loads(body)["code"]) == (504, "Timeout", 504)
    assert "allotted timeout" in json.loads(body)["message"]


async def test_a_slow_body_is_waited_for(dial: Dial) -> None:
    """Longer than a plain one; the connection goes on to be of use."""
    wire = await dial()
    whole = creation("a")
    await wire.send(whole[:-10])
    await pause(2 * LIMITS.plain_body_s, "a slow client")
    await wire.send(whole[-10:] + request("GET", f"{MAPS}/a"))
    assert [(await wire.answer())[0] for _ in range(2)] == [201, 200]


async def test_a_large_body_that_is_slow_is_no_head(dial: Dial) -> None:
    """However much of it has come together with the head."""
    wire = await dial()
    whole = request("POST", MAPS, body=json.dumps(config_map("a")).encode() + b" " * 2_000_000)
    await wire.send(whole[:-10])
    await pause(2 * LIMITS.plain_body_s, "a slow client")
    await wire.send(whole[-10:])
    assert (await wire.answer())[0] == 201


async def test_who_may_not_write_is_told_before_the_body_has_come(dial: Dial) -> None:
    """Nobody's body is waited for until the limit of the answer."""
    wire = await dial("")
    await wire.send(request("POST", MAPS, "Content-Length: 1000"))
    with taking(less_than_s=LIMITS.answer_s):
        assert (await wire.answer())[0] == 403


async def test_a_handshake_that_stops_is_given_up(address: tuple[str, int]) -> None:
    """Whether it has begun or not."""
    for hello in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
        wire = Wire(*await asyncio.open_connection(*address))
        await wire.send(hello)
        rest, took = await end_of(wire)
        assert rest in (b"", b"reset")
        assert took.own_s < LIMITS.handshake_s + 5
        wire.writer.close()


async def test_a_stream_outlasts_every_limit(dial: Dial) -> None:
    """A watch on which nothing happens for longer than all of them still tells of the next event."""
    wire, other = await dial(), await dial()
    await wire.send(request("GET", f"{MAPS}?watch=true"))
    async with asyncio.timeout(60):
        await wire.reader.readuntil(b"\r\n\r\n")
        await pause(LIMITS.answer_s + LIMITS.idle_s + 0.3, "longer than every limit")
        assert (await end_of(other))[0] == b""
        writer = await dial()
        await writer.send(creation("late"))
        assert b'"late"' in await wire.reader.readuntil(b'"late"')


async def test_a_request_that_takes_long_keeps_its_connection(
    served: Served, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is not idle while it waits for its answer."""

    async def slowly() -> None:
        await pause(LIMITS.idle_s + 0.5, "a slow server")

    wire = await dial()
    monkeypatch.setattr(served.core.registry, "wait_open", slowly)
    await wire.send(request("GET", MAPS))
    assert (await wire.answer())[0] == 200


async def _large_list(wire: Wire) -> None:
    """Ask for more than the buffers of sockets hold."""
    for number in range(12):
        body = json.dumps(config_map(f"large-{number}", key="v" * 900_000)).encode()
        await wire.send(request("POST", MAPS, body=body))
        assert (await wire.answer())[0] == 201
    await wire.send(request("GET", MAPS))


async def test_who_takes_a_large_answer_slowly_gets_all_of_it(dial: Dial) -> None:
    """And has the time of an idle connection only then."""
    wire = await dial(buffer_bytes=64 * 1024)
    await _large_list(wire)
    began = time.monotonic()
    head = await wire.reader.readuntil(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length: ")[2].split()[0])
    while left:
        left -= len(await wire.reader.readexactly(min(left, 256 * 1024)))
        await asyncio.sleep(0.14)
    assert time.monotonic() - began > LIMITS.idle_s
    await wire.send(request("GET", f"{MAPS}/large-1"))
    assert (await wire.answer())[0] == 200


async def test_who_takes_nothing_of_a_large_answer_is_given_up(dial: Dial) -> None:
    """It does not keep the answer in memory."""
    wire = await dial(buffer_bytes=64 * 1024)
    await _large_list(wire)
    await pause(LIMITS.stalled_s + 0.5, "a client that takes nothing")
    rest, _ = await end_of(wire)
    assert len(rest) < 12 * 900_000


FLOODS: Final = {
    "one line": b"X: " + b"a" * (2 * 1024 * 1024),
    "the request line": b"",
    "long lines": b"\r\n".join(b"X-%d: " % n + b"a" * 50_000 for n in range(40)),
    "many lines": b"\r\n".join(b"X-%d: y" % n for n in range(150_000)),
    "empty lines": b"\r\n".join([b"a:"] * 500_000),
    "one name": b"\r\n".join([b"Accept: a"] * 150_000),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("way", [None, *WAYS])
async def test_a_flood_of_headers_is_refused(
    dial: Dial,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    flood: str,
    way: tuple[str, ...] | None,
) -> None:
    """With a status of the client's fault, without keeping the others waiting, and without filling the log."""
    longest_s = 0.0
    real = Connection.data_received

    def timed(self: Connection, data: bytes) -> None:
        nonlocal longest_s
        began = time.thread_time()
        real(self, data)
        longest_s = max(longest_s, time.thread_time() - began)

    monkeypatch.setattr(Connection, "data_received", timed)
    wire = await dial()
    if way is not None:
        await wire.send(request("GET", "/version", *way))
        assert (await wire.answer())[0] == 200
    first = b"GET /version?%b HTTP/1.1\r\n" % (b"a" * 2_000_000 if flood == "the request line" else b"")
    with suppress(ConnectionError):
        await wire.send(first + b"Host: kube\r\n" + FLOODS[flood] + b"\r\n\r\n")
    async with asyncio.timeout(60):
        line = await wire.reader.readline()
    assert 400 <= int(line.split()[1]) < 500
    rest, took = await end_of(wire)
    assert took.own_s < 10
    assert b"HTTP/" not in rest
    assert longest_s < 0.1 * times_slower()
    assert not caplog.records


async def _connected(served: Served, *, context: ssl.SSLContext | None) -> Wire:
    host, _, port = served.config.rest_listen[0].rpartition(":")
    name = host if context else None
    return Wire(*await asyncio.open_connection(host, int(port), ssl=context, server_hostname=name))


def _as_admin(served: Served) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    context.load_cert_chain(served.pki.certificate("admin"), served.pki.key("admin"))
    return context


async def test_connections_without_a_handshake_have_little_room(narrow: Served) -> None:
    """Those that have stood there longest are cut; who shakes hands comes through and is answered."""
    plain = [await _connected(narrow, context=None) for _ in range(40)]
    for wire in plain[:35]:
        rest, _ = await end_of(wire)
        assert rest in (b"", b"reset")
    wire = await _connected(narrow, context=_as_admin(narrow))
    await wire.send(request("GET", "/version"))
    assert (await wire.answer())[0] == 200
    for each in (wire, *plain):
        each.writer.transport.abort()


async def test_many_connections_at_once_have_no_more_room(narrow: Served) -> None:
    """Also where all of them come before the first of those above has gone."""
    host, _, port = narrow.config.rest_listen[0].rpartition(":")
    plain = [socket.create_connection((host, int(port))) for _ in range(200)]
    await until(lambda: sum(map(_is_cut, plain)) == 195, what="the end of those above the room")
    for client in plain:
        client.close()


def _is_cut(client: socket.socket) -> bool:
    try:
        return not client.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def test_who_never_asks_makes_room(narrow: Served) -> None:
    """Where all of them have asked, the new one is turned away, and none of the others is."""
    context = _as_admin(narrow)
    silent = [await _connected(narrow, context=context) for _ in range(8)]
    asking = []
    for number in range(8):
        asking.append(await _connected(narrow, context=context))
        await asking[-1].send(request("GET", "/version"))
        assert (await asking[-1].answer())[0] == 200
        assert (await end_of(silent[number]))[0] in (b"", b"reset")
        silent[number].writer.transport.abort()
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await _connected(narrow, context=context)
    last = asking.pop()
    last.writer.transport.abort()
    await until(lambda: _is_answered(narrow, context), what="a place that became free is taken")
    for wire in asking:
        await wire.send(request("GET", "/version"))
        assert (await wire.answer())[0] == 200
        wire.writer.transport.abort()


async def _is_answered(served: Served, context: ssl.SSLContext) -> bool:
    try:
        wire = await _connected(served, context=context)
    except OSError:
        return False
    await wire.send(request("GET", "/version"))
    status, _, _ = await wire.answer()
    wire.writer.transport.abort()
    return status == 200

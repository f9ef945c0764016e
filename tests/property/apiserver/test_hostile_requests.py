"""Whatever comes in at the front doors: each has its answer, none is the server's fault, nothing ends, no step is long.

Everything is drawn from a seed, which a failure names together with the request; so a failure can be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import pytest

from apiserver.request import UserInfo
from apiserver.rest import connection, door
from apiserver.rest.door import Door
from apiserver.rest.limits import Limits
from apiserver.rest.listener import Listener
from machinery.process.tls import ANONYMOUS, Peer
from machinery.rpc.status import RpcError
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.rpc_errors import from_rpc
from tests.support import hostile
from tests.support.apiserver import ADMIN, RegistryBench, running_registry
from tests.support.both_doors import BothDoors, both_doors, furnish, rest_services
from tests.support.examples import first_seeds
from tests.support.loop_steps import Steps, measured_steps
from tests.support.memory_connection import HandClock, MemoryClient

STRANGER: Final = UserInfo("somebody", groups=("system:authenticated",))
MASTER: Final = Peer("kubernetes-admin", ("system:masters",))
PEERS: Final = (MASTER, MASTER, MASTER, MASTER, Peer("somebody", ("strangers",)), Peer("system:node:node-1", ("system:nodes",)), ANONYMOUS)  # fmt: skip
LIMITS: Final = Limits()
_AT_ONCE: Final = 16
_PATIENCE_S: Final = (
    0.1  # wall seconds for which a client waits that may have said only half of what it should
)
_SENTINEL: Final = b"GET /version HTTP/1.1\r\nHost: kube\r\n\r\n"
_NOT_BUILT: Final = 501
_LATE: Final = 504  # a body that stays away, a revision that is still to come


@asynccontextmanager
async def rest_door(bench: RegistryBench) -> AsyncIterator[Listener]:
    """Put the REST door before a registry, up to the bytes of its connections."""
    services = rest_services(bench, bench.core.authenticator)
    services.health.is_ready = True
    served = Door(services, LIMITS)
    listener = Listener(served, LIMITS, wall_s=bench.clock.now)
    try:
        yield listener
    finally:
        await served.end_streams()
        await listener.shutdown(1.0)


class Conversation:
    """One hostile request, whole or scrambled, and a plain one behind it where the door knows where that begins."""

    def __init__(self, listener: Listener, random: Random) -> None:
        drawn = hostile.request(random)
        self._peer = random.choice(PEERS)
        self._is_whole = drawn.is_whole and random.random() < 0.75
        self._data = drawn.data + _SENTINEL if self._is_whole else hostile.scrambled(random, drawn.data)
        self._piece = random.choice((1 + len(self._data) // 50, 64 * 1024))
        self._client = MemoryClient(listener, self._peer)

    async def hold(self) -> None:
        """Send it all, and wait for what is to be expected."""
        await self._client.send(self._data, piece=self._piece)
        if self._is_whole:
            await self._client.answered(2)
        else:
            await self._client.answered(1, patience_s=_PATIENCE_S)

    def end(self) -> None:
        """Look at what has come, after all limits are over, and leave.

        Raises:
            AssertionError: an answer is the server's fault, or there is none.
        """
        try:
            self._check()
        except AssertionError as error:
            text = f"{self._peer.common_name} sent {self._data[:3_000]!r} and got {self._client.statuses}"
            raise AssertionError(text) from error
        finally:
            self._client.leave()

    def _check(self) -> None:
        client = self._client
        for status in client.statuses:
            assert status < 500 or status in {_NOT_BUILT, _LATE}, "the server's fault"
        assert client.statuses or (client.is_closed and not self._is_whole), "no answer"
        if self._is_whole and not client.is_closed and not client.is_streaming:
            assert client.statuses[1:] in ([200], [403]), "the next request is not understood"


async def call(doors: BothDoors, random: Random, steps: Steps) -> None:
    """Make one hostile call at the gRPC door.

    Raises:
        AssertionError: the answer is the server's fault.
    """
    with steps.apart():
        method, data = hostile.message(random)
        metadata = hostile.metadata(random)
    doors.caller.user = random.choice((ADMIN, ADMIN, ADMIN, STRANGER))
    path = f"/{SERVICE_PATH}/{method}"
    try:
        if SERVICE.methods_by_name[method].server_streaming:
            await _first(doors.channel.unary_stream(path, bytes, bytes)(data, metadata=metadata))
        else:
            await doors.channel.unary_unary(path, bytes, bytes)(data, metadata=metadata)
    except RpcError as error:
        code = from_rpc(error).code
        if code >= 500 and code not in {_NOT_BUILT, _LATE}:
            raise AssertionError(f"{method} {data[:3_000]!r} {metadata!r}") from error


async def _first(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        break
    stream.cancel()  # type: ignore[attr-defined]  # as a call of gRPC


async def at_rest(seed: int, count: int, clock: HandClock, steps: Steps) -> None:
    """Drive the REST door with so many conversations, several at a time; then let all limits pass."""
    async with running_registry() as bench, rest_door(bench) as listener:
        await furnish(bench)
        room = asyncio.Semaphore(_AT_ONCE)

        async def hold(conversation: Conversation) -> None:
            async with room:
                await conversation.hold()

        with steps.apart():
            conversations = [Conversation(listener, Random(f"{seed}/{number}")) for number in range(count)]
        await asyncio.gather(*map(hold, conversations))
        await clock.advance(LIMITS.head_s + LIMITS.answer_s)
        with steps.apart():
            for conversation in conversations:
                conversation.end()
        await _still_serves(listener)


async def _still_serves(listener: Listener) -> None:
    client = MemoryClient(listener, MASTER)
    await client.send(_SENTINEL)
    await client.answered(1)
    assert client.statuses == [200]
    client.leave()


async def at_grpc(seed: int, count: int, steps: Steps) -> None:
    """Drive the gRPC door with so many calls."""
    async with running_registry() as bench, both_doors(bench) as doors:
        await furnish(bench)
        for number in range(count):
            await call(doors, Random(f"{seed}/{number}"), steps)


@pytest.mark.parametrize("seed", first_seeds(2, quick=1))
def test_hostile_requests_at_the_rest_door(
    seed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Every one of them is answered, and the connection is good for the next request or closed."""
    clock = HandClock()
    for module in (connection, door):
        monkeypatch.setattr(module, "WALL", clock)
    with measured_steps(monkeypatch) as steps:
        asyncio.run(at_rest(seed, 300, clock, steps))
    steps.check(f"a request of seed {seed}")
    assert not caplog.records


@pytest.mark.parametrize("seed", first_seeds(2, quick=1))
def test_hostile_calls_at_the_grpc_door(
    seed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages as they should be, with odd values, and bytes that are no messages."""
    with measured_steps(monkeypatch) as steps:
        asyncio.run(at_grpc(seed, 600, steps))
    steps.check(f"a call of seed {seed}")
    assert not caplog.records

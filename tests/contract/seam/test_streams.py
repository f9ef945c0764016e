"""What the table of `machinery.model.fault_plan` says of streams, on every conversation alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kubarium.identity.pki import Pki
from machinery.model.errors import Expired, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, Rule
from machinery.pb import node_pb2
from machinery.rpc.status import RpcError
from tests.support.apiserver import serving
from tests.support.conversations import Conversation, Next, echoing_kubelet
from tests.support.pod_conversations import echoing_container, heard, pod_streams
from tests.support.stalls import taking
from tests.support.waiting import pause, stays, until

WITHIN_S = 60.0


@asynccontextmanager
async def talking(about: Conversation) -> AsyncIterator[Next]:
    """Open the stream, and let it say something again and again, as long as the block lasts."""
    assert about.stream is not None
    async with about.stream() as read:
        over = asyncio.Event()
        prompting = asyncio.create_task(prompt(about, over))
        try:
            async with asyncio.timeout(WITHIN_S):
                yield read
        finally:
            over.set()
            await prompting  # to its end: what it was about to make would be left behind


async def prompt(about: Conversation, over: asyncio.Event) -> None:
    """Make the stream say something every now and then."""
    assert about.provoke is not None
    while not over.is_set():
        await about.provoke()
        await asyncio.sleep(0.05)


async def test_a_healthy_stream_tells_everything(streams: Conversation) -> None:
    """With a plan that is about others."""
    streams.faults.use(FaultPlan((Rule(Fault.DROP, method="Another"),)))
    async with talking(streams) as read:
        await read()
        await read()


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_REPLY])
async def test_a_stream_that_is_lost_breaks(streams: Conversation, fault: Fault) -> None:
    """Before its first item."""
    streams.faults.use(streams.plan(fault, streams.stream_method, delay_s=0.1))
    with pytest.raises(Unavailable):
        async with talking(streams) as read:
            await read()


async def test_a_stream_may_be_late(streams: Conversation) -> None:
    """It is opened after the delay."""
    streams.faults.use(streams.plan(Fault.DELAY, streams.stream_method, delay_s=0.2))
    with taking(at_least_s=0.2, less_than_s=WITHIN_S):
        async with talking(streams) as read:
            await read()


async def test_a_stream_may_be_expired(streams: Conversation) -> None:
    """The next one is not."""
    streams.faults.use(streams.plan(Fault.EXPIRED, streams.stream_method, count=1))
    with pytest.raises(Expired):
        async with talking(streams) as read:
            await read()
    async with talking(streams) as read:
        await read()


async def test_a_cut_is_silence_then_a_break(streams: Conversation) -> None:
    """What is said meanwhile is not heard; a new stream is as good as ever."""
    async with talking(streams) as read:
        await read()
        streams.faults.use(streams.plan(Fault.CUT, streams.stream_method))
        waiting = asyncio.ensure_future(silent(read))
        await stays(lambda: not waiting.done(), for_s=0.3)
        streams.faults.use(NO_PLAN)
        with pytest.raises(Unavailable):
            await waiting
    async with talking(streams) as read:
        await read()


async def silent(read: Next) -> None:
    """Read until the stream breaks; what was on its way before the cut may still come."""
    while True:
        await read()


async def test_the_end_of_a_cut_breaks_a_stream_that_had_nothing_to_say(streams: Conversation) -> None:
    """Whoever waits for its next item learns of it at once."""
    assert streams.stream is not None
    async with asyncio.timeout(WITHIN_S), streams.stream() as read:
        waiting = asyncio.ensure_future(silent(read))
        await pause(0.2, "until it is open; a stream that opens in a cut breaks at its end as well")
        streams.faults.use(streams.plan(Fault.CUT, streams.stream_method))
        await stays(lambda: not waiting.done(), for_s=0.1)
        streams.faults.use(NO_PLAN)
        with pytest.raises(Unavailable):
            await waiting


async def test_a_stream_that_begins_in_a_cut_breaks_when_it_ends(streams: Conversation) -> None:
    """It is not silent for ever."""
    streams.faults.use(streams.plan(Fault.CUT, streams.stream_method))

    async def opened() -> None:
        async with talking(streams) as read:
            await silent(read)

    waiting = asyncio.ensure_future(opened())
    await until(lambda: any(tally.applied for _, tally in streams.faults.tallies()))
    await stays(lambda: not waiting.done(), for_s=0.2)
    streams.faults.use(NO_PLAN)
    with pytest.raises(Unavailable):
        await waiting


async def test_a_cut_holds_both_directions_of_a_stream() -> None:
    """What is written into it does not arrive; its end breaks the writer and the reader."""
    async with echoing_kubelet() as (kubelet, stub, faults), asyncio.timeout(WITHIN_S):
        call = stub.Exec()
        await call.write(node_pb2.StreamInput(stdin=b"before"))
        assert (await call.read()).stdout == b"before"
        faults.use(FaultPlan((Rule(Fault.CUT, method="Exec"),)))
        writing = asyncio.ensure_future(call.write(node_pb2.StreamInput(stdin=b"into")))
        reading = asyncio.ensure_future(call.read())
        done, _ = await asyncio.wait((writing, reading), timeout=0.2)
        assert not done
        faults.use(NO_PLAN)
        for each in (writing, reading):
            with pytest.raises(RpcError, match="cut"):
                await each
        assert kubelet.heard == [b"before"]
        again = stub.Exec()
        await again.write(node_pb2.StreamInput(stdin=b"after"))
        assert (await again.read()).stdout == b"after"
        again.cancel()


async def test_a_cut_at_the_rest_door_holds_what_is_typed(pki: Pki) -> None:
    """Until its end, which breaks the command; what was said before has arrived."""
    async with (
        serving(pki, faults_file="/nonexistent/faults.json", record_messages=9) as served,
        pod_streams(served) as pod,
        asyncio.timeout(WITHIN_S),
        pod.socket() as socket,
    ):
        await socket.send_bytes(b"\x00before")
        await until(lambda: pod.kubelet.heard == [b"before"])
        served.process.faults.use(
            FaultPlan((Rule(Fault.CUT, protocol="rest", method="Exec", side="server"),))
        )
        await socket.send_bytes(b"\x00into")
        await stays(lambda: pod.kubelet.heard == [b"before"], for_s=0.2)
        served.process.faults.use(NO_PLAN)
        with pytest.raises(Unavailable):
            await heard(socket)
        assert pod.kubelet.heard == [b"before"]


@pytest.mark.docker
async def test_a_cut_holds_both_directions_of_a_connection_that_is_taken_over() -> None:
    """The engine hears nothing of what is written into it; its end breaks whoever writes."""
    async with echoing_container() as container, asyncio.timeout(WITHIN_S):
        taken = await container.engine.attach(container.id, stdin=True)
        witness = await container.healthy.attach(container.id, stdin=False)
        await taken.write(b"before\n")
        assert await witness.read() != b""
        container.faults.use(FaultPlan((Rule(Fault.CUT, protocol="docker"),)))
        writing = asyncio.ensure_future(taken.write(b"into\n"))
        echo = asyncio.ensure_future(witness.read())
        await stays(lambda: not writing.done() and not echo.done(), for_s=0.2)
        container.faults.use(NO_PLAN)
        with pytest.raises(Unavailable):
            await writing
        echo.cancel()
        for each in (taken, witness):
            each.close()

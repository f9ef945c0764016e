"""What a recorder sees of every conversation: who, what, about what, because of what, and how it ended."""

from __future__ import annotations

import asyncio

import pytest

from machinery.model.causes import CauseRef
from machinery.model.errors import ApiError
from machinery.model.fault_plan import Fault
from machinery.process.recorder import CallKey, Recorded
from machinery.wire.cause_headers import acting
from tests.support.conversations import Conversation

CAUSE = CauseRef("pods", "default", "web-1", "uid-1", 7)


def of_call(about: Conversation) -> list[Recorded]:
    """Return what was recorded of the conversation's call."""
    return [
        each
        for each in about.recorder.latest()
        if (each.message.ends, each.message.method) == (about.ends, about.method)
    ]


async def test_a_call_is_recorded_with_its_outcome(calls: Conversation) -> None:
    """The body can still be read."""
    assert calls.call is not None
    with acting((CAUSE,)):
        await calls.call(5)
    (recorded,) = of_call(calls)
    message, outcome = recorded.message, recorded.outcome
    assert (message.about, message.causes) == (calls.about, (CAUSE,))
    assert outcome.error is None
    assert outcome.took_s > 0
    assert calls.recorder.counts[CallKey(calls.ends, calls.method, "")] == 1
    if calls.ends.protocol != "docker":  # to start a container needs no body
        assert message.body()
        assert outcome.size > 0


async def test_what_the_caller_has_to_bear_is_recorded(calls: Conversation) -> None:
    """An error that a plan made, too."""
    assert calls.call is not None
    calls.faults.use(calls.plan(Fault.EXPIRED, calls.method))
    with pytest.raises(ApiError):
        await calls.call(5)
    (recorded,) = of_call(calls)
    assert recorded.outcome.error is not None
    assert recorded.outcome.error.reason == "Expired"
    assert calls.recorder.counts[CallKey(calls.ends, calls.method, "Expired")] == 1


async def test_a_stream_is_recorded_when_it_ends(streams: Conversation) -> None:
    """With the number of its items; that its reader leaves is no error."""
    assert streams.stream is not None
    assert streams.provoke is not None
    async with streams.stream() as read:
        waiting = asyncio.ensure_future(read())
        while not waiting.done():
            await streams.provoke()
            await asyncio.sleep(0.02)
        await waiting
        assert not of_stream(streams)
    async with asyncio.timeout(60):
        while not (found := of_stream(streams)):
            await asyncio.sleep(0.01)
    assert found[0].outcome.error is None
    assert found[0].outcome.size >= 1


def of_stream(about: Conversation) -> list[Recorded]:
    """Return what was recorded of the conversation's stream."""
    return [
        each
        for each in about.recorder.latest()
        if (each.message.ends, each.message.method) == (about.ends, about.stream_method)
    ]

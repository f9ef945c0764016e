import asyncio
from collections.abc import AsyncIterator

import pytest

from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.model.errors import Unavailable
from machinery.model.resources import EVENTS
from tests.support import builders
from tests.support.scripted_api import LocalRegistry, ScriptedApi, local_registry
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def server(clock) -> AsyncIterator[LocalRegistry]:
    async with local_registry(clock) as registry:
        yield registry


@pytest.fixture
def api(server) -> ScriptedApi:
    return server.api()


@pytest.fixture
def recorder(api, clock) -> EventRecorder:
    return EventRecorder(api, component="kubelet", host="node-1", clock=clock)


async def events(server: LocalRegistry) -> list:
    return (await server.user.list(EVENTS)).items


async def test_equal_events_are_one_with_a_count(server, recorder, clock):
    """Count and lastTimestamp grow, firstTimestamp stays."""
    for _ in range(3):
        recorder.record(builders.pod("web"), WARNING, "BackOff", "again")
        await recorder.flush()
        await clock.sleep(10)
    (event,) = await events(server)
    assert (event.count, event.reason, event.source.component) == (3, "BackOff", "kubelet")
    assert event.firstTimestamp < event.lastTimestamp


async def test_an_object_that_floods_is_throttled(server, recorder):
    """25 at once, the others are dropped."""
    for number in range(60):
        recorder.record(builders.pod("web"), NORMAL, "Noise", f"number {number}")
    recorder.record(builders.pod("other"), NORMAL, "Noise", "its own budget")
    await recorder.flush()
    names = [event.involvedObject.name for event in await events(server)]
    assert (names.count("web"), names.count("other")) == (25, 1)


async def test_recording_never_waits_for_the_server(server, api, recorder, clock):
    """`run` writes beside the work."""
    task = asyncio.ensure_future(recorder.run())
    await clock.settle()
    recorder.record(builders.pod("web"), NORMAL, "Started", "x")
    assert api.calls == []
    await clock.sleep(1)
    assert len(await events(server)) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_was_written_long_ago_is_forgotten(server, recorder, clock):
    """An equal event after ten quiet minutes is a new one; what pods left behind that are gone goes with it."""
    for number in range(50):
        recorder.record(builders.pod(f"web-{number}"), NORMAL, "Started", "x")
    await recorder.flush()
    assert recorder.remembered == 100  # the event and the budget of each
    await clock.sleep(599)
    recorder.record(builders.pod("web-0"), NORMAL, "Started", "x")
    await recorder.flush()
    assert len(await events(server)) == 50
    await clock.sleep(2)
    recorder.record(builders.pod("web-1"), NORMAL, "Started", "x")
    await recorder.flush()
    assert len(await events(server)) == 51
    assert recorder.remembered == 4


async def test_what_is_remembered_of_events_is_bounded(recorder, monkeypatch):
    """However many objects there were in a short time."""
    monkeypatch.setattr("machinery.client.events._REMEMBERED", 64)
    for number in range(200):
        recorder.record(builders.pod(f"web-{number}"), NORMAL, "Started", "x")
        if number % 40 == 39:
            await recorder.flush()
    assert recorder.remembered == 2 * 64


async def test_what_is_recorded_together_is_written_by_one_request(server, api, recorder, clock):
    """Of different objects, equal ones as one; each of them keeps its own cause."""
    task = asyncio.ensure_future(recorder.run())
    for number in range(20):
        recorder.record(builders.pod(f"web-{number}"), NORMAL, "Started", "x")
        recorder.record(builders.pod(f"web-{number}"), NORMAL, "Started", "x")
    await clock.sleep(1)
    assert [verb for verb, _, _ in api.calls] == ["createeach"]
    assert [event.count for event in await events(server)] == [2] * 20
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_more_than_one_request_may_carry_is_written_by_several(server, api, recorder):
    """In order, nothing left out."""
    for number in range(150):
        recorder.record(builders.pod(f"web-{number}"), NORMAL, "Started", "x")
    await recorder.flush()
    assert [verb for verb, _, _ in api.calls] == ["createeach"] * 3
    assert len(await events(server)) == 150


async def test_an_event_that_is_refused_does_not_keep_the_others(server, recorder):
    """One for a namespace that is not there, one that is no text: both are lost, the next ones are written."""
    recorder.record(builders.pod("web-1"), NORMAL, "Started", "x")
    recorder.record(builders.pod("lost", namespace="gone"), NORMAL, "Started", "x")
    recorder.record(builders.pod("bad"), NORMAL, "Started", "\udcff")
    recorder.record(builders.pod("web-2"), NORMAL, "Started", "x")
    await recorder.flush()
    assert sorted(event.involvedObject.name for event in await events(server)) == ["web-1", "web-2"]


async def test_what_nobody_knows_of_is_written_again(server, api, recorder, clock):
    """A request that does not arrive is made again, with all of its events."""
    failures = 2

    async def fail(_verb: str, _plural: str, _name: str) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise Unavailable("nobody answers")

    api.before_call = fail
    recorder.record(builders.pod("web-1"), NORMAL, "Started", "x")
    recorder.record(builders.pod("web-2"), NORMAL, "Started", "x")
    writing = asyncio.ensure_future(recorder.flush())
    await clock.sleep(5)
    await writing
    assert len(await events(server)) == 2


async def test_a_name_that_is_taken_is_not_the_end(server, clock):
    """Two recorders at one moment, about one object: both events are written."""
    for host in ("node-1", "node-2"):
        recorder = EventRecorder(server.api(host), component="kubelet", host=host, clock=clock)
        recorder.record(builders.pod("web"), NORMAL, "Started", host)
        recorder.record(builders.pod("web"), NORMAL, "Created", host)
        await recorder.flush()
    assert len(await events(server)) == 4

"""The seam's model: what composes, what is bare, which counts a plan keeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dockershim import seam_engine, seam_plugins
from dockershim.cni_plugin import PLUGIN_S, run_plugin
from dockershim.engine_connection import Connection
from machinery.client import seam_channel, seam_transport
from machinery.client.transport import Transport
from machinery.model.errors import ApiError, DeadlineExceeded, Expired, Unavailable
from machinery.model.fault_plan import NO_PLAN, Fault, FaultPlan, Rule, Tallies, carry_over, decide
from machinery.model.seam import Break, Ends, Message, Outcome, compose
from machinery.pb import resources_pb2
from machinery.process import seam_server
from machinery.process.clock import WALL
from machinery.process.config import ComponentConfig
from machinery.process.faults import PlannedFaults
from machinery.process.recorder import Recorder
from machinery.rpc.channel import Channel
from machinery.wire.conversation import Conversation, Reading, no_body
from machinery.wire.services import handler
from tests.support.virtual_clock import VirtualClock
from tests.support.waiting import stays

READING = Reading(str)
ENDS = Ends("scheduler", "apiserver", "resources")
MESSAGE = Message(ENDS, "Create", "pods/default/a", (), no_body)


def test_without_a_seam_everything_is_bare() -> None:
    """There is no adapter to pay for: what goes in comes out, by identity."""
    transport, connection = _Something(), _Something()
    channel = Channel("127.0.0.1:1", WALL)
    service = handler(resources_pb2.DESCRIPTOR.services_by_name["Resources"], "x.Y", object())
    assert seam_transport.through(transport, None, ENDS) is transport
    assert seam_channel.through(channel, None, ENDS) is channel
    assert seam_server.through(service, None, "apiserver") is service
    assert seam_engine.through(connection, None, "dockershim") is connection
    assert seam_plugins.through(run_plugin, None, "dockershim", PLUGIN_S) is run_plugin


class _Something(Transport, Connection):  # type: ignore[misc]  # what it is does not matter
    pass


async def test_an_idle_seam_hands_the_call_itself_on() -> None:
    """The call object that the channel makes is the one that its caller gets."""

    class Calls:
        made: list[Any]

        def unary_unary(self, _path: str, **_codecs: Any) -> Any:
            return lambda request, **options: ("the call", request, options)

    passed = seam_channel.through(Calls(), PlannedFaults(VirtualClock()), ENDS).unary_unary("/x.Y/Get")
    assert passed("request", timeout=1) == ("the call", "request", {"timeout": 1})


class Witness:
    """A seam, and the passage of each of its calls, that say what they are asked."""

    attends = True
    copies = 1

    def __init__(self, name: str, told: list[str], error: ApiError | None = None) -> None:
        self.clock = VirtualClock()
        self.is_idle = False
        self._name = name
        self._told = told
        self._error = error

    def open(self, _message: Message, *, is_stream: bool) -> Witness:
        return self

    async def before(self) -> None:
        self._told.append(f"{self._name} before")
        if self._error:
            raise self._error

    async def answered(self) -> None:
        self._told.append(f"{self._name} answered")

    async def each(self, _item: Any) -> bool:
        self._told.append(f"{self._name} each")
        return True

    def after(self, outcome: Outcome) -> None:
        self._told.append(f"{self._name} after {type(outcome.error).__name__}")

    def on_break(self, _break: Break) -> None:
        """Break nothing."""


async def test_the_first_of_several_seams_is_the_outermost() -> None:
    """It is asked first on the way there, and last on the way back."""
    told: list[str] = []
    seam = compose(Witness("a", told), Witness("b", told))
    assert seam is not None
    assert await Conversation(seam, ENDS, READING).call("Get", "request", answering) == "answer"
    assert told[:4] == ["a before", "b before", "b answered", "a answered"]
    assert told[4:] == ["a after NoneType", "b after NoneType"]


async def test_what_is_refused_is_not_asked_further_in_and_told_to_all() -> None:
    """So a recorder in front of a fault plan has the call."""
    told: list[str] = []
    seam = compose(Witness("a", told, Expired("x")), Witness("b", told))
    assert seam is not None
    with pytest.raises(Expired):
        await Conversation(seam, ENDS, READING).call("Get", "request", answering)
    assert told == ["a before", "a after Expired", "b after Expired"]


async def answering(_left_s: float | None) -> str:
    """Answer."""
    return "answer"


def test_seams_compose_to_one_to_itself_or_to_none() -> None:
    """A single one is not wrapped."""
    alone = Recorder(VirtualClock())
    assert compose() is None
    assert compose(alone) is alone


async def test_a_drop_takes_the_callers_deadline_and_no_real_time() -> None:
    """All waiting is the clock's."""
    clock = VirtualClock()
    faults = PlannedFaults(clock)
    faults.use(FaultPlan((Rule(Fault.DROP),)))
    began = clock.now()
    with pytest.raises(DeadlineExceeded):
        await Conversation(faults, ENDS, READING).call("Get", "request", answering, timeout_s=3600)
    assert clock.now() - began == 3600


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.DROP_REPLY, Fault.CUT])
async def test_a_stream_that_is_silent_ends_at_its_deadline(fault: Fault) -> None:
    """Whether it was never opened, or its first item was lost."""
    clock = VirtualClock()
    faults = PlannedFaults(clock)
    faults.use(FaultPlan((Rule(fault),)))

    async def items() -> AsyncIterator[int]:
        yield 1

    async def read() -> None:
        with Conversation(faults, ENDS, READING).stream("Logs", "request", 60) as passage:
            await passage.begin()
            async for _ in passage.through(items()):
                pass

    began = clock.now()
    with pytest.raises(DeadlineExceeded):
        await read()
    assert clock.now() - began == 60


async def test_a_stream_may_have_less_time_to_open() -> None:
    """As a connection that is taken over has."""
    clock = VirtualClock()
    faults = PlannedFaults(clock)
    faults.use(FaultPlan((Rule(Fault.DROP),)))
    began = clock.now()
    with (
        Conversation(faults, ENDS, READING).stream("POST exec/start", "request") as passage,
        pytest.raises(DeadlineExceeded),
    ):
        await passage.begin(20)
    assert clock.now() - began == 20


async def test_the_end_of_a_cut_wakes_each_stream_once() -> None:
    """Whether it waits for an item of its own or for the end of the cut."""
    faults = PlannedFaults(VirtualClock())
    conversation = Conversation(faults, ENDS, READING)
    quiet: asyncio.Event = asyncio.Event()

    async def items(count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number
        await quiet.wait()

    async def read(count: int) -> list[int]:
        found = []
        with conversation.stream("Watch", "request") as passage:
            async for item in passage.through(items(count)):
                found.append(item)
                if len(found) == 1:
                    faults.use(FaultPlan((Rule(Fault.CUT),)))
        return found

    talking, silent = asyncio.ensure_future(read(2)), asyncio.ensure_future(read(0))
    await stays(lambda: not talking.done() and not silent.done(), for_s=0.01)
    faults.use(FaultPlan((Rule(Fault.CUT, delay_s=1),)))  # another cut: it goes on
    await stays(lambda: not talking.done(), for_s=0.01)
    faults.use(NO_PLAN)
    for each in (talking, silent):
        with pytest.raises(Unavailable):
            await each
        assert each.cancelling() == 0


async def test_a_reader_that_is_cancelled_in_a_cut_stays_cancelled() -> None:
    """The end of the cut is no excuse to go on."""
    faults = PlannedFaults(VirtualClock())
    faults.use(FaultPlan((Rule(Fault.CUT),)))

    async def read() -> None:
        with Conversation(faults, ENDS, READING).stream("Watch", "request") as passage:
            await passage.begin()

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    reading.cancel()
    faults.use(NO_PLAN)
    with pytest.raises(asyncio.CancelledError):
        await reading


def test_a_recorder_forgets_the_oldest_message_and_no_count() -> None:
    """It is bounded."""
    recorder = Recorder(VirtualClock(), limit=2)
    for number in range(5):
        recorder.open(MESSAGE, is_stream=False).after(Outcome(None, number, 0, 0))
    assert [each.outcome.revision for each in recorder.latest()] == [3, 4]
    assert sum(recorder.counts.values()) == 5


DRAWN = Rule(Fault.DROP, method="Get", probability=0.5)


def hits(plan: FaultPlan, calls: int, tallies: Tallies) -> tuple[list[bool], Tallies]:
    """Decide about a few calls under a plan of faults."""
    found = []
    for _ in range(calls):
        rule, tallies = decide(plan, tallies, ENDS, "Get")
        found.append(rule is not None)
    return found, tallies


def test_an_extended_plan_goes_on_where_it_was() -> None:
    """Counts and draws belong to what a rule says, not to its place."""
    plan = FaultPlan((DRAWN,), seed=3)
    extended = FaultPlan((Rule(Fault.CUT, caller="x"), DRAWN, Rule(Fault.DROP, method="Put")), seed=3)
    whole, _ = hits(plan, 40, {})
    first, tallies = hits(plan, 20, {})
    second, _ = hits(extended, 20, carry_over(tallies, plan, extended))
    assert first + second == whole
    assert True in whole
    assert False in whole


def test_another_seed_is_another_plan() -> None:
    """And what a plan no longer says is forgotten."""
    plan = FaultPlan((DRAWN,))
    _, tallies = hits(plan, 3, {})
    assert carry_over(tallies, plan, FaultPlan((DRAWN,), seed=1)) == {}
    assert carry_over(tallies, plan, NO_PLAN) == {}


def test_equal_rules_have_counts_of_their_own() -> None:
    """The first one is used up, then the second."""
    once = Rule(Fault.DROP, method="Get", count=1)
    found, _ = hits(FaultPlan((once, once)), 3, {})
    assert found == [True, True, False]


def test_a_process_to_which_no_plan_can_come_has_no_seam() -> None:
    """Every conversation of it is bare."""
    from machinery.process.logging import Log
    from machinery.process.run import Process

    async def seam_of(**fields: Any) -> Any:
        async with asyncio.TaskGroup() as tasks:
            return Process("x", ComponentConfig(**fields), Log("x"), tasks).seam

    assert asyncio.run(seam_of()) is None
    assert asyncio.run(seam_of(faults_file="/x")) is not None
    assert isinstance(asyncio.run(seam_of(record_messages=5)), Recorder)

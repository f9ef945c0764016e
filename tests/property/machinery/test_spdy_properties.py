"""SPDY's server under any bytes, however they are cut."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from machinery.spdy.header_block import LARGEST_BLOCK
from machinery.spdy.protocol import (
    LARGEST_CONTROL_FRAME,
    MOST_STREAMS,
    Broken,
    Ended,
    Event,
    Opened,
    Received,
    Reset,
    SpdyServer,
)
from tests.support.examples import examples
from tests.support.spdy_peer import FIN, PING, RST_STREAM, SETTINGS, SYN_REPLY, SpdyPeer, control, data, u32

IDS = st.integers(0, 12) | st.integers(0, 2**31 - 1)
NAMES = st.text("abcXYZ", max_size=5)
STEPS = st.one_of(
    st.tuples(
        st.just("open"), IDS, st.sampled_from([0, FIN]), st.dictionaries(NAMES, st.text("xyz\0"), max_size=4)
    ),
    st.tuples(st.just("data"), IDS, st.sampled_from([0, FIN]), st.binary(max_size=100)),
    st.tuples(st.just("reset"), IDS, st.integers(0, 12)),
    st.tuples(st.just("ping"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("reply"), IDS),
    st.tuples(st.just("control"), st.integers(0, 20), st.binary(max_size=40), st.integers(0, 255)),
)
CUTS = st.lists(st.integers(1, 50), min_size=1, max_size=30)


def written(steps: list[Any]) -> bytes:
    """Write what a client does, right or wrong."""
    peer = SpdyPeer()
    frames = []
    for step in steps:
        match step:
            case "open", stream, flags, headers:
                frames.append(peer.open(stream, flags, **headers))
            case "data", stream, flags, payload:
                frames.append(data(stream, payload, flags))
            case "reset", stream, status:
                frames.append(control(RST_STREAM, u32(stream) + u32(status)))
            case "ping", number:
                frames.append(control(PING, u32(number)))
            case "reply", stream:
                frames.append(peer.headers(SYN_REPLY, stream))
            case "control", kind, payload, flags:
                frames.append(control(kind, payload, flags))
    return b"".join(frames)


def heard(wire: bytes, cuts: list[int]) -> tuple[list[Event], bytes]:
    """Feed a server in pieces; return what it said, with data joined, and what it answered."""
    server, events, at, turn = SpdyServer(), list[Event](), 0, 0
    answers = b""
    while at < len(wire):
        size = cuts[turn % len(cuts)]
        for event in server.receive(wire[at : at + size]):
            last = events[-1] if events else None
            if isinstance(event, Received) and isinstance(last, Received) and last.stream == event.stream:
                events[-1] = Received(event.stream, last.data + event.data)
            else:
                events.append(event)
        answers += server.take()
        at, turn = at + size, turn + 1
    return events, answers


@examples(200)
@given(st.lists(STEPS, max_size=20), CUTS)
def test_it_does_not_matter_how_bytes_are_cut(steps: list[Any], cuts: list[int]):
    """Events and answers are those of the whole."""
    wire = written(steps)
    assert heard(wire, cuts) == heard(wire, [len(wire) + 1])


@examples(200)
@given(st.lists(STEPS, max_size=20))
def test_streams_have_a_life(steps: list[Any]):
    """Opened once, with data before the end of it, and nothing after a reset; a broken connection says no more."""
    events, _ = heard(written(steps), [1_000_000])
    open_, ended = set[int](), set[int]()
    for number, event in enumerate(events):
        match event:
            case Opened(stream):
                assert stream % 2 == 1
                assert stream > max(open_ | ended, default=0)
                open_.add(stream)
            case Received(stream, payload):
                assert payload
                assert stream in open_
            case Ended(stream):
                open_.remove(stream)
                ended.add(stream)
            case Reset(stream):
                assert stream in open_ | ended
                open_.discard(stream)
            case Broken():
                assert number == len(events) - 1


@examples(300)
@given(st.binary(max_size=2_000), CUTS)
def test_any_bytes_are_read_in_bounded_memory(noise: bytes, cuts: list[int]):
    """Nothing is raised, and nothing is kept that nobody reads."""
    server = SpdyServer()
    for at in range(0, len(noise), cuts[0]):
        server.receive(noise[at : at + cuts[0]])
        assert len(server._buffer) <= LARGEST_CONTROL_FRAME + cuts[0]
        assert len(server._streams) <= MOST_STREAMS
    assert len(server.take()) <= 16 * (1 + len(noise) // 8)


@examples(200)
@given(st.lists(STEPS, min_size=1, max_size=10), st.data())
def test_a_bit_that_is_wrong_ends_the_connection_or_a_stream(steps: list[Any], choice: st.DataObject):
    """And never the reader."""
    wire = bytearray(written(steps))
    for _ in range(choice.draw(st.integers(1, 4))):
        wire[choice.draw(st.integers(0, len(wire) - 1))] ^= 1 << choice.draw(st.integers(0, 7))
    events, _ = heard(bytes(wire), [1_000_000])
    for event in events:
        if isinstance(event, Opened):
            assert sum(map(len, (*event.headers, *event.headers.values()))) <= LARGEST_BLOCK


@examples(100)
@given(st.lists(st.tuples(st.integers(0, 0xFFFFFF), st.integers(0, 2**32 - 1)), max_size=5))
def test_settings_change_nothing(settings: list[tuple[int, int]]):
    """Whatever they say."""
    payload = u32(len(settings)) + b"".join(u32(key) + u32(value) for key, value in settings)
    server = SpdyServer()
    assert server.receive(control(SETTINGS, payload)) == []
    assert server.take() == b""

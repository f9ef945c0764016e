"""The client's HTTP/2 machine: answers cut anywhere, frames in any order, bytes at random."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from machinery.rpc.client_machine import Http2Client
from machinery.rpc.events import Answered, Began, Broken, Drained, Ended, Event, Message
from machinery.rpc.hpack import Undecodable, read_block, write_block
from machinery.rpc.metadata import read_metadata, write_metadata
from tests.support.examples import examples
from tests.support.http2_frames import HEAD, OK, frame, message

SETTINGS = frame(4, 0, 0, b"")
KEYS = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True).filter(lambda key: not key.startswith("grpc"))
ENTRIES = st.one_of(
    st.tuples(
        KEYS.filter(lambda key: not key.endswith("-bin") and key != "te"),
        st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    ),
    st.tuples(KEYS.map(lambda key: f"{key}-bin"), st.binary(max_size=40)),
)


def settled(calls: int = 3) -> Http2Client:
    """Return a client with calls under way: with one answer (stream 1, 5…), and streams (3, 7…)."""
    client = Http2Client()
    client.receive(SETTINGS)
    for number in range(calls):
        client.begin(b"", b"ask", one_answer=number % 2 == 0)
    client.take()
    return client


def received(client: Http2Client, data: bytes, cuts: list[int]) -> list[Event]:
    """Return the events of bytes that come in pieces."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    return [event for piece in pieces for event in client.receive(piece)]


@examples(200)
@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=6), st.lists(st.integers(0, 10_000), max_size=12)
)
def test_it_does_not_matter_how_answers_are_cut(contents: list[bytes], cuts: list[int]) -> None:
    """The events are those of the same bytes in one piece, and say what was sent."""
    first, *others = contents
    stream = b"".join(frame(0, 0, 3, message(each)) for each in others)
    whole = frame(1, 4, 3, HEAD) + frame(1, 4, 1, HEAD) + stream + frame(0, 0, 1, message(first))
    whole += frame(1, 5, 3, OK) + frame(1, 5, 1, OK)
    events = received(settled(), whole, cuts)
    assert events == settled().receive(whole)
    assert events == [
        Began(3),
        *(Message(3, each) for each in others),
        Ended(3, None, ()),
        Answered(1, first, ()),
    ]


@examples(200)
@given(
    st.lists(
        st.builds(
            frame,
            st.integers(0, 10),
            st.sampled_from([0, 1, 4, 5, 8, 0xC, 0x20, 0x2D, 0xFF]),
            st.integers(0, 9),
            st.one_of(st.binary(max_size=40), st.just(HEAD), st.just(OK), st.just(message(b"x"))),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 10_000), max_size=6),
)
def test_whatever_a_server_sends_each_call_ends_once(frames: list[bytes], cuts: list[int]) -> None:
    """And is told nothing afterwards; what is broken says so last, and `abort` ends the rest."""
    client = settled(5)
    events = received(client, b"".join(frames), cuts)
    broken = [place for place, event in enumerate(events) if isinstance(event, Broken)]
    if broken:
        assert not client.is_open
        events = events[: broken[0]]  # the shell closes the connection there
    events += client.abort("over")
    over: set[int] = set()
    for event in events:
        assert isinstance(event, Began | Message | Drained | Answered | Ended)
        assert event.stream not in over
        if isinstance(event, Answered | Ended):
            over.add(event.stream)
    assert over == {1, 3, 5, 7, 9}
    assert client.under_way == 0


@examples(200)
@given(st.binary(max_size=300))
def test_random_bytes_do_no_harm(data: bytes) -> None:
    """They are frames, or the beginning of one, or break the connection."""
    client = settled()
    for event in client.receive(data):
        assert isinstance(event, Began | Message | Drained | Answered | Ended | Broken)


@examples(200)
@given(st.binary(max_size=120))
def test_random_blocks_are_fields_or_not_decodable(block: bytes) -> None:
    """Nothing else ever comes out."""
    try:
        fields = read_block(block)
    except Undecodable:
        return
    assert all(isinstance(text, str) for field in fields for text in field)


@examples(200)
@given(st.lists(ENTRIES, max_size=6))
def test_metadata_survives_the_way(metadata: list[tuple[str, str | bytes]]) -> None:
    """Text and bytes, in their order."""
    assert read_metadata(read_block(write_metadata(metadata))) == tuple(metadata)


@examples(100)
@given(
    st.lists(st.binary(max_size=60_000), min_size=1, max_size=4),
    st.lists(st.tuples(st.booleans(), st.integers(1, 40_000)), max_size=30),
)
def test_what_is_sent_is_what_was_written(contents: list[bytes], grants: list[tuple[bool, int]]) -> None:
    """Whole and in order, and never more than the peer has allowed."""
    client = settled(0)
    stream = client.begin(write_block([]), None, one_answer=False)
    sent, room, of_stream = b"", 65_535, 65_535
    for content in contents:
        client.send(stream, content)
    for whole, size in [(True, 0), *grants, (True, 1 << 20), (False, 1 << 20)]:
        if size:
            client.receive(frame(8, 0, 0 if whole else stream, size.to_bytes(4)))
            room, of_stream = (room + size, of_stream) if whole else (room, of_stream + size)
        data = client.take()
        while data:
            length = int.from_bytes(data[:3])
            if data[3] == 0:
                sent += data[9 : 9 + length]
            data = data[9 + length :]
        assert len(sent) <= min(room, of_stream)
    assert sent == b"".join(message(content) for content in contents)

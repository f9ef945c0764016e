"""The HTTP/2 client's rules: bytes in, events and bytes out."""

from __future__ import annotations

import pytest

from machinery.rpc.client_machine import LARGEST_MESSAGE, WINDOW, Http2Client
from machinery.rpc.events import Answered, Began, Broken, Drained, Ended, Event, Message
from machinery.rpc.hpack import write_block
from machinery.rpc.status import Code, MessageTooLarge, NotConnected
from tests.support.http2_frames import HEAD, OK, frame, message, read_frames


@pytest.fixture
def client() -> Http2Client:
    """A client whose peer has said hello."""
    made = Http2Client()
    assert made.receive(frame(4, 0, 0, b"")) == []
    made.take()
    return made


def begin(client: Http2Client, content: bytes | None = b"ask") -> int:
    """Begin a call whose frames nobody looks at."""
    stream = client.begin(b"", content, one_answer=content is not None)
    client.take()
    return stream


def ended(event: Event) -> tuple[int, Code, str]:
    """Return how a call failed: its stream, the code, the text."""
    assert isinstance(event, Ended)
    assert event.error is not None
    return event.stream, event.error.code, event.error.details


def written(client: Http2Client) -> list[tuple[int, int, int, bytes]]:
    """Return what is to be written, as (type, flags, stream, payload)."""
    return read_frames(client.take())


def test_a_connection_begins_with_the_client_s_hello() -> None:
    """The preface, its settings, and a window for large answers; it is settled by those of the peer."""
    client = Http2Client()
    hello = client.take()
    assert hello.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert [(kind, stream) for kind, _, stream, _ in read_frames(hello)] == [(4, 0), (8, 0)]
    assert not client.is_settled
    client.receive(frame(4, 0, 0, b""))
    assert client.is_settled
    assert written(client) == [(4, 1, 0, b"")]


def test_an_answer_is_told_however_it_is_cut(client: Http2Client) -> None:
    """Bytes may come one by one; the message and the end are told once."""
    stream = begin(client)
    whole = frame(1, 4, 1, HEAD) + frame(0, 0, 1, message(b"answer")) + frame(1, 5, 1, OK)
    events: list[Event] = []
    for byte in whole:
        events += client.receive(bytes((byte,)))
    assert events == [Answered(stream, b"answer", ())]
    assert client.under_way == 0


def test_a_call_is_headers_and_one_message(client: Http2Client) -> None:
    """Both are there to be written at once, and nothing follows them."""
    client.begin(b"", b"ask", one_answer=True)
    assert written(client) == [(1, 4, 1, b""), (0, 1, 1, message(b"ask"))]
    assert written(client) == []


def test_a_call_without_a_message_goes_on(client: Http2Client) -> None:
    """Messages are sent as they come; none is the last one."""
    stream = client.begin(b"", None, one_answer=False)
    client.send(stream, b"one")
    client.send(stream, b"two")
    assert written(client) == [(1, 4, 1, b""), (0, 0, 1, message(b"one")), (0, 0, 1, message(b"two"))]


def test_a_status_becomes_a_failure(client: Http2Client) -> None:
    """Code and text are the server's."""
    stream = begin(client)
    block = b"\x88" + write_block([("grpc-status", "11"), ("grpc-message", "revision%20gone")])
    (event,) = client.receive(frame(1, 5, 1, block))
    assert ended(event) == (stream, Code.OUT_OF_RANGE, "revision gone")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(1, 4, 1, b"\x8d"), Code.UNIMPLEMENTED),  # HTTP status 404
        (frame(1, 4, 1, b"\x48\x03503"), Code.UNAVAILABLE),
        (frame(1, 5, 1, b"\x8e"), Code.UNKNOWN),  # 500
        (frame(1, 5, 1, b"\x88"), Code.UNKNOWN),
        (frame(0, 1, 1, b""), Code.UNKNOWN),
        (frame(3, 0, 1, (2).to_bytes(4)), Code.UNAVAILABLE),
    ],
)
def test_a_call_that_ends_without_a_status_has_failed(client: Http2Client, frames: bytes, code: int) -> None:
    """Whatever the server did instead."""
    begin(client)
    (event,) = client.receive(frames)
    assert ended(event)[1] == code


def test_no_more_is_sent_than_the_peer_takes(client: Http2Client) -> None:
    """What is over the window waits for more room, of the stream and of the connection."""
    client.begin(b"", b"x" * 100_000, one_answer=True)
    sent = sum(len(payload) for kind, _, _, payload in written(client) if kind == 0)
    assert sent == 65_535
    client.receive(frame(8, 0, 1, (100_000).to_bytes(4)))
    assert written(client) == []
    client.receive(frame(8, 0, 0, (100_000).to_bytes(4)))
    rest = [(flags, payload) for kind, flags, _, payload in written(client) if kind == 0]
    assert sent + sum(len(payload) for _, payload in rest) == 100_005
    assert [flags for flags, _ in rest][-1] == 1
    assert all(len(payload) <= 16_384 for _, payload in rest)


def test_the_peer_may_send_more_when_somebody_has_read(client: Http2Client) -> None:
    """Of a stream when its messages were read; half a window at a time."""
    stream = begin(client, None)
    client.credit(stream, 1024)
    assert written(client) == []
    client.credit(stream, WINDOW // 2)
    assert written(client) == [(8, 0, stream, (WINDOW // 2 + 1024).to_bytes(4))]


def test_messages_of_a_call_that_goes_on_are_told_as_they_come(client: Http2Client) -> None:
    """Several in one frame, and the beginning of another."""
    stream = begin(client, None)
    third = message(b"three")
    assert client.receive(frame(0, 0, 1, message(b"one") + message(b"") + third[:7])) == [
        Message(stream, b"one"),
        Message(stream, b""),
    ]
    assert client.receive(frame(0, 0, 1, third[7:]) + frame(1, 5, 1, OK)) == [
        Message(stream, b"three"),
        Ended(stream, None, ()),
    ]


def test_an_answer_without_a_message_is_a_failure(client: Http2Client) -> None:
    """Who asked one thing has one answer."""
    stream = begin(client)
    (event,) = client.receive(frame(1, 5, 1, OK))
    assert ended(event) == (stream, Code.INTERNAL, "an answer without a message")


@pytest.mark.parametrize("content", [b"ask", None])
def test_a_message_may_be_larger_than_the_window(client: Http2Client, content: bytes | None) -> None:
    """In small pieces: joined once (piece by piece that would copy 128 GB), and credited to the peer as soon as it is known."""
    stream, piece = begin(client, content), bytes(16_384)
    whole = message(bytes(LARGEST_MESSAGE - 5))
    assert client.receive(frame(0, 0, stream, whole[:16_384])) == []
    assert written(client) == [(8, 0, stream, LARGEST_MESSAGE.to_bytes(4))]
    events: list[Event] = []
    for _ in range(LARGEST_MESSAGE // 16_384 - 1):
        events += client.receive(frame(0, 0, stream, piece))
    (event,) = events + client.receive(frame(1, 5, stream, OK))[: 1 - len(events)]
    assert isinstance(event, Answered if content else Message)
    assert len(event.data) == LARGEST_MESSAGE - 5
    credited = [int.from_bytes(payload) for kind, _, to, payload in written(client) if (kind, to) == (8, 0)]
    assert LARGEST_MESSAGE - WINDOW < sum(credited) <= LARGEST_MESSAGE
    client.credit(stream, LARGEST_MESSAGE)
    assert written(client) == []  # it was credited already


@pytest.mark.parametrize("content", [b"ask", None])
def test_a_message_that_is_too_large_is_not_waited_for(client: Http2Client, content: bytes | None) -> None:
    """The call fails at once, the others go on."""
    stream, other = begin(client, content), begin(client)
    head = b"\0" + LARGEST_MESSAGE.to_bytes(4)
    (event,) = client.receive(frame(0, 0, stream, head + b"begin"))
    assert isinstance(event, Ended)
    assert isinstance(event.error, MessageTooLarge)
    assert written(client) == [(3, 0, stream, (8).to_bytes(4))]
    assert client.receive(frame(0, 0, stream, b"more")) == []
    assert client.receive(frame(0, 0, other, message(b"fine")) + frame(1, 5, other, OK)) == [
        Answered(other, b"fine", ())
    ]


def test_a_broken_connection_ends_every_call_once(client: Http2Client) -> None:
    """And takes no new ones."""
    streams = [begin(client), begin(client, None)]
    told = [ended(event) for event in client.abort("reset")]
    assert told == [(stream, Code.UNAVAILABLE, "reset") for stream in streams]
    assert client.abort("again") == []
    assert not client.has_room


def test_a_server_that_goes_away_finishes_what_it_has(client: Http2Client) -> None:
    """Calls that it has not seen were not carried out, earlier ones go on, new ones do not begin."""
    first, second = begin(client), begin(client)
    (event,) = client.receive(frame(7, 0, 0, first.to_bytes(4) + bytes(4)))
    assert isinstance(event, Ended)
    assert isinstance(event.error, NotConnected)
    assert (event.stream, client.is_open) == (second, False)
    events = client.receive(frame(0, 0, 1, message(b"late")) + frame(1, 5, 1, OK))
    assert events == [Answered(first, b"late", ())]


def test_a_cancelled_call_is_told_nothing(client: Http2Client) -> None:
    """The server learns that nobody waits; its answer is thrown away."""
    stream = begin(client)
    client.cancel(stream)
    client.cancel(stream)
    assert written(client) == [(3, 0, stream, (8).to_bytes(4))]
    assert client.receive(frame(0, 0, 1, message(b"answer")) + frame(1, 5, 1, OK)) == []


def test_the_peer_says_how_many_calls_it_takes(client: Http2Client) -> None:
    """There is room again when one has ended."""
    client.receive(frame(4, 0, 0, b"\0\3" + (1).to_bytes(4)))
    begin(client)
    assert not client.has_room
    client.receive(frame(1, 5, 1, OK))
    assert client.has_room


def test_pings_are_answered(client: Http2Client) -> None:
    """With their own eight bytes; an answer to ours is not answered."""
    client.receive(frame(6, 0, 0, b"12345678") + frame(6, 1, 0, bytes(8)))
    assert written(client) == [(6, 1, 0, b"12345678")]
    client.ping()
    assert written(client) == [(6, 0, 0, bytes(8))]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        frame(1, 4, 1, b"\xbe"),
        frame(9, 4, 1, b"\x88"),
        frame(1, 0, 1, b"\x88") + frame(6, 0, 0, bytes(8)),
        frame(0, 0, 1, b"\1" + bytes(4)),
        frame(0, 8, 1, b""),
        frame(4, 0, 0, b"\0"),
    ],
)
def test_nonsense_breaks_the_connection(client: Http2Client, nonsense: bytes) -> None:
    """Nothing is guessed; what came before it counts."""
    first, second = begin(client), begin(client, None)
    *events, last = client.receive(frame(1, 5, second, OK) + nonsense)
    assert events == [Ended(second, None)]
    assert isinstance(last, Broken)
    assert not client.is_open
    assert [event[0] for event in client.abort(last.text)] == [first]


def test_the_window_of_a_stream_holds_where_the_connection_has_room(client: Http2Client) -> None:
    """Each of the two is a bound."""
    client.receive(frame(8, 0, 0, (200_000).to_bytes(4)))
    client.begin(b"", b"x" * 100_000, one_answer=True)
    assert sum(len(payload) for kind, _, _, payload in written(client) if kind == 0) == 65_535


def test_the_connection_takes_back_what_came() -> None:
    """Whatever streams it was for, also one that nobody has any more: else all of them would stand still."""
    client = Http2Client(window=1_000)
    begin(client)
    for stream in (1, 99):
        client.receive(frame(0, 0, stream, b"\0\0\0\x0f\0" + bytes(295)))
    assert (8, 0, 0, (600).to_bytes(4)) in written(client)


def test_padding_is_credited_to_its_stream() -> None:
    """Nobody reads it, so nobody else would."""
    client = Http2Client(window=400)
    begin(client)
    client.receive(frame(0, 8, 1, b"\xc8" + bytes(200)))
    assert (8, 0, 1, (201).to_bytes(4)) in written(client)


def test_trailers_come_with_the_end(client: Http2Client) -> None:
    """Text as it is, bytes out of base64, each as often as it was sent; the protocol's own fields are not among them."""
    fields = [
        ("grpc-status", "5"),
        ("grpc-message", "gone"),
        ("seen", "a"),
        ("seen", "b"),
        ("kubarium-status-bin", "AAE"),
    ]
    block = write_block([*fields, ("pair-bin", "YQ,Yg==")])
    begin(client)
    (event,) = client.receive(frame(1, 5, 1, block))
    assert isinstance(event, Ended)
    expected = (
        ("seen", "a"),
        ("seen", "b"),
        ("kubarium-status-bin", b"\0\1"),
        ("pair-bin", b"a"),
        ("pair-bin", b"b"),
    )
    assert event.trailers == expected
    assert event.error is not None
    assert event.error.trailers == expected


def test_trailers_of_an_answer_are_told_with_it(client: Http2Client) -> None:
    """Also bytes that are not base64 do no harm: they are left out."""
    stream = begin(client)
    block = write_block([("grpc-status", "0"), ("kubarium-server", "apiserver-1"), ("odd-bin", "Y")])
    events = client.receive(frame(1, 4, 1, HEAD) + frame(0, 0, 1, message(b"answer")) + frame(1, 5, 1, block))
    assert events == [Answered(stream, b"answer", (("kubarium-server", "apiserver-1"),))]


def test_the_beginning_of_an_answer_is_told_of_a_stream(client: Http2Client) -> None:
    """Before its first message: who watches misses nothing from then on."""
    one, many = begin(client), begin(client, None)
    assert client.receive(frame(1, 4, one, HEAD) + frame(1, 4, many, HEAD)) == [Began(many)]


def test_an_informational_status_is_not_the_answer(client: Http2Client) -> None:
    """What follows it is."""
    stream = begin(client)
    whole = (
        frame(1, 4, 1, b"\x48\x03103")
        + frame(1, 4, 1, HEAD)
        + frame(0, 0, 1, message(b"x"))
        + frame(1, 5, 1, OK)
    )
    assert client.receive(whole) == [Answered(stream, b"x", ())]


def test_what_waited_for_the_peer_is_told_when_it_is_sent(client: Http2Client) -> None:
    """So that whoever writes can wait, too."""
    stream = begin(client, None)
    assert client.send(stream, b"x" * 65_000)
    assert not client.send(stream, b"y" * 65_000)
    client.take()
    assert (
        client.receive(frame(8, 0, 0, (10_000).to_bytes(4)) + frame(8, 0, stream, (10_000).to_bytes(4))) == []
    )
    assert len(client.take()) == 10_000 + 9
    more = (100_000).to_bytes(4)
    assert client.receive(frame(8, 0, 0, more) + frame(8, 0, stream, more)) == [Drained(stream)]


def test_a_refused_call_was_not_carried_out(client: Http2Client) -> None:
    """The server says so with a code of its own."""
    begin(client)
    (event,) = client.receive(frame(3, 0, 1, (7).to_bytes(4)))
    assert isinstance(event, Ended)
    assert isinstance(event.error, NotConnected)


def test_a_server_that_ends_a_call_early_hears_no_more_of_it(client: Http2Client) -> None:
    """What was still to be sent is dropped, and the call is closed on this side, too."""
    stream = begin(client, b"x" * 100_000)
    assert [
        ended(event)[0] for event in client.receive(frame(1, 5, stream, write_block([("grpc-status", "8")])))
    ] == [stream]
    assert written(client) == [(3, 0, stream, (8).to_bytes(4))]
    more = (100_000).to_bytes(4)
    assert client.receive(frame(8, 0, 0, more) + frame(8, 0, stream, more)) == []
    assert written(client) == []


def test_long_headers_go_in_several_frames(client: Http2Client) -> None:
    """None is larger than the peer takes, and nothing comes between them."""
    client.begin(b"h" * 40_000, b"ask", one_answer=True)
    frames = written(client)
    assert [(kind, flags, len(payload)) for kind, flags, _, payload in frames] == [
        (1, 0, 16_384),
        (9, 0, 16_384),
        (9, 4, 7_232),
        (0, 1, 8),
    ]
    assert b"".join(payload for _, _, _, payload in frames[:3]) == b"h" * 40_000


def test_a_connection_ends_when_its_numbers_are_used_up(client: Http2Client) -> None:
    """The last call still has its answer."""
    client._next_id = (1 << 31) - 1
    last = begin(client)
    assert (last, client.is_open) == ((1 << 31) - 1, False)
    events = client.receive(frame(0, 0, last, message(b"x")) + frame(1, 5, last, OK))
    assert events == [Answered(last, b"x", ())]

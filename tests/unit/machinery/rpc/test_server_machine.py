"""The HTTP/2 server's rules: bytes in, events and bytes out."""

from __future__ import annotations

import pytest

from machinery.rpc.events import Broken, Drained, Message
from machinery.rpc.hpack import read_block, write_block
from machinery.rpc.request_heads import LARGEST_BLOCK, Head
from machinery.rpc.server_machine import (
    MOST_NUISANCES,
    MOST_STREAMS,
    Asked,
    Finished,
    Http2Server,
    Left,
    Opened,
    good_trailers,
)
from machinery.rpc.status import Code
from tests.support.http2_frames import PREFACE, frame, message, read_frames

ASK, GO_ON, UNKNOWN = "/s/Ask", "/s/GoOn", "/s/Unknown"
LARGEST = 100_000
GOOD = good_trailers(())
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED = 1, 3, 5, 6, 7
COMPRESSION_ERROR, CALM = 9, 11
LAST, WHOLE = 1, 4  # END_STREAM, END_HEADERS


def head(path: str = ASK, *more: tuple[str, str], **changes: str) -> bytes:
    """Write the header block of a call."""
    fields = {":method": "POST", ":scheme": "http", ":path": path, "content-type": "application/grpc"}
    fields |= {key.replace("_", "-"): value for key, value in changes.items()}
    return write_block([*fields.items(), *more])


def call(stream: int, content: bytes = b"ask", path: str = ASK) -> bytes:
    """Write the frames of a call that asks one thing."""
    return frame(HEADERS, WHOLE, stream, head(path)) + frame(DATA, LAST, stream, message(content))


def new() -> Http2Server:
    """Return a server whose client has not said hello."""
    return Http2Server({ASK: True, GO_ON: False}, LARGEST)


@pytest.fixture
def server() -> Http2Server:
    """A server whose client has said hello."""
    made = new()
    assert made.receive(PREFACE + frame(SETTINGS, 0, 0, b"")) == []
    made.take()
    return made


def written(server: Http2Server) -> list[tuple[int, int, int, bytes]]:
    """Return what is to be written, as (type, flags, stream, payload)."""
    return read_frames(server.take())


def answer(server: Http2Server) -> dict[str, str]:
    """Return the fields of an answer that is nothing but its end."""
    found = [payload for kind, flags, _, payload in written(server) if kind == HEADERS and flags & LAST]
    assert len(found) == 1
    return dict(read_block(found[0]))


def broken(server: Http2Server, data: bytes) -> int:
    """Feed bytes that break the connection; return the code with which the server goes away."""
    events = server.receive(data)
    assert isinstance(events[-1], Broken), events
    assert not server.is_open
    (payload,) = [payload for kind, _, _, payload in written(server) if kind == GOAWAY]
    return int.from_bytes(payload[4:])


def test_a_connection_begins_with_the_servers_settings() -> None:
    """No table, so many calls at once, so large heads; the client's settings are acknowledged."""
    server = new()
    kinds = {int.from_bytes(pair[:2]): int.from_bytes(pair[2:]) for pair in _pairs(written(server)[0][3])}
    assert kinds == {1: 0, 3: MOST_STREAMS, 6: LARGEST_BLOCK}
    assert server.receive(PREFACE + frame(SETTINGS, 0, 0, b"")) == []
    assert written(server) == [(SETTINGS, 1, 0, b"")]


def _pairs(payload: bytes) -> list[bytes]:
    return [payload[place : place + 6] for place in range(0, len(payload), 6)]


@pytest.mark.parametrize(
    "hello",
    [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nXX", b"\x16\x03\x01", PREFACE + call(1)],
)
@pytest.mark.parametrize("piece", [1, 1_000])
def test_who_does_not_speak_http2_is_told_nothing(hello: bytes, piece: int) -> None:
    """A request of HTTP/1, TLS on a plain port, a call before the settings."""
    server, events = new(), []
    for place in range(0, len(hello), piece):
        events += server.receive(hello[place : place + piece])
        if events:
            break
    assert isinstance(events[0], Broken)


@pytest.mark.parametrize("piece", [1, 3, 10_000])
def test_a_call_is_told_once_however_it_is_cut(piece: int) -> None:
    """When its request is whole, with its head."""
    server, events = new(), []
    block = head(ASK, ("grpc-timeout", "250m"), ("kubarium-caller", "me"), ("a-bin", "AAE"))
    data = PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, WHOLE, 1, block)
    data += frame(DATA, LAST, 1, message(b"ask"))
    for place in range(0, len(data), piece):
        events += server.receive(data[place : place + piece])
    known = (("kubarium-caller", "me"), ("a-bin", b"\0\1"))
    assert events == [Asked(1, Head(ASK, 0.25, known), b"ask")]


def test_an_answer_is_a_head_a_message_and_trailers(server: Http2Server) -> None:
    """All there at once."""
    server.receive(call(1))
    server.answer(1, b"yes", GOOD)
    (begin, data, end) = written(server)
    assert begin[:3] == (HEADERS, WHOLE, 1)
    assert dict(read_block(begin[3])) == {":status": "200", "content-type": "application/grpc"}
    assert data == (DATA, 0, 1, message(b"yes"))
    assert end == (HEADERS, WHOLE | LAST, 1, GOOD)
    assert server.under_way == 0
    server.answer(1, b"again", GOOD)
    server.end(1, GOOD)
    server.fail(1, Code.ABORTED, "late")
    assert written(server) == []


def test_a_call_that_goes_on_is_told_as_it_comes(server: Http2Server) -> None:
    """Several messages each way; its end is the trailers."""
    assert server.receive(frame(HEADERS, WHOLE, 1, head(GO_ON))) == [Opened(1, Head(GO_ON))]
    both = message(b"one") + message(b"two")
    assert server.receive(frame(DATA, 0, 1, both)) == [Message(1, b"one"), Message(1, b"two")]
    server.begin(1)
    server.begin(1)
    assert server.send(1, b"first")
    assert server.send(1, b"second")
    kinds = [(kind, payload) for kind, _, _, payload in written(server)]
    assert [kind for kind, _ in kinds] == [HEADERS, DATA, DATA]
    assert [payload for _, payload in kinds[1:]] == [message(b"first"), message(b"second")]
    assert server.receive(frame(DATA, LAST, 1, b"")) == [Finished(1)]
    server.end(1, GOOD)
    assert written(server) == [(HEADERS, WHOLE | LAST, 1, GOOD)]


def test_a_call_that_ends_before_its_client_has(server: Http2Server) -> None:
    """The client is told that it need not send the rest; what still comes does no harm."""
    server.receive(frame(HEADERS, WHOLE, 1, head(GO_ON)))
    server.end(1, GOOD)
    assert [kind for kind, *_ in written(server)] == [HEADERS, RST_STREAM]
    late = (
        frame(DATA, 0, 1, message(b"late"))
        + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")
        + frame(RST_STREAM, 0, 1, bytes(4))
    )
    assert server.receive(late + frame(HEADERS, WHOLE | LAST, 1, head())) == []
    assert server.receive(call(3)) == [Asked(3, Head(ASK), b"ask")]


def test_an_answer_waits_for_the_clients_window(server: Http2Server) -> None:
    """Of the stream and of the connection; the trailers come last."""
    server.receive(call(1) + call(3))
    content = bytes(100_000)
    server.answer(1, content, GOOD)
    server.answer(3, content, GOOD)
    sent = {1: 0, 3: 0}
    for _ in range(100):
        for kind, _, stream, payload in written(server):
            sent[stream] += len(payload) if kind == DATA else 0
            assert len(payload) <= 16_384
        if not server.under_way:
            break
        assert server.held >= 200_000 - sum(sent.values())
        server.receive(
            b"".join(
                frame(WINDOW_UPDATE, 0, stream, (5_000).to_bytes(4))
                for stream in (0, 1, 3)
                if not stream or server.waits(stream)
            )
        )
    assert sent == {1: 100_005, 3: 100_005}
    assert server.held == 0


def test_a_stream_that_waits_says_when_it_goes_on(server: Http2Server) -> None:
    """`send` says no, `Drained` says when."""
    server.receive(frame(HEADERS, WHOLE, 1, head(GO_ON)))
    assert not server.send(1, bytes(100_000))
    assert server.waits(1)
    room = (100_000).to_bytes(4)
    assert server.receive(frame(WINDOW_UPDATE, 0, 0, room)) == []
    assert server.receive(frame(WINDOW_UPDATE, 0, 1, room)) == [Drained(1)]
    assert not server.waits(1)


def test_a_window_that_was_nothing_opens(server: Http2Server) -> None:
    """A client may begin with no window at all, and change its mind. What it allows comes behind the acknowledgement."""
    server.receive(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + call(1))
    server.answer(1, b"yes", GOOD)
    assert [kind for kind, *_ in written(server)] == [SETTINGS, HEADERS]
    server.receive(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\x08"))
    assert [(kind, payload) for kind, _, _, payload in written(server)] == [
        (SETTINGS, b""),
        (DATA, message(b"yes")),
        (HEADERS, GOOD),
    ]


def test_tiny_windows_cost_what_they_carry(server: Http2Server) -> None:
    """A client that opens its window byte by byte is given byte by byte: what waits is not copied each time."""
    server.receive(call(1))
    server.answer(1, bytes(50_000_000), GOOD)
    server.take()
    for _ in range(2_000):
        server.receive(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"))
    assert sum(kind == DATA and len(payload) == 1 for kind, _, _, payload in written(server)) == 2_000


def test_a_large_request_is_given_room_when_it_says_its_size(server: Http2Server) -> None:
    """Not before: a client that only begins calls has no more than the first window of each."""
    server.receive(frame(HEADERS, WHOLE, 1, head()))
    content = bytes(LARGEST)
    whole = message(content)
    server.receive(frame(DATA, 0, 1, whole[:16_384]))
    assert [(kind, stream) for kind, _, stream, _ in written(server)] == [(WINDOW_UPDATE, 1)]
    pieces = [whole[place : place + 16_384] for place in range(16_384, len(whole), 16_384)]
    events = [event for piece in pieces for event in server.receive(frame(DATA, 0, 1, piece))]
    assert server.held >= LARGEST
    assert events + server.receive(frame(DATA, LAST, 1, b"")) == [Asked(1, Head(ASK), content)]


def test_more_than_the_window_breaks_the_connection(server: Http2Server) -> None:
    """Windows bound what a handler has to keep."""
    server.receive(frame(HEADERS, WHOLE, 1, head(GO_ON)))
    piece = frame(DATA, 0, 1, message(bytes(16_000)))
    for _ in range(4):
        server.receive(piece)
    assert broken(server, piece) == FLOW_CONTROL_ERROR


def test_what_is_read_is_credited(server: Http2Server) -> None:
    """So a stream may go on for as long as its handler reads."""
    server.receive(frame(HEADERS, WHOLE, 1, head(GO_ON)))
    piece = frame(DATA, 0, 1, message(bytes(16_000)))
    for _ in range(100):
        assert len(server.receive(piece)) == 1
        server.credit(1, 16_005)
    assert server.held < 1_000


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (frame(HEADERS, WHOLE, 1, head(UNKNOWN)), Code.UNIMPLEMENTED, "there is no method /s/Unknown"),
        (
            frame(HEADERS, WHOLE | LAST, 1, head()),
            Code.UNIMPLEMENTED,
            "no request for a method that takes one",
        ),
        (call(1, b"") + b"", None, ""),
        (
            frame(HEADERS, WHOLE, 1, head()) + frame(DATA, LAST, 1, message(b"a") + message(b"b")),
            Code.UNIMPLEMENTED,
            "more than one request for a method that takes one",
        ),
        (
            frame(HEADERS, WHOLE, 1, head()) + frame(DATA, LAST, 1, message(b"abc")[:-1]),
            Code.INVALID_ARGUMENT,
            "the last message breaks off",
        ),
        (
            frame(HEADERS, WHOLE, 1, head()) + frame(DATA, 0, 1, message(bytes(LARGEST + 1))[:100]),
            Code.RESOURCE_EXHAUSTED,
            "a message of 100001 bytes is larger than 100000",
        ),
        (
            frame(HEADERS, WHOLE, 1, head(grpc_encoding="gzip")) + frame(DATA, LAST, 1, b"\1\0\0\0\1a"),
            Code.UNIMPLEMENTED,
            "messages in gzip are not read here",
        ),
        (
            frame(HEADERS, WHOLE, 1, head()) + frame(DATA, LAST, 1, b"\1\0\0\0\1a"),
            Code.INVALID_ARGUMENT,
            "a message is compressed, and nobody says how",
        ),
        (
            frame(HEADERS, WHOLE, 1, head(grpc_timeout="5x")),
            Code.INVALID_ARGUMENT,
            "grpc-timeout: '5x' is not a timeout",
        ),
    ],
)
def test_what_is_no_call_of_a_method_is_answered(
    server: Http2Server, data: bytes, code: Code | None, text: str
) -> None:
    """By the machine: no handler hears of it. The connection goes on."""
    events = server.receive(data)
    if code is None:
        assert events == [Asked(1, Head(ASK), b"")]
        return
    assert not any(isinstance(event, Asked | Broken) for event in events)
    found = answer(server)
    assert (found["grpc-status"], found["grpc-message"]) == (str(int(code)), text)
    assert found.get("grpc-accept-encoding", "identity") == "identity"
    assert server.receive(call(3)) == [Asked(3, Head(ASK), b"ask")]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({":method": "GET"}, "405"),
        ({"content-type": "application/json"}, "415"),
        ({"content-type": "application/grpcx"}, "415"),
    ],
)
def test_what_is_no_grpc_has_a_status_of_http(
    server: Http2Server, changes: dict[str, str], status: str
) -> None:
    """As gRPC says, for whoever came by mistake."""
    server.receive(frame(HEADERS, WHOLE | LAST, 1, head(**changes)))
    assert answer(server)[":status"] == status


def test_a_path_is_needed(server: Http2Server) -> None:
    """And a method of HTTP."""
    server.receive(frame(HEADERS, WHOLE | LAST, 1, write_block([("a", "b")])))
    assert answer(server)[":status"] == "400"


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;x=y"])
def test_kinds_of_grpc_are_calls(server: Http2Server, kind: str) -> None:
    """What follows the name is not ours to judge."""
    block = head(content_type=kind)
    asked = server.receive(frame(HEADERS, WHOLE, 1, block) + frame(DATA, LAST, 1, message(b"")))
    assert isinstance(asked[0], Asked)


def test_a_client_gives_a_call_up(server: Http2Server) -> None:
    """The handler hears of it; what it still answers is written to nobody."""
    server.receive(call(1))
    assert server.receive(frame(RST_STREAM, 0, 1, bytes(4))) == [Left(1)]
    server.answer(1, b"late", GOOD)
    assert written(server) == []


def test_an_answer_that_is_broken_off(server: Http2Server) -> None:
    """The deadline of a call that waits for its client: what waits is dropped, and the trailers say why."""
    server.receive(call(1))
    server.answer(1, bytes(1_000_000), GOOD)
    server.take()
    server.fail(1, Code.DEADLINE_EXCEEDED, "the deadline is over")
    (end,) = written(server)
    assert dict(read_block(end[3])) == {"grpc-status": "4", "grpc-message": "the deadline is over"}
    assert server.held == 0


def test_large_trailers_go_in_pieces(server: Http2Server) -> None:
    """A Status with many causes is larger than a frame may be."""
    server.receive(call(1))
    block = write_block([("grpc-status", "9"), ("a-bin", "A" * 100_000)])
    server.end(1, block)
    frames = written(server)
    assert [kind for kind, *_ in frames] == [HEADERS] + [CONTINUATION] * 6
    assert [bool(flags & WHOLE) for _, flags, *_ in frames] == [False] * 6 + [True]
    assert b"".join(payload for *_, payload in frames).endswith(block)


def test_going_away_leaves_what_is_under_way(server: Http2Server) -> None:
    """The client hears which call was the last one that is served; later ones are not looked at."""
    server.receive(call(5))
    server.go_away()
    server.go_away()
    assert written(server) == [(GOAWAY, 0, 0, (5).to_bytes(4) + bytes(4))]
    assert server.receive(call(7)) == []
    server.answer(5, b"yes", GOOD)
    assert [stream for _, _, stream, _ in written(server)] == [5, 5, 5]


def test_pings_are_answered(server: Http2Server) -> None:
    """With what they carry."""
    server.receive(frame(PING, 0, 0, b"12345678"))
    assert written(server) == [(PING, 1, 0, b"12345678")]


def test_calls_above_the_limit_are_refused(server: Http2Server) -> None:
    """They may be tried again, as HTTP/2 says. Handlers that still run after a reset count (CVE-2023-44487)."""
    for number in range(MOST_STREAMS):
        server.receive(frame(HEADERS, WHOLE, 2 * number + 1, head()))
    late = 2 * MOST_STREAMS + 1
    assert server.receive(call(late)) == []
    assert written(server) == [(RST_STREAM, 0, late, REFUSED.to_bytes(4))]
    for number in range(MOST_STREAMS):
        server.receive(frame(RST_STREAM, 0, 2 * number + 1, bytes(4)))
    server.lingering = MOST_STREAMS
    assert server.receive(call(late + 2)) == []
    server.lingering = 0
    assert server.receive(call(late + 4)) != []


@pytest.mark.parametrize(
    "nuisance",
    [
        frame(PING, 0, 0, bytes(8)),
        frame(SETTINGS, 0, 0, b""),
        frame(SETTINGS, 1, 0, b""),
        frame(2, 0, 1, bytes(5)),
        frame(77, 0, 0, b"?"),
        frame(RST_STREAM, 0, 1, bytes(4)),
        frame(DATA, 0, 1, b""),
        frame(DATA, 0, 3, b""),
        frame(HEADERS, WHOLE, 1, b""),
    ],
    ids=["ping", "settings", "ack", "priority", "unknown", "reset", "empty", "closed", "trailers"],
)
def test_a_flood_of_frames_that_do_nothing_breaks_the_connection(
    server: Http2Server, nuisance: bytes
) -> None:
    """Unless they come slowly. Their answers would pile up where the client does not read them (CVE-2019-9512, 9515, 9518)."""
    server.receive(call(1) + frame(HEADERS, WHOLE, 3, head()))
    server.answer(1, b"", GOOD)
    assert server.receive(nuisance * (MOST_NUISANCES - 10)) == []
    server.calm()
    assert server.receive(nuisance * (MOST_NUISANCES - 10)) == []
    assert broken(server, nuisance * 20) == CALM


def test_rapid_resets_break_the_connection(server: Http2Server) -> None:
    """Each begins a call and gives it up at once (CVE-2023-44487)."""
    pairs = b"".join(
        call(number) + frame(RST_STREAM, 0, number, bytes(4))
        for number in range(1, 2 * MOST_NUISANCES - 20, 2)
    )
    events = server.receive(pairs)
    assert not any(isinstance(event, Broken) for event in events)
    more = range(2 * MOST_NUISANCES + 1, 2 * MOST_NUISANCES + 41, 2)
    pairs = b"".join(call(number) + frame(RST_STREAM, 0, number, bytes(4)) for number in more)
    assert broken(server, pairs) == CALM


def test_a_header_block_has_a_size_and_few_pieces(server: Http2Server) -> None:
    """Endless CONTINUATION frames (CVE-2024-27316): large ones, and empty ones."""
    begin = frame(HEADERS, 0, 1, head())
    assert broken(server, begin + frame(CONTINUATION, 0, 1, b"") * 200) == CALM
    other = new()
    other.receive(PREFACE + frame(SETTINGS, 0, 0, b""))
    assert broken(other, begin + frame(CONTINUATION, 0, 1, bytes(16_384)) * 100) == CALM


def test_fields_have_a_size_together(server: Http2Server) -> None:
    """Each counts 32 bytes more, so that many small ones are not more than they seem."""
    block = head(ASK, *(("a", "") for _ in range(LARGEST_BLOCK // 33 + 1)))
    pieces = [block[place : place + 16_384] for place in range(0, len(block), 16_384)]
    frames = [frame(HEADERS, 0, 1, pieces[0])] + [frame(CONTINUATION, 0, 1, each) for each in pieces[1:]]
    assert broken(server, b"".join(frames) + frame(CONTINUATION, WHOLE, 1, b"")) == COMPRESSION_ERROR


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(HEADERS, WHOLE, 2, head()), PROTOCOL_ERROR),
        (frame(HEADERS, WHOLE, 0, head()), PROTOCOL_ERROR),
        (frame(DATA, 0, 1, b"a"), PROTOCOL_ERROR),
        (frame(DATA, 0, 0, b"a"), PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 1, bytes(4)), PROTOCOL_ERROR),
        (frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, bytes(4)), PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), FLOW_CONTROL_ERROR),
        (
            frame(HEADERS, WHOLE, 1, head()) + frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"),
            FLOW_CONTROL_ERROR,
        ),
        (frame(WINDOW_UPDATE, 0, 0, b"\0"), FRAME_SIZE_ERROR),
        (frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0"), FLOW_CONTROL_ERROR),
        (frame(SETTINGS, 0, 0, b"\0\5\0\0\0\1"), PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 0, b"\0\5"), PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 1, b""), PROTOCOL_ERROR),
        (frame(PING, 0, 0, b"1"), FRAME_SIZE_ERROR),
        (frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR),
        (frame(5, 0, 1, bytes(8)), PROTOCOL_ERROR),
        (frame(CONTINUATION, WHOLE, 1, head()), PROTOCOL_ERROR),
        (frame(HEADERS, 0, 1, head()) + frame(PING, 0, 0, bytes(8)), PROTOCOL_ERROR),
        (frame(HEADERS, 0, 1, head()) + frame(CONTINUATION, WHOLE, 3, b""), PROTOCOL_ERROR),
        (frame(HEADERS, WHOLE | 8, 1, b"\xff" + head()[:50]), PROTOCOL_ERROR),
        (frame(HEADERS, WHOLE | 0x20, 1, b"1"), FRAME_SIZE_ERROR),
        (frame(HEADERS, WHOLE, 1, head()) + frame(DATA, 8, 1, b"\x05a"), PROTOCOL_ERROR),
        (frame(HEADERS, WHOLE, 1, head()) + frame(DATA, 8, 1, b""), PROTOCOL_ERROR),
        (frame(HEADERS, WHOLE, 1, head()) * 2, PROTOCOL_ERROR),
        (frame(HEADERS, WHOLE, 1, b"\xff\xff\xff"), COMPRESSION_ERROR),
        (frame(HEADERS, WHOLE, 1, b"\xbe"), COMPRESSION_ERROR),
        (frame(HEADERS, WHOLE, 1, b"\0\x05ab"), COMPRESSION_ERROR),
        (frame(DATA, 0, 1, bytes(16_385))[:10], FRAME_SIZE_ERROR),
        (frame(DATA, 0, 1, bytes(16_385)), FRAME_SIZE_ERROR),
        (call(1) + frame(DATA, 0, 1, message(b"more")), STREAM_CLOSED),
        (call(1) + frame(HEADERS, WHOLE | LAST, 1, head()), STREAM_CLOSED),
    ],
)
def test_what_breaks_the_rules_breaks_the_connection(server: Http2Server, data: bytes, code: int) -> None:
    """RFC 9113, with its code."""
    assert broken(server, data) == code


def test_padding_and_priorities_are_passed_over(server: Http2Server) -> None:
    """Both are allowed, and say nothing."""
    block = frame(HEADERS, WHOLE | 8 | 0x20, 1, b"\x02" + bytes(5) + head() + b"\0\0")
    assert server.receive(block + frame(DATA, LAST | 8, 1, b"\x01" + message(b"a") + b"\0")) == [
        Asked(1, Head(ASK), b"a")
    ]


def test_answers_are_written_a_turn_at_a_time(server: Http2Server) -> None:
    """So that one large answer does not hold the loop for as long as its encryption takes."""
    server.receive(
        frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff\0\5\0\xff\xff\xff")
        + frame(WINDOW_UPDATE, 0, 0, b"\x7f\0\0\0")
    )
    server.take()
    server.receive(call(1))
    server.answer(1, bytes(10_000_000), GOOD)
    parts = []
    while part := server.take_part():
        parts.append(part)
    assert sum(map(len, parts)) > 10_000_000
    assert max(map(len, parts)) < 3_000_000

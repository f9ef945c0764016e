"""SPDY/3.1's server: what it says of the bytes of a client, and what it answers."""

from __future__ import annotations

import zlib

import pytest

from machinery.spdy.header_block import DICTIONARY, LARGEST_BLOCK, HeaderReader, HeaderWriter, Malformed
from machinery.spdy.protocol import (
    CANCEL,
    INVALID_STREAM,
    LARGEST_CONTROL_FRAME,
    LARGEST_DATA_FRAME,
    MOST_STREAMS,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_ALREADY_CLOSED,
    Broken,
    Ended,
    Opened,
    Received,
    Reset,
    SpdyServer,
)
from tests.support.spdy_peer import (
    DATA,
    FIN,
    GOAWAY,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    SYN_REPLY,
    SYN_STREAM,
    UNIDIRECTIONAL,
    WINDOW_UPDATE,
    Frame,
    SpdyPeer,
    control,
    data,
    plain_block,
    u32,
)


@pytest.fixture
def peer() -> SpdyPeer:
    return SpdyPeer()


@pytest.fixture
def server() -> SpdyServer:
    return SpdyServer()


def opened(server: SpdyServer, peer: SpdyPeer, stream: int = 1) -> None:
    """Open a stream and accept it."""
    server.receive(peer.open(stream, streamtype="data"))
    server.accept(stream)
    peer.read(server.take())


def test_the_dictionary_is_the_specifications():
    """Zlib names it by its checksum in what it compresses."""
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_a_stream_carries_both_ways_and_ends_half_by_half(server: SpdyServer, peer: SpdyPeer):
    """It is open until both have ended it."""
    assert server.receive(peer.open(1, streamtype="stdin")) == [Opened(1, {"streamtype": "stdin"})]
    server.accept(1)
    assert peer.read(server.take()) == [Frame(SYN_REPLY, 0, (1,), headers={})]
    assert server.receive(data(1, b"ping") + data(1, b"", FIN)) == [Received(1, b"ping"), Ended(1)]
    assert server.has(1)
    server.send(1, b"pong")
    server.finish(1)
    server.finish(1)
    assert peer.read(server.take()) == [Frame(DATA, 0, (1,), b"pong"), Frame(DATA, FIN, (1,))]
    assert not server.has(1)
    server.send(1, b"more")
    assert server.take() == b""


def test_nothing_is_sent_on_a_stream_before_it_is_accepted(server: SpdyServer, peer: SpdyPeer):
    """A client drops data that comes before the reply."""
    server.receive(peer.open(1))
    server.send(1, b"early")
    assert server.take() == b""


def test_every_block_is_read_with_what_those_before_it_taught(server: SpdyServer, peer: SpdyPeer):
    """Also behind headers that nobody asked for, and streams that are refused."""
    wire = (
        peer.open(2, kind="not a client's")
        + peer.headers(HEADERS, 7, note="of no stream")
        + peer.headers(SYN_REPLY, 9)
        + peer.open(11, streamtype="error", port="80")
    )
    assert server.receive(wire) == [Opened(11, {"streamtype": "error", "port": "80"})]


def test_headers_have_their_first_value(server: SpdyServer, peer: SpdyPeer):
    """Several values of one name are one text with NULs between."""
    assert server.receive(peer.open(1, port="80\x0081")) == [Opened(1, {"port": "80"})]


def test_headers_come_back_as_they_were_written():
    """What the writer compresses, the reader reads, block after block."""
    reader, writer = HeaderReader(), HeaderWriter()
    for headers in ({}, {"status": "200 OK", "version": "HTTP/1.1"}, {"status": "200 OK"}):
        assert reader.read(writer.write(headers)) == headers


def test_data_is_passed_on_as_it_comes(server: SpdyServer, peer: SpdyPeer):
    """A frame of 16 MiB is not waited for."""
    opened(server, peer)
    head = data(1, bytes(0xFFFFFF), FIN)[:8]
    assert server.receive(head + b"first") == [Received(1, b"first")]
    assert server.receive(b"second") == [Received(1, b"second")]
    left = 0xFFFFFF - len(b"firstsecond")
    assert server.receive(bytes(left)) == [Received(1, bytes(left)), Ended(1)]


def test_long_data_is_sent_in_frames(server: SpdyServer, peer: SpdyPeer):
    """In order, none longer than agreed."""
    opened(server, peer)
    text = bytes(range(256)) * 300
    server.send(1, text)
    frames = peer.read(server.take())
    assert b"".join(frame.data for frame in frames) == text
    assert max(len(frame.data) for frame in frames) == LARGEST_DATA_FRAME


def test_a_reset_ends_a_stream_whoever_sends_it(server: SpdyServer, peer: SpdyPeer):
    """What comes behind it is dropped."""
    for stream in (1, 3):
        opened(server, peer, stream)
    assert server.receive(control(RST_STREAM, u32(1) + u32(CANCEL)) + data(1, b"late")) == [Reset(1, CANCEL)]
    server.reset(3, REFUSED_STREAM)
    server.reset(3, REFUSED_STREAM)
    assert peer.read(server.take()) == [Frame(RST_STREAM, 0, (3, REFUSED_STREAM))]
    assert server.receive(data(3, b"late", FIN)) == []
    assert server.take() == b""


def test_pings_of_the_client_are_answered(server: SpdyServer, peer: SpdyPeer):
    """Odd ids are its own; an even one answers a ping that we never sent."""
    assert server.receive(control(PING, u32(7)) + control(PING, u32(8))) == []
    assert peer.read(server.take()) == [Frame(PING, 0, (7,))]


def test_windows_are_widened_as_data_is_read(server: SpdyServer, peer: SpdyPeer):
    """Of the stream and the connection, together by as much as was read; dropped data widens the connection's only."""
    opened(server, peer)
    widened = {0: 0, 1: 0}
    for _ in range(8):
        server.receive(data(1, bytes(16 * 1024)))
        server.credit(1, 16 * 1024)
        for frame in peer.read(server.take()):
            assert frame.kind == WINDOW_UPDATE
            widened[frame.numbers[0]] += frame.numbers[1]
    assert widened == {0: 128 * 1024, 1: 128 * 1024}
    server.reset(1, CANCEL)
    server.receive(data(1, bytes(64 * 1024)))
    assert [frame.numbers for frame in peer.read(server.take())] == [(1, CANCEL), (0, 64 * 1024)]


def test_a_client_that_keeps_no_windows_is_sent_everything(server: SpdyServer, peer: SpdyPeer):
    """Kubernetes' clients never widen one; what they say of theirs changes nothing."""
    opened(server, peer)
    server.receive(control(SETTINGS, u32(1) + u32(7) + u32(16)) + control(WINDOW_UPDATE, u32(1) + u32(5)))
    server.send(1, bytes(1024 * 1024))
    assert sum(len(frame.data) for frame in peer.read(server.take())) == 1024 * 1024


def test_frames_of_other_types_are_ignored(server: SpdyServer, peer: SpdyPeer):
    """The specification says so; what is behind them is read."""
    credentials = control(10, b"anything")
    assert server.receive(credentials + control(77, b"") + peer.open(1)) == [Opened(1, {})]


def test_after_goodbye_no_streams_are_opened(server: SpdyServer, peer: SpdyPeer):
    """Whoever says it; those that are open go on."""
    opened(server, peer)
    server.go_away()
    server.go_away()
    assert peer.read(server.take()) == [Frame(GOAWAY, 0, (1, 0))]
    assert server.receive(peer.open(3) + data(1, b"on")) == [Received(1, b"on")]
    other, client = SpdyServer(), SpdyPeer()
    assert other.receive(control(GOAWAY, u32(0) + u32(0)) + client.open(1)) == []


def test_a_unidirectional_stream_takes_nothing(server: SpdyServer, peer: SpdyPeer):
    """It is over when the client has ended it."""
    server.receive(peer.open(1, UNIDIRECTIONAL))
    server.accept(1)
    server.send(1, b"dropped")
    assert server.take() == b""
    assert server.receive(data(1, b"", FIN)) == [Ended(1)]
    assert not server.has(1)


def test_streams_are_bounded(server: SpdyServer, peer: SpdyPeer):
    """One more is refused, and there is room again when one is over."""
    ids = range(1, 2 * MOST_STREAMS + 1, 2)
    assert len(server.receive(b"".join(map(peer.open, ids)))) == MOST_STREAMS
    last = ids[-1]
    assert server.receive(peer.open(last + 2)) == []
    assert peer.read(server.take()) == [Frame(RST_STREAM, 0, (last + 2, REFUSED_STREAM))]
    server.reset(1, CANCEL)
    assert server.receive(peer.open(last + 4)) == [Opened(last + 4, {})]


def test_a_stream_that_is_wrong_is_reset_and_the_others_go_on(server: SpdyServer, peer: SpdyPeer):
    """With the status that the specification has for it."""
    opened(server, peer, 5)
    wrong = {
        peer.open(2): (2, PROTOCOL_ERROR),
        peer.open(3): (3, PROTOCOL_ERROR),
        peer.open(7, Upper="x"): (7, PROTOCOL_ERROR),
        peer.syn_stream(9, plain_block({"": "x"})): (9, PROTOCOL_ERROR),
        peer.syn_stream(11, u32(2) + 2 * plain_block({"a": "b"})[4:]): (11, PROTOCOL_ERROR),
        data(99, b"x"): (99, INVALID_STREAM),
        data(4, b"") + data(100, b""): (100, INVALID_STREAM),
        peer.headers(SYN_REPLY, 13): (13, INVALID_STREAM),
    }
    for wire, reset in wrong.items():
        assert server.receive(wire) == []
        assert peer.read(server.take()) == [Frame(RST_STREAM, 0, reset)]
    assert server.receive(data(5, b"on")) == [Received(5, b"on")]


def test_what_a_client_does_wrong_with_a_stream_ends_it(server: SpdyServer, peer: SpdyPeer):
    """Its owner is told, and the client why."""
    for stream in (1, 3, 5):
        opened(server, peer, stream)
    server.receive(data(1, b"", FIN))
    wrong = {
        data(1, b"more"): (1, STREAM_ALREADY_CLOSED),
        peer.open(3): (3, PROTOCOL_ERROR),
        peer.headers(HEADERS, 5, Upper="x"): (5, PROTOCOL_ERROR),
    }
    for wire, reset in wrong.items():
        assert server.receive(wire) == [Reset(*reset)]
        assert peer.read(server.take()) == [Frame(RST_STREAM, 0, reset)]


BLOCKS = {  # of headers, that hold something else than they announce
    "no number": b"\0\0",
    "more headers than there are": u32(2) + plain_block({"a": "b"})[4:],
    "a million headers": u32(1_000_000),
    "a name longer than the block": u32(1) + u32(0xFFFFFFFF) + b"a",
    "no value": u32(1) + u32(1) + b"a",
    "bytes behind the last": plain_block({"a": "b"}) + b"x",
    "a bomb": plain_block({"a": "b" * LARGEST_BLOCK}),
    "a large bomb": bytes(40 * 1024 * 1024),
}


MALFORMED = {
    "another version": control(PING, u32(1), version=2),
    "a long control frame": control(SYN_STREAM, bytes(LARGEST_CONTROL_FRAME + 1))[:8],
    "a long frame of another type": control(77, bytes(LARGEST_CONTROL_FRAME + 1))[:8],
    "data on stream 0": data(0, b"x"),
    "a short SYN_STREAM": control(SYN_STREAM, u32(1) + u32(0)),
    "stream 0": control(SYN_STREAM, u32(0) + u32(0) + b"\0\0"),
    "headers without compression": control(SYN_STREAM, u32(1) + u32(0) + b"\0\0" + plain_block({"a": "b"})),
    "another dictionary": SpdyPeer(b"another").open(1, a="b"),
    "no dictionary": control(HEADERS, u32(1) + zlib.compress(plain_block({"a": "b"}))),
    "a short RST_STREAM": control(RST_STREAM, u32(1)),
    "a long GOAWAY": control(GOAWAY, bytes(12)),
    "a short WINDOW_UPDATE": control(WINDOW_UPDATE, b""),
    "a PING without id": control(PING, u32(0)),
    "a long PING": control(PING, bytes(8)),
    "no SETTINGS": control(SETTINGS, b""),
    "fewer SETTINGS than announced": control(SETTINGS, u32(2) + bytes(8)),
}


@pytest.mark.parametrize("name", [*MALFORMED, *BLOCKS])
def test_what_does_not_parse_ends_the_connection(server: SpdyServer, peer: SpdyPeer, name: str):
    """The client is told by a GOAWAY that names the last good stream; nothing is read after it."""
    wire = MALFORMED[name] if name in MALFORMED else SpdyPeer().syn_stream(1, BLOCKS[name])
    events = server.receive(wire + peer.open(9))
    assert [type(event) for event in events] == [Broken]
    assert peer.read(server.take()) == [Frame(GOAWAY, 0, (0, 1))]
    assert server.receive(peer.open(11)) == []
    assert server.take() == b""


def test_what_is_whole_comes_before_the_end(server: SpdyServer, peer: SpdyPeer):
    """And the GOAWAY names it."""
    first, last = server.receive(peer.open(1) + control(PING, b""))
    assert first == Opened(1, {})
    assert isinstance(last, Broken)
    assert "PING" in last.text
    assert peer.read(server.take()) == [Frame(GOAWAY, 0, (1, 1))]


def test_a_stream_of_blocks_that_has_ended_cannot_go_on():
    """Zlib's own end of stream, of which SPDY has none."""
    deflate = zlib.compressobj(zdict=DICTIONARY)
    ended = deflate.compress(plain_block({"a": "b"})) + deflate.flush()
    reader = HeaderReader()
    assert reader.read(ended) == {"a": "b"}
    with pytest.raises(Malformed):
        reader.read(ended)

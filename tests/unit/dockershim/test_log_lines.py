"""The engine's log stream as the CRI log format, and how a copy goes on."""

from __future__ import annotations

from dockershim.core.log_lines import FramedMessages, Position, RawMessages, format_message, read_position

T1, T2, T3 = (f"2026-05-01T12:00:0{n}.000000001Z".encode() for n in (1, 2, 3))


def frame(stream: int, payload: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


def test_frames_come_apart_wherever_the_stream_is_cut():
    """One byte at a time gives the same messages."""
    data = frame(1, T1 + b" out\n") + frame(2, T2 + b" err\n")
    whole = list(FramedMessages().feed(data))
    messages = FramedMessages()
    single = [message for byte in data for message in messages.feed(bytes((byte,)))]
    assert whole == single == [(b"stdout", T1, b"out\n"), (b"stderr", T2, b"err\n")]


def test_a_message_without_a_line_break_is_a_part():
    """The engine cuts long lines; spaces and empty lines are kept."""
    assert format_message((b"stdout", T1, b"half")) == T1 + b" stdout P half\n"
    assert format_message((b"stdout", T1, b"  a b \n")) == T1 + b" stdout F   a b \n"
    assert format_message((b"stderr", T1, b"\n")) == T1 + b" stderr F \n"


def test_a_terminals_long_line_is_taken_apart_by_its_size():
    """Its pieces carry timestamps of their own."""
    long = b"y" * 16384
    data = T1 + b" " + long + T2 + b" rest\r\n" + T3 + b" short\n"
    assert list(RawMessages().feed(data)) == [
        (b"stdout", T1, long),
        (b"stdout", T2, b"rest\r\n"),
        (b"stdout", T3, b"short\n"),
    ]


def test_an_empty_file_is_copied_from_the_beginning():
    """Nothing is left out."""
    position = read_position([])
    assert position.since_ns == 0
    assert position.is_new((b"stdout", T1, b"x\n"))


def test_what_is_in_the_file_is_left_out_as_often_as_it_is_there():
    """Pieces of a long line share a timestamp; one of them that is missing is written."""
    lines = [T2 + b" stdout P a", T2 + b" stdout P b", T1 + b" stdout F old", b""]
    position = read_position(lines)
    assert position.last == T2.decode()
    again = [(b"stdout", T2, b"a"), (b"stdout", T2, b"b"), (b"stdout", T2, b"c\n"), (b"stderr", T2, b"e\n")]
    assert [message[2] for message in again if position.is_new(message)] == [b"c\n", b"e\n"]


def test_streams_that_are_out_of_order_lose_nothing():
    """A copy goes on a little before the latest timestamp, wherever that stands."""
    early, late = b"2026-05-01T12:00:01.040000000Z", b"2026-05-01T12:00:01.050000000Z"
    position = read_position([early + b" stderr F e", late + b" stdout F o"])
    assert position.last == late.decode()
    assert not position.is_new((b"stderr", early, b"e\n"))
    assert position.is_new((b"stderr", b"2026-05-01T12:00:01.045000000Z", b"new\n"))


def test_lines_that_are_no_log_lines_do_not_matter():
    """Somebody may have written into the file."""
    assert read_position([b"garbage", T1 + b" stdout F x"]).last == T1.decode()
    assert read_position([b"garbage"]) == Position()

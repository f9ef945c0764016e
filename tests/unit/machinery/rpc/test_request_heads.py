"""Heads of calls: those of our own clients, which need no table, and those of others, which have one."""

from __future__ import annotations

import pytest
from hpack import Encoder

from machinery.rpc.hpack import Undecodable, write_block
from machinery.rpc.request_heads import _KEPT, Head, HeadReader, plain_fields

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"


def fields(path: str = "/s/Ask", *more: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the fields of a call."""
    begin = [(":method", "POST"), (":scheme", "https"), (":path", path), ("te", "trailers")]
    return [*begin, ("content-type", "application/grpc"), ("user-agent", "me"), *more]


def test_the_same_is_read_of_both_kinds_of_blocks() -> None:
    """With Huffman codes and a table that grows from call to call, or with neither; also in turns."""
    reader, encoder = HeadReader(), Encoder()
    for number in range(40):
        told = fields(
            f"/s/{number % 3}", ("grpc-timeout", "20S"), ("traceparent", TRACE), ("a", f"b {number % 7}")
        )
        wanted = Head(
            f"/s/{number % 3}", 20.0, (("user-agent", "me"), ("traceparent", TRACE), ("a", f"b {number % 7}"))
        )
        coded = encoder.encode(told, huffman=bool(number % 2))
        assert number < 3 or len(coded) < 60  # the table is in use
        assert reader.read(coded) == wanted
        assert reader.read(write_block(told)) == wanted
    encoder.header_table_size = 0  # as our settings say
    assert reader.read(encoder.encode(fields())) == Head("/s/Ask", None, (("user-agent", "me"),))


@pytest.mark.parametrize("more", [("grpc-timeout", "1H"), ("a-bin", "AAE"), ("grpc-encoding", "gzip")])
def test_what_is_special_may_stand_behind_the_trace(more: tuple[str, str]) -> None:
    """It counts as if it stood in front, whether the beginning was known or not."""
    reader = HeadReader()
    first = reader.read(write_block(fields("/s/Ask", ("traceparent", TRACE), more)))
    reader.read(write_block(fields("/s/Ask", ("traceparent", TRACE))))
    assert reader.read(write_block(fields("/s/Ask", ("traceparent", TRACE), more))) == first
    assert first != Head("/s/Ask", None, (("user-agent", "me"), ("traceparent", TRACE)))


def test_a_trace_in_the_middle_of_a_value_is_no_field() -> None:
    """Bytes that look like the beginning of one."""
    hidden = "\x00\x0btraceparent\x01x"
    told = fields("/s/Ask", ("a", f"b{hidden}"), ("c", "d"))
    assert HeadReader().read(write_block(told)).metadata[1:] == (("a", f"b{hidden}"), ("c", "d"))


def test_little_is_remembered() -> None:
    """Of a client that never says the same twice, or says much."""
    reader = HeadReader()
    for number in range(10 * _KEPT):
        reader.read(write_block(fields(f"/s/{number}", ("traceparent", TRACE))))
    reader.read(write_block(fields("/" + "a" * 5_000, ("traceparent", TRACE))))
    assert len(reader._known) <= _KEPT
    assert max(map(len, reader._known)) <= 1024


@pytest.mark.parametrize("size", [0, 126, 127, 128, 254, 255, 300, 16_510, 100_000])
def test_values_of_every_length(size: int) -> None:
    """The length goes on behind its first byte from 127 on."""
    value = "x" * size
    assert plain_fields(write_block([("a", value)])) == (("a", value),)


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_block_that_breaks_off_is_not_guessed(cut: int) -> None:
    """Wherever it does."""
    block = write_block([("first", "value"), ("second", "v" * 200)])
    place = len(block) - cut
    if place != len(write_block([("first", "value")])):
        with pytest.raises(Undecodable):
            HeadReader().fields(block[:place])

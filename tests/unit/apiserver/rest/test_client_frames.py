"""Frames of a WebSocket's client: those that are masked pass, however they are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apiserver.rest.client_frames import ClientFrames
from tests.support.examples import examples


def frame(payload: bytes, *, masked: bool) -> bytes:
    """Write a frame of bytes, with a mask that changes nothing."""
    size, mark = len(payload), 0x80 if masked else 0
    if size < 126:
        head = bytes((0x82, mark | size))
    elif size < 1 << 16:
        head = bytes((0x82, mark | 126)) + size.to_bytes(2)
    else:
        head = bytes((0x82, mark | 127)) + size.to_bytes(8)
    return head + (bytes(4) if masked else b"") + payload


PAYLOADS = st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536]).map(bytes) | st.binary(max_size=300)


@examples(100)
@given(st.lists(PAYLOADS, max_size=5), st.lists(st.integers(1, 70_000), max_size=30), PAYLOADS)
def test_what_comes_before_the_first_frame_without_a_mask_passes(
    payloads: list[bytes], cuts: list[int], last: bytes
) -> None:
    """And nothing behind it; of its own head one byte may have passed before it was known."""
    good = b"".join(frame(payload, masked=True) for payload in payloads)
    data, passed, frames = good + frame(last, masked=False), 0, ClientFrames()
    while data:
        size = cuts.pop() if cuts else len(data)
        piece, data = data[:size], data[size:]
        passed += (masked := frames.masked(piece))
        if masked < len(piece):
            break
    assert passed - len(good) in (0, 1)


@examples(50)
@given(st.lists(PAYLOADS, max_size=5), st.integers(1, 50))
def test_all_of_masked_frames_passes(payloads: list[bytes], piece: int) -> None:
    """In pieces of any size."""
    data, frames = b"".join(frame(payload, masked=True) for payload in payloads), ClientFrames()
    for begin in range(0, len(data), piece):
        part = data[begin : begin + piece]
        assert frames.masked(part) == len(part)

"""How much of what commands write is kept for their callers."""

from __future__ import annotations

import struct
from typing import Any

from dockershim.exec_process import OUTPUT_LIMIT, OutputRoom, collect


class _Streams:
    def __init__(self, *frames: tuple[int, bytes]) -> None:
        self._data = [struct.pack(">BxxxL", stream, len(text)) + text for stream, text in frames]

    async def read(self) -> bytes:
        return self._data.pop(0) if self._data else b""


async def _collected(room: OutputRoom, *frames: tuple[int, bytes]) -> dict[int, bytearray]:
    output = {1: bytearray(), 2: bytearray()}
    streams: Any = _Streams(*frames)
    await collect(streams, output, room)
    return output


async def test_the_beginning_of_each_stream_is_kept():
    """What comes after its limit is read and dropped, so that the command can end."""
    room = OutputRoom()
    output = await _collected(room, (1, b"a" * OUTPUT_LIMIT), (2, b"err"), (1, b"b"), (2, b"or"))
    assert (len(output[1]), bytes(output[1][-1:]), bytes(output[2])) == (OUTPUT_LIMIT, b"a", b"error")


async def test_all_calls_together_keep_a_bounded_amount():
    """Many containers may have probes that write as much as they can at the same time."""
    room = OutputRoom(left=10)
    first = await _collected(room, (1, b"12345678"))
    second = await _collected(room, (1, b"12345678"), (2, b"x"))
    assert (len(first[1]), len(second[1]), len(second[2]), room.left) == (8, 2, 0, 0)

"""Frames of HTTP/2, written and read as a test wants them."""

from __future__ import annotations

from machinery.rpc.hpack import write_block

OK = write_block([("grpc-status", "0")])
HEAD = b"\x88" + write_block([("content-type", "application/grpc")])
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Write a frame."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def message(content: bytes) -> bytes:
    """Write a message of gRPC."""
    return b"\0" + len(content).to_bytes(4) + content


def read_frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Read frames, as (type, flags, stream, payload)."""
    data = data.removeprefix(PREFACE)
    found = []
    while data:
        size = int.from_bytes(data[:3])
        found.append((data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
        data = data[9 + size :]
    return found

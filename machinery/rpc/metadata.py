"""Metadata of gRPC as fields of HTTP/2: text as it is, bytes (of keys that end in "-bin") in base64.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator
from typing import Final

from machinery.rpc.hpack import Fields, write_field
from machinery.rpc.status import Metadata

_BINARY: Final = "-bin"
_PROTOCOL: Final = frozenset(
    {"te", "content-type", "user-agent", "grpc-status", "grpc-message", "grpc-timeout", "grpc-encoding"}
    | {"grpc-accept-encoding"}
)


def write_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> bytes:
    """Write metadata as fields of a header block."""
    return b"".join(
        [write_field(key, value if isinstance(value, str) else _coded(value)) for key, value in metadata]
    )


def read_metadata(fields: Fields) -> Metadata:
    """Return what of the fields of a block is metadata. Bytes that are not base64 are left out."""
    return tuple(_entries(fields))


def _entries(fields: Fields) -> Iterator[tuple[str, str | bytes]]:
    for key, value in fields:
        if key[:1] == ":" or key in _PROTOCOL:
            continue
        if not key.endswith(_BINARY):
            yield key, value
            continue
        for part in value.split(","):  # several values may have been joined on the way
            if (data := _decoded(part)) is not None:
                yield key, data


def _coded(data: bytes) -> str:
    return b2a_base64(data, newline=False).rstrip(b"=").decode()


def _decoded(text: str) -> bytes | None:
    try:
        return a2b_base64(text.strip().encode("ascii") + b"==")
    except (Error, UnicodeEncodeError):
        return None

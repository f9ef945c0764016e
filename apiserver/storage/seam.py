"""How etcd's messages are read for the seam of the channel to it (`machinery.client.seam_channel`)."""

from __future__ import annotations

from typing import Any, Final

from machinery.wire.messages import Reading


def _key(request: Any) -> str:
    """Return the key that a request is about; the prefix, where it is about a range."""
    match request.DESCRIPTOR.name:
        case "RangeRequest":
            key = request.key
        case "TxnRequest":
            key = request.compare[0].key if request.compare else b""
        case "WatchRequest":
            key = request.create_request.key
        case _:
            key = b""
    return str(key.decode(errors="replace"))


def _revision(answer: Any) -> int:
    return int(answer.header.revision)


READING: Final = Reading(_key, _revision)

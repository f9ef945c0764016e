"""How etcd's messages are read for the seam of the channel to it (`machinery.client.seam_channel`)."""

from __future__ import annotations

from typing import Any, Final

from machinery.wire.conversation import Measured, Reading
from machinery.wire.messages import body
from machinery.wire.rpc_errors import rpc_as_api_error


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


def _measured(answer: Any) -> Measured:
    return Measured(answer.header.revision, answer.ByteSize())


READING: Final = Reading(_key, body, _measured, rpc_as_api_error)

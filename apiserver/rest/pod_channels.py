"""The WebSocket protocols of exec and attach: how a message names the channel of its bytes. Pure.

    (none), channel.k8s.io        the first byte is the channel's number
    base64.channel.k8s.io         text: the number as a digit, then the bytes in base64
    v4.…                          the same two; how a command ended is a metav1.Status, where before there is only the
                                  message of a failure
    v5.channel.k8s.io             as v4; a message 255, n closes channel n, so that a command sees the end of its input

Source: KEP-4006, and the documentation of `k8s.io/apimachinery/pkg/util/httpstream/wsstream`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import msgspec

from apiserver.core.values import Json


class Channel(IntEnum):
    """What a message is about."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    ERROR = 3
    RESIZE = 4
    CLOSE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelProtocol:
    """One of the protocols, by what tells it from the others."""

    name: str
    is_base64: bool = False
    ends_with_status: bool = True
    closes_channels: bool = False

    def encode(self, channel: Channel, data: bytes) -> bytes | str:
        """Return the message that carries data of a channel: text where it is base64."""
        if self.is_base64:
            return f"{channel.value}{b64encode(data).decode()}"
        return bytes((channel,)) + data

    def encode_end(self, status: Json) -> bytes | str | None:
        """Return the message that says how a command ended; None where the protocol says nothing of it."""
        if self.ends_with_status:
            return self.encode(Channel.ERROR, msgspec.json.encode(status))
        if status["status"] == "Success":
            return None
        return self.encode(Channel.ERROR, str(status["message"]).encode())

    def decode(self, message: bytes | str) -> tuple[Channel, bytes] | None:
        """Return the channel and the data of a message; None where it is none of the protocol's, and is ignored."""
        data = message.encode() if isinstance(message, str) else message
        try:
            channel = Channel(data[0] - ord("0") if self.is_base64 else data[0])
            decoded = b64decode(data[1:], validate=True) if self.is_base64 else data[1:]
        except (IndexError, ValueError, Base64Error):
            return None
        return None if channel is Channel.CLOSE and not self.closes_channels else (channel, decoded)


PROTOCOLS: Final = {
    each.name: each
    for each in (
        ChannelProtocol(name="v5.channel.k8s.io", closes_channels=True),
        ChannelProtocol(name="v4.channel.k8s.io"),
        ChannelProtocol(name="v4.base64.channel.k8s.io", is_base64=True),
        ChannelProtocol(name="channel.k8s.io", ends_with_status=False),
        ChannelProtocol(name="base64.channel.k8s.io", is_base64=True, ends_with_status=False),
        ChannelProtocol(name="", ends_with_status=False),
    )
}
"""By name; the empty one is for a caller that offers none."""

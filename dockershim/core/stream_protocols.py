"""What is said over the streams of exec, attach and port-forward, whichever transport carries them.

Clients of remote commands say by versions what they understand: v1 (channel.k8s.io) to v5. Since v3 a terminal can be
resized, since v4 a command's outcome is a Status (before: the text of an error, or nothing); v5 is WebSocket's only, and
can say that input has ended, which a stream of SPDY always could.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

WEBSOCKET: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
SPDY: Final = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
PORT_FORWARD: Final = ("portforward.k8s.io",)
TUNNEL: Final = f"SPDY/3.1+{PORT_FORWARD[0]}"  # within a WebSocket
PORT_CHANNELS: Final = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
"""Port-forward over WebSocket with a pair of channels for each port, which the request names."""
STDOUT, STDERR = 1, 2
"""The streams that a process writes."""
STREAM_TYPES: Final = {STDOUT: "stdout", STDERR: "stderr"}
_RESIZABLE: Final = frozenset(SPDY[:2])
_LARGEST_SIZE: Final = 1024  # bytes of a terminal's size as JSON
_MOST: Final = 0xFFFF  # rows and columns


class Wanted(NamedTuple):
    """The streams of a process that a client has asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class Size(NamedTuple):
    """A terminal's size, in characters."""

    width: int
    height: int


def negotiate(offers: Iterable[str], spoken: Sequence[str]) -> str:
    """Return the first protocol of a client's offers (values of a header, in its order) that is spoken; "" if none."""
    return next((name for name in read_offers(offers) if name in spoken), "")


def read_offers(offers: Iterable[str]) -> list[str]:
    """Return the protocols that the values of a header name."""
    return [name for value in offers for each in value.split(",") if (name := each.strip())]


def stream_types(wanted: Wanted, protocol: str) -> frozenset[str]:
    """Return the types of the streams that a client opens for a command, by the version that was agreed on."""
    types = {
        "error": True,
        "stdin": wanted.stdin,
        "stdout": wanted.stdout,
        "stderr": wanted.stderr and not wanted.tty,
        "resize": wanted.tty and protocol in _RESIZABLE,
    }
    return frozenset(name for name, is_wanted in types.items() if is_wanted)


def exit_status(code: int) -> dict[str, Any]:
    """Return the Status of a command that has ended with an exit code."""
    if not code:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def parse_port(text: str) -> int:
    """Parse the number of a port; 0 where it is none."""
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        return 0
    return number if (number := int(text)) <= 0xFFFF else 0


def read_ports(values: Iterable[str]) -> list[int]:
    """Read the ports that a request names, by commas and in several values.

    Raises:
        ValueError: there is none, or one that is no port; in upstream's words.
    """
    texts = [text for value in values for text in value.split(",")]
    if not texts:
        raise ValueError('query parameter "port" is required')
    for text in texts:
        if not text:
            raise ValueError('query parameter "port" cannot be empty')
        if not parse_port(text):
            raise ValueError(f'unable to parse "{text}" as a port')
    return [parse_port(text) for text in texts]


def encode_channel(channel: int, data: bytes, protocol: str) -> bytes | str:
    """Return the message that carries data of a channel: text where the protocol is base64."""
    if "base64" in protocol:
        return chr(ord("0") + channel) + b64encode(data).decode()
    return bytes((channel,)) + data


def decode_channel(message: bytes | str) -> tuple[int, bytes]:
    """Return the channel and the data of a message; -1 where it is none.

    What is text is base64, whatever was agreed on, as upstream takes it.
    """
    if not message:
        return -1, b""
    if isinstance(message, bytes):
        return message[0], message[1:]
    try:
        return ord(message[0]) - ord("0"), b64decode(message[1:], validate=True)
    except ValueError:
        return -1, b""


def encode_outcome(status: Mapping[str, Any], protocol: str) -> bytes:
    """Encode a Status as a version has it; b"" where it has nothing to say."""
    if protocol in WEBSOCKET:  # v4 and v5 are alike on both transports
        return json.dumps(status).encode()
    return b"" if status["status"] == "Success" else str(status.get("message", "")).encode()


def parse_size(text: bytes) -> Size | None:
    """Parse a terminal's size; None where it is none."""
    if len(text) > _LARGEST_SIZE:
        return None
    try:
        size = json.loads(text)
        width, height = int(size["Width"]), int(size["Height"])
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    return Size(width, height) if 0 <= width <= _MOST and 0 <= height <= _MOST else None


class SizeReader:
    """Cuts a terminal's sizes, JSON objects one after the other, out of bytes that come in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Size]:
        """Return the sizes that are whole now; what is none is passed over."""
        *texts, rest = (self._rest + data).split(b"}")
        self._rest = rest[: _LARGEST_SIZE + 1]
        return [size for text in texts if (size := parse_size(text.strip() + b"}")) is not None]

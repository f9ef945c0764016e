"""Asks the cluster's DNS server whether it answers: one question of the simplest kind, by hand."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from machinery.process.clock import WALL

_HEAD = struct.Struct("!HHHHHH")
_NUMBER = 0x6B64
_NAME = b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\0"
_QUESTION = _HEAD.pack(_NUMBER, 0x0100, 1, 0, 0, 0) + _NAME + struct.pack("!HH", 1, 1)  # A, IN
_PATIENCE_S = 0.1  # for one answer; a question may be lost while nobody listens


async def until_it_answers(make: Callable[[], socket.socket]) -> None:
    """Return when the DNS server to which `make` makes connected sockets knows where the apiserver is.

    The caller limits the time.
    """
    while not await _ask(make):
        await WALL.sleep_wall(0.02)


def connected(host: str, port: int) -> socket.socket:
    """Return a socket for datagrams to a server of this machine.

    Raises:
        OSError: there is no route.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)  # noqa: FBT003 - the standard library's own
        made.connect((host, port))
    except OSError:
        made.close()
        raise
    return made


async def _ask(make: Callable[[], socket.socket]) -> bool:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bool] = loop.create_future()
    try:
        made = make()
    except OSError:
        return False
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(answered), sock=made)
    try:
        transport.sendto(_QUESTION)
        async with WALL.timeout_wall(_PATIENCE_S):
            return await answered
    except (OSError, TimeoutError):
        return False
    finally:
        transport.close()


class _Answer(asyncio.DatagramProtocol):
    """Takes the one datagram."""

    def __init__(self, answered: asyncio.Future[bool]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        """Note whether it has an address."""
        if not self._answered.done() and len(data) >= _HEAD.size:
            number, flags, _, answers, _, _ = _HEAD.unpack_from(data)
            self._answered.set_result(number == _NUMBER and not flags & 0xF and answers > 0)

    def error_received(self, exc: Exception) -> None:
        """Note that nobody listens."""
        if not self._answered.done():
            self._answered.set_exception(exc)

"""One question to one other server, over UDP and, where the answer does not fit, over TCP.

Each has a socket of its own, with a port that the kernel draws, and a random number: who wants to answer in the place of
the server has to guess both, and has to send from the server's address.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from typing import Final

from dns.core.messages import Said, read_said, write_question
from dns.core.upstream import Server

LENGTH: Final = struct.Struct("!H")  # before each message over TCP


async def exchange(server: Server, name: str, kind: int) -> Said | None:
    """Ask a server; None where what it answered cannot be read. The caller limits the time.

    Raises:
        OSError: it cannot be reached, or refuses.
    """
    number = secrets.randbelow(1 << 16)
    question = write_question(number, name, kind)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Said] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answers(answer, number, name, kind), remote_addr=server
    )
    try:
        transport.sendto(question)
        said = await answer
    finally:
        transport.close()
    return await _over_tcp(server, question, number, name, kind) if said.is_truncated else said


class _Answers(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers; all others are left alone."""

    def __init__(self, answer: asyncio.Future[Said], number: int, name: str, kind: int) -> None:
        self._answer = answer
        self._asked = (number, name, kind)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        """Note the answer, where it is one."""
        if not self._answer.done() and (said := read_said(data, *self._asked)) is not None:
            self._answer.set_result(said)

    def error_received(self, exc: Exception) -> None:
        """Pass on that nobody listens there."""
        if not self._answer.done():
            self._answer.set_exception(exc)


async def _over_tcp(server: Server, question: bytes, number: int, name: str, kind: int) -> Said | None:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(LENGTH.pack(len(question)) + question)
        (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        return read_said(await reader.readexactly(length), number, name, kind)
    except asyncio.IncompleteReadError:
        return None
    finally:
        writer.close()

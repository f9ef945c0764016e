"""Asks the cluster's DNS server for a name, as a pod's resolver does."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from dnslib import QTYPE, RCODE, DNSError, DNSHeader, DNSQuestion, DNSRecord

from machinery.process.clock import WALL

_PATIENCE_S: Final = 1.0
_TRIES: Final = 2


async def answer(server: str, port: int, name: str) -> str:
    """Say in words what a name stands for: its addresses, or why it has none."""
    for _ in range(_TRIES):
        try:
            return _said(await _ask(server, port, name))
        except (TimeoutError, OSError, DNSError):
            continue
    return f"not known: DNS at {server}:{port} does not answer (`kubarium ps` shows the process dns)"


async def _ask(server: str, port: int, name: str) -> DNSRecord:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    question = DNSRecord(DNSHeader(id=secrets.randbelow(2**16), rd=1), q=DNSQuestion(f"{name}."))
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(answered), remote_addr=(server, port))
    try:
        transport.sendto(question.pack())
        async with WALL.timeout_wall(_PATIENCE_S):
            return DNSRecord.parse(await answered)
    finally:
        transport.close()


def _said(record: DNSRecord) -> str:
    if record.header.rcode:
        return f"not there ({RCODE.get(record.header.rcode)})"
    found = [f"{'' if rr.rtype == QTYPE.A else 'an alias of '}{rr.rdata}" for rr in record.rr]
    return ", ".join(sorted(found)) or "without an address (no records: is nobody ready?)"


class _Answer(asyncio.DatagramProtocol):
    """Takes the one datagram."""

    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's signature
        """Hand it over."""
        if not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Note that nobody listens."""
        if not self._answered.done():
            self._answered.set_exception(exc)

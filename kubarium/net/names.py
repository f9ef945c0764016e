"""Asks the cluster's DNS server for a name, as a pod's resolver does."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from dnslib import QTYPE, RCODE, DNSError, DNSHeader, DNSQuestion, DNSRecord

from machinery.process.clock import WALL

_PATIENCE_S: Final = 1.0
_TRIES: Final = 2


async def answer(server: str, port: int, name: str, kind: str = "A") -> str:
    """Say in words what a name stands for: its addresses, or why it has none."""
    for _ in range(_TRIES):
        try:
            return _said(await _ask(server, port, name, kind=kind))
        except (TimeoutError, OSError, DNSError):
            continue
    return f"not known: DNS at {server}:{port} does not answer (`kubarium ps` shows the process dns)"


async def look_up(
    name: str, resolv_conf: str, door: Callable[[], Awaitable[socket.socket]], kind: str = "A"
) -> frozenset[str]:
    """Return the addresses of a name as a resolver finds them by its configuration, with sockets of a `door`.

    They are of one family, by the `kind` of the records: A, or AAAA for IPv6.

    Raises:
        LookupError: nobody has the name, or it has no address.
        TimeoutError, OSError: the first name server does not answer.
    """
    servers, searched, dots = read_resolv_conf(resolv_conf)
    for full in full_names(name, searched, dots):
        made = await door()
        made.connect((servers[0], 53))
        record = await _ask(servers[0], 53, full, made, kind)
        if found := frozenset(str(ip_address(str(rr.rdata))) for rr in record.rr if QTYPE[rr.rtype] == kind):
            return found
    raise LookupError(name)


def read_resolv_conf(text: str) -> tuple[list[str], list[str], int]:
    """Read the name servers, the domains that are searched, and of how many dots on a name is taken as it is.

    Raises:
        LookupError: it names no server.
    """
    words = [line.split() for line in text.splitlines()]
    servers = [each[1] for each in words if each[:1] == ["nameserver"]]
    searched = [domain for each in words if each[:1] == ["search"] for domain in each[1:]]
    options = (option for each in words if each[:1] == ["options"] for option in each[1:])
    dots = next((int(each.partition(":")[2]) for each in options if each.startswith("ndots:")), 1)
    if not servers:
        raise LookupError("resolv.conf names no server")
    return servers, searched, dots


def full_names(name: str, searched: Sequence[str], dots: int) -> list[str]:
    """Return the names that a resolver asks for, one after the other (resolv.conf(5)), without the dot at their ends."""
    if name.endswith("."):
        return [name.removesuffix(".")]
    within = [f"{name}.{domain}" for domain in searched]
    return [name, *within] if name.count(".") >= dots else [*within, name]


async def _ask(
    server: str, port: int, name: str, made: socket.socket | None = None, kind: str = "A"
) -> DNSRecord:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    question = DNSRecord(
        DNSHeader(id=secrets.randbelow(2**16), rd=1), q=DNSQuestion(f"{name}.", getattr(QTYPE, kind))
    )
    where: dict[str, Any] = {"sock": made} if made else {"remote_addr": (server, port)}
    transport, _ = await loop.create_datagram_endpoint(lambda: _Answer(answered), **where)
    try:
        transport.sendto(question.pack())
        async with WALL.timeout_wall(_PATIENCE_S):
            return DNSRecord.parse(await answered)
    finally:
        transport.close()


def _said(record: DNSRecord) -> str:
    if record.header.rcode:
        return f"not there ({RCODE.get(record.header.rcode)})"
    found = [f"{'' if rr.rtype in {QTYPE.A, QTYPE.AAAA} else 'an alias of '}{rr.rdata}" for rr in record.rr]
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

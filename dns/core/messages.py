"""Questions and answers as they are on the wire, over dnslib.

What comes from a socket may be anything: `read_query` and `read_said` return what can be done about it and raise nothing.
Names are compared in lower case; an answer repeats the question as it was asked. RFC 1035, 6891 (EDNS), 8020, 9715.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import le
from typing import Any, Final, NamedTuple

from dnslib import (
    AAAA,
    CNAME,
    EDNS0,
    NS,
    PTR,
    RR,
    SOA,
    SRV,
    TXT,
    A,
    DNSError,
    DNSHeader,
    DNSLabel,
    DNSQuestion,
    DNSRecord,
)
from dnslib.buffer import BufferError as WireBufferError
from dnslib.label import DNSLabelError

from dns.core.records import Authority, Code, Kind, Location, Record

HEADER_BYTES: Final = 12
LEAST_UDP_BYTES: Final = 512  # what every client takes
MOST_UDP_BYTES: Final = 1232  # what crosses every network in one piece
MOST_TCP_BYTES: Final = 65_535
MOST_QUERY_BYTES: Final = 4096  # nothing longer is a question
_LONGEST_NAME: Final = 255
_MOST_RECORDS: Final = (1, 1, 2)  # of a question: answers (of a notification), authority, additional
_UNREADABLE: Final = (
    DNSError,
    WireBufferError,
    DNSLabelError,
    struct.error,
    ValueError,
    TypeError,
    RecursionError,
)
_OPT: Final = 41
_INTERNET: Final = 1
_QUERY: Final = 0
_OF_NAMES: Final = {Kind.CNAME: CNAME, Kind.NS: NS, Kind.PTR: PTR}
_INNER_DOT: Final = "\N{ONE DOT LEADER}"  # no byte is read as this
_RESPONSE_BIT, _OPCODE_BITS, _RECURSION_BIT = 0x8000, 0x7800, 0x0100
_HEAD: Final = struct.Struct("!HHHHHH")
_VARIANTS: Final = 8  # orders in which addresses are told
_SOA_TIMES_S: Final = (
    7200,
    1800,
    86_400,
)  # refresh, retry, expire: for secondary servers, of which there are none


@dataclass(frozen=True, slots=True)
class Query:
    """A question that can be answered."""

    question: Any  # as it was asked: dnslib.DNSQuestion
    id: int
    name: str  # lower case
    kind: int
    wants_recursion: bool
    udp_bytes: int  # what the client takes over UDP
    has_edns: bool
    is_dnssec_ok: bool
    is_plain: bool  # whether whoever asks the same is answered the same


class Refusal(NamedTuple):
    """What is answered to a message that is no question, None where nothing is."""

    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Said:
    """What another server answered: records as dnslib has them."""

    code: int
    records: tuple[Any, ...]
    authority: tuple[Any, ...]
    is_truncated: bool


def read_query(message: bytes) -> Query | Refusal:
    """Read what a client sent."""
    if len(message) < HEADER_BYTES:
        return Refusal(None)
    number, flags, questions, *records = _HEAD.unpack_from(message)
    if flags & _RESPONSE_BIT:
        return Refusal(None)  # an answer is answered to nobody
    if flags & _OPCODE_BITS:
        return Refusal(_bare(number, flags, Code.NOTIMP))
    is_sober = len(message) <= MOST_QUERY_BYTES and all(map(le, records, _MOST_RECORDS))
    if questions != 1 or not is_sober:
        return Refusal(_bare(number, flags, Code.FORMERR))
    try:
        parsed = DNSRecord.parse(message)
        return _query(parsed, number, flags)
    except _UNREADABLE:
        return Refusal(_bare(number, flags, Code.FORMERR))


def write_answer(
    query: Query,
    records: Sequence[Record],
    extra: Iterable[Record],
    authority: Iterable[Record],
    limit: int,
    *,
    code: Code,
) -> bytes:
    """Write an answer of our own; one that is longer than `limit` says so, and nothing else."""
    reply = _reply(query, code, is_ours=True)
    for record in records:
        reply.add_answer(_written(record, query))
    for record in authority:
        reply.add_auth(_written(record, query))
    for record in extra:
        reply.add_ar(_written(record, query))
    return _packed(reply, query, limit)


def write_orders(
    query: Query, records: Sequence[Record], extra: Sequence[Record], limit: int
) -> tuple[bytes, ...]:
    """Write an answer in several orders of its last name's values, so that clients who take the first one are spread."""
    last = [each for each in records if each.name == records[-1].name]
    first = records[: len(records) - len(last)]
    count = min(len(last), _VARIANTS)
    step = len(last) / max(1, count)
    starts = [int(index * step) for index in range(count)]
    return tuple(
        write_answer(query, (*first, *last[at:], *last[:at]), extra, (), limit, code=Code.NOERROR)
        for at in starts
    )


def write_said(query: Query, before: Iterable[Record], said: Said, limit: int) -> bytes:
    """Write an answer that another server gave, behind the records of ours that led to it."""
    reply = _reply(query, said.code, is_ours=False)
    for record in before:
        reply.add_answer(_written(record, query))
    reply.add_answer(*said.records)
    reply.add_auth(*said.authority)
    return _packed(reply, query, limit)


def write_failure(query: Query, code: Code) -> bytes:
    """Write that a question is not answered."""
    return _packed(_reply(query, code, is_ours=False), query, MOST_TCP_BYTES)


def write_question(number: int, name: str, kind: int) -> bytes:
    """Write a question for another server."""
    asked = DNSRecord(DNSHeader(id=number, rd=1), q=DNSQuestion(_label(name), kind))
    asked.add_ar(EDNS0(udp_len=MOST_UDP_BYTES))
    return bytes(asked.pack())


def read_said(message: bytes, number: int, name: str, kind: int) -> Said | None:
    """Read the answer to such a question, None where it is none."""
    try:
        parsed = DNSRecord.parse(message)
        header, question = parsed.header, parsed.q
        is_meant = header.id == number and header.qr and len(parsed.questions) == 1
        if not is_meant or (_name(question.qname), question.qtype) != (name, kind):
            return None
    except _UNREADABLE:
        return None
    return Said(header.rcode, tuple(parsed.rr), tuple(parsed.auth), bool(header.tc))


def aged(said: Said, age_s: int) -> Said:
    """Return what was said, as its records are so many seconds later."""

    def older(record: Any) -> Any:
        return RR(record.rname, record.rtype, record.rclass, max(0, record.ttl - age_s), record.rdata)

    return Said(
        said.code, tuple(map(older, said.records)), tuple(map(older, said.authority)), said.is_truncated
    )


def lifetime_s(said: Said) -> int:
    """Return for how many seconds what was said may be told again (RFC 2308 for what is not there); 0: it may not."""
    if said.is_truncated or said.code not in {Code.NOERROR, Code.NXDOMAIN}:
        return 0
    if said.records and said.code == Code.NOERROR:
        return min(int(each.ttl) for each in said.records)
    soa = [each for each in said.authority if each.rtype == Kind.SOA]
    return min((int(min(each.ttl, each.rdata.times[4])) for each in soa), default=0)


def _query(parsed: Any, number: int, flags: int) -> Query | Refusal:
    question = parsed.q
    if sum(len(part) + 1 for part in question.qname.label) >= _LONGEST_NAME:
        return Refusal(_bare(number, flags, Code.FORMERR))
    options = [each for each in parsed.ar if each.rtype == _OPT]
    if len(options) > 1:
        return Refusal(_bare(number, flags, Code.FORMERR))
    edns = options[0] if options else None
    query = Query(
        question=question,
        id=number,
        name=_name(question.qname),
        kind=int(question.qtype),
        wants_recursion=bool(flags & _RECURSION_BIT),
        udp_bytes=min(MOST_UDP_BYTES, max(LEAST_UDP_BYTES, edns.rclass)) if edns else LEAST_UDP_BYTES,
        has_edns=edns is not None,
        is_dnssec_ok=bool(edns and edns.ttl & 0x8000),
        is_plain=len(parsed.ar) == bool(edns)
        and not parsed.rr
        and not parsed.auth
        and not (edns and edns.rdata),
    )
    if edns and edns.ttl >> 16 & 0xFF:
        return Refusal(write_failure(query, Code.BADVERS))
    if question.qclass != _INTERNET:
        return Refusal(write_failure(query, Code.REFUSED))
    return query


def _bare(number: int, flags: int, code: Code) -> bytes:
    """Write an answer to what could not be read as a question: a header alone."""
    told = _RESPONSE_BIT | flags & (_OPCODE_BITS | _RECURSION_BIT) | code
    return _HEAD.pack(number, told, 0, 0, 0, 0)


def _reply(query: Query, code: int, *, is_ours: bool) -> Any:
    header = DNSHeader(
        id=query.id, qr=1, aa=int(is_ours), ra=1, rd=int(query.wants_recursion), rcode=code & 0xF
    )
    reply = DNSRecord(header, q=query.question)
    if query.has_edns:
        flags = "do" if query.is_dnssec_ok else ""
        reply.add_ar(EDNS0(udp_len=MOST_UDP_BYTES, ext_rcode=code >> 4, flags=flags))
    return reply


def _packed(reply: Any, query: Query, limit: int) -> bytes:
    packed = bytes(reply.pack())
    if len(packed) <= limit:
        return packed
    short = DNSRecord(reply.header, q=query.question, ar=[each for each in reply.ar if each.rtype == _OPT])
    short.header.tc = 1
    return bytes(short.pack())


def _written(record: Record, query: Query) -> Any:
    name = query.question.qname if record.name == query.name else _label(record.name)
    return RR(name, int(record.kind), ttl=record.ttl_s, rdata=_data(record))


def _data(record: Record) -> Any:
    match record.kind, record.data:
        case _, Location(weight, port, target):
            return SRV(0, weight, port, _label(target))
        case _, Authority(server, mailbox, serial, negative_ttl_s):
            return SOA(_label(server), _label(mailbox), (serial, *_SOA_TIMES_S, negative_ttl_s))
        case Kind.A, address:
            return A(address)
        case Kind.AAAA, address:
            return AAAA(address)
        case Kind.TXT, text:
            return TXT(str(text))
        case kind, target:
            return _OF_NAMES[kind](_label(str(target)))


def _label(name: str) -> Any:
    return DNSLabel([_part(text) for text in name.split(".")] if name else [])


def _part(text: str) -> bytes:
    return text.replace(_INNER_DOT, ".").encode("latin-1")


def _name(label: Any) -> str:
    """Return a name in lower case; a dot inside of a label is none between two."""
    parts = (part.lower().decode("latin-1").replace(".", _INNER_DOT) for part in label.label)
    return ".".join(parts)

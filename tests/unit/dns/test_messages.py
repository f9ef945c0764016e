"""Messages on the wire: what is no question harms nobody, what does not fit says so."""

from __future__ import annotations

import struct

import pytest
from dnslib import RR, A, DNSRecord

from dns.core.messages import (
    LEAST_UDP_BYTES,
    MOST_UDP_BYTES,
    Query,
    Refusal,
    Said,
    aged,
    lifetime_s,
    read_query,
    read_said,
    write_answer,
    write_failure,
    write_orders,
    write_question,
    write_said,
)
from dns.core.records import Authority, Code, Kind, Record
from tests.support.dns import question

NAME = "web.default.svc.cluster.local"
SOA = Record(
    "cluster.local", Kind.SOA, Authority("ns.dns.cluster.local", "hostmaster.cluster.local", 7, 30), 30
)


def query(message: bytes) -> Query:
    """Read a question that is one."""
    found = read_query(message)
    assert isinstance(found, Query)
    return found


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", None),
        (b"\x12\x34\x01\x00", None),
        (question(NAME, flags=0x8100), None),
        (question(NAME, flags=0x2000), Code.NOTIMP),
        (question(NAME, klass=3), Code.REFUSED),
        (question(NAME)[:20], Code.FORMERR),
        (question(NAME)[:4] + b"\0\2" + question(NAME)[6:], Code.FORMERR),
        (question(NAME)[:4] + b"\0\0" + question(NAME)[6:], Code.FORMERR),
        (question(NAME) + b"x" * 5000, Code.FORMERR),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", Code.FORMERR),
        (struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\xff" * 30, Code.FORMERR),
        (question(".".join(["x" * 63] * 4)), Code.FORMERR),
        (question(NAME)[:10] + b"\xff\xff" + question(NAME)[12:], Code.FORMERR),
    ],
)
def test_what_is_no_question(message: bytes, code: Code | None):
    """Is answered with a code, or not at all where an answer could go on for ever."""
    refused = read_query(message)
    assert isinstance(refused, Refusal)
    if code is None or refused.answer is None:
        assert (refused.answer, code) == (None, None)
        return
    assert refused.answer[:2] == message[:2]
    assert refused.answer[3] & 0xF == code
    assert refused.answer[2] & 0x80


def test_a_chain_of_pointers_is_no_question():
    """However long: each points to the one before."""
    pointers = b"".join(struct.pack("!H", 0xC000 | max(12, at)) for at in range(10, 4000, 2))
    refused = read_query(struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\0\0" + pointers)
    assert isinstance(refused, Refusal | Query)


def test_a_newer_edns_is_refused_by_its_own_code():
    """BADVERS, of which half stands in the header."""
    message = bytearray(question(NAME, edns=1232))
    message[-5] = 1  # the version
    refused = read_query(bytes(message))
    assert isinstance(refused, Refusal)
    told = DNSRecord.parse(refused.answer)
    assert (told.header.rcode, told.ar[0].edns_rcode) == (0, 1)


@pytest.mark.parametrize(
    ("edns", "limit"), [(0, LEAST_UDP_BYTES), (100, 512), (1000, 1000), (65_000, MOST_UDP_BYTES)]
)
def test_how_much_a_client_takes(edns: int, limit: int):
    """As much as it says, between what all take and what networks carry."""
    assert query(question(NAME, edns=edns)).udp_bytes == limit


def test_an_answer_repeats_the_question_as_it_was_asked():
    """With its case, which some clients compare, and names are compared without."""
    asked = query(question(NAME.title()))
    assert asked.name == NAME
    told = DNSRecord.parse(
        write_answer(asked, [Record(NAME, Kind.A, "10.96.0.7", 30)], (), (), 512, code=Code.NOERROR)
    )
    assert b".".join(told.q.qname.label).decode() == NAME.title()
    assert b".".join(told.rr[0].rname.label).decode() == NAME.title()
    assert (told.header.aa, told.header.ra, told.header.rd, told.header.id) == (1, 1, 1, 0x1234)
    assert (str(told.rr[0].rdata), told.rr[0].ttl) == ("10.96.0.7", 30)


def test_what_is_not_there_is_answered_with_who_says_so():
    """The authority's record, by which clients remember it."""
    told = DNSRecord.parse(write_answer(query(question(NAME)), (), (), [SOA], 512, code=Code.NXDOMAIN))
    assert (told.header.rcode, told.auth[0].rtype, told.auth[0].rdata.times[4]) == (3, Kind.SOA, 30)


def test_what_does_not_fit_says_so_and_nothing_else():
    """The client comes back over TCP."""
    records = [Record(NAME, Kind.A, f"10.0.{index // 256}.{index % 256}", 30) for index in range(100)]
    asked = query(question(NAME, edns=512))
    short = DNSRecord.parse(write_answer(asked, records, (), (), 512, code=Code.NOERROR))
    assert (short.header.tc, len(short.rr), len(short.ar)) == (1, 0, 1)
    whole = DNSRecord.parse(write_answer(asked, records, (), (), 65_535, code=Code.NOERROR))
    assert (whole.header.tc, len(whole.rr)) == (0, 100)


def test_addresses_take_turns_behind_the_name_that_leads_to_them():
    """Each is the first in one of the orders."""
    alias = Record("a.b", Kind.CNAME, NAME, 30)
    records = [alias, *(Record(NAME, Kind.A, f"10.0.0.{index}", 30) for index in range(3))]
    orders = [DNSRecord.parse(each).rr for each in write_orders(query(question("a.b")), records, (), 512)]
    assert [str(each[1].rdata) for each in orders] == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
    assert all(each[0].rtype == Kind.CNAME and len(each) == 4 for each in orders)


def said(ttl_s: int = 20, code: int = 0) -> Said:
    """Return what another server says: an address."""
    return Said(code, (RR("example.com", 1, ttl=ttl_s, rdata=A("1.2.3.4")),), (), is_truncated=False)


def test_what_others_say_is_passed_on_behind_our_own():
    """An alias of ours, and the address that its name has elsewhere."""
    alias = Record(NAME, Kind.CNAME, "example.com", 30)
    told = DNSRecord.parse(write_said(query(question(NAME)), [alias], said(), 512))
    assert [each.rtype for each in told.rr] == [Kind.CNAME, Kind.A]
    assert told.header.aa == 0


def test_only_the_answer_to_the_question_is_read():
    """Another number, name or type is somebody else's."""
    asked = write_question(7, "example.com", 1)
    answer = write_said(query(asked), (), said(), 512)
    found = read_said(answer, 7, "example.com", 1)
    assert found is not None
    assert str(found.records[0].rdata) == "1.2.3.4"
    assert read_said(answer, 8, "example.com", 1) is None
    assert read_said(answer, 7, "example.org", 1) is None
    assert read_said(answer, 7, "example.com", 28) is None
    assert read_said(asked, 7, "example.com", 1) is None
    assert read_said(answer[:-3], 7, "example.com", 1) is None


def test_what_is_told_again_is_older():
    """And is told no longer than its records hold; nothing that is no answer is."""
    assert aged(said(), 5).records[0].ttl == 15
    assert lifetime_s(said()) == 20
    assert lifetime_s(said(code=2)) == 0
    missing = read_said(
        write_answer(query(question(NAME, number=7)), (), (), [SOA], 512, code=Code.NXDOMAIN), 7, NAME, 1
    )
    assert missing is not None
    assert lifetime_s(missing) == 30


def test_a_failure_keeps_the_question():
    """So that a client knows what has failed."""
    told = DNSRecord.parse(write_failure(query(question(NAME)), Code.SERVFAIL))
    assert (told.header.rcode, str(told.q.qname)) == (2, f"{NAME}.")

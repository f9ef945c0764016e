"""Resource records as values. Names are lower case, without the dot at their end; "" is the root.

RFC 1035, RFC 2782 (SRV), RFC 3596 (AAAA).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeAlias


class Kind(IntEnum):
    """The types of records that the cluster's domain has. A question may be about any other number."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33


class Code(IntEnum):
    """What an answer says of itself (RCODE)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16


class Location(NamedTuple):
    """Where a service is (SRV)."""

    weight: int
    port: int
    target: str


class Authority(NamedTuple):
    """Who is responsible for a domain (SOA), and for how many seconds a name that is not there may be remembered."""

    server: str
    mailbox: str
    serial: int
    negative_ttl_s: int


Data: TypeAlias = str | Location | Authority


class Record(NamedTuple):
    """One value of a name: an address, a name or a text, unless it is one of the two above."""

    name: str
    kind: Kind
    data: Data
    ttl_s: int

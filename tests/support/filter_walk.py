"""Walks a packet through a planned table as the kernel would: all that may become of it, whatever the dice say.

It reads only what `proxy.core.ruleset` and `proxy.core.policy_rules` write, and fails at any other rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from proxy.core.table import CHAIN, Item

PASSED: Final = "passed"  # it is nobody's Service
REFUSED: Final = "refused"
DROPPED: Final = "dropped"


class Packet(NamedTuple):
    """The first packet of a connection, as a node with some addresses sees it."""

    source: str
    destination: str
    protocol: str  # "tcp"
    port: int
    own: frozenset[str] = frozenset()


class Fate(NamedTuple):
    """What becomes of a packet: one of the words above, or the endpoint that it goes to."""

    end: str
    is_masqueraded: bool = False


class _Unmatched(Exception):  # noqa: N818 - no error: the rule is about other packets
    pass


def fates(table: Mapping[Item, str], packet: Packet) -> set[Fate]:
    """Return all that may become of a packet."""
    return {
        Fate(end or PASSED, bool(end) and marked) for end, marked in _Walk(table, packet).chain("prerouting")
    }


def is_forwarded(table: Mapping[Item, str], packet: Packet) -> bool:
    """Whether NetworkPolicies let a packet through a node, which is the first of its connection."""
    if Item(CHAIN, "forward") not in table:
        return True
    return all(end != DROPPED for end, _ in _Walk(table, packet).chain("forward"))


@dataclass(frozen=True)
class _Walk:
    table: Mapping[Item, str]
    packet: Packet

    def chain(self, name: str, *, marked: bool = False) -> Iterator[tuple[str, bool]]:
        """Yield the ends of a chain, "" where its own end is reached, each with whether the packet is marked then."""
        if name == "refuse":
            return iter([(REFUSED, marked)])
        return self._rules(self.table[Item(CHAIN, name)].splitlines(), marked=marked)

    def _rules(self, rules: Sequence[str], *, marked: bool) -> Iterator[tuple[str, bool]]:
        for index, rule in enumerate(rules):
            try:
                found = self._match(rule)
            except _Unmatched:
                continue
            marked |= found.marks
            for verdict in found.verdicts:
                yield from self._follow(verdict, rules[index + 1 :], marked=marked)
            if found.verdicts and not found.is_chance:
                return
        yield "", marked

    def _follow(self, verdict: str, rest: Sequence[str], *, marked: bool) -> Iterator[tuple[str, bool]]:
        match verdict.split():
            case ["drop"]:
                yield DROPPED, marked
            case ["accept"]:
                yield PASSED, marked
            case ["return"]:
                yield "", marked
            case ["to", end]:
                yield end, marked
            case ["goto", name]:
                yield from self.chain(name, marked=marked)
            case ["jump", name]:
                for end, is_marked in self.chain(name, marked=marked):
                    yield from iter([(end, is_marked)]) if end else self._rules(rest, marked=is_marked)
            case _:
                raise AssertionError(f"no verdict: {verdict}")

    def _match(self, rule: str) -> _Matched:
        found, rest = _Matched(), rule
        while rest:
            for pattern, read in _STATEMENTS:
                if taken := re.match(rf"{pattern}(?: |$)", rest):
                    found = read(self, found, taken)
                    rest = rest[taken.end() :]
                    break
            else:
                raise AssertionError(f"cannot read {rest!r} of {rule!r}")
        return found

    def is_in(self, address: str, where: str) -> bool:
        """Whether an address is in a network, or in a set of addresses or networks."""
        if not where.startswith("@"):
            return ip_address(address) in ip_network(where)
        if Item(where[1:], address) in self.table:
            return True
        elements = (item.name for item in self.table if item.kind == where[1:] and "/" in item.name)
        return any(ip_address(address) in ip_network(element) for element in elements)


@dataclass(frozen=True)
class _Matched:
    verdicts: tuple[str, ...] = ()  # one of them, by chance
    marks: bool = False
    is_chance: bool = False  # it may also go on with the next rule


_Read = Callable[[_Walk, _Matched, re.Match[str]], _Matched]


def _checked(found: _Matched, *, is_so: bool) -> _Matched:
    if not is_so:
        raise _Unmatched
    return found


def _is_own(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    address = walk.packet.source if taken[1] == "s" else walk.packet.destination
    return _checked(found, is_so=address in walk.packet.own or address.startswith("127.") or address == "::1")


def _is_in(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    address = walk.packet.source if taken[1] == "s" else walk.packet.destination
    return _checked(found, is_so=walk.is_in(address, taken[3]) is not bool(taken[2]))


def _looked_up(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    address = f"{walk.packet.destination} . " if taken[1] else ""
    verdict = walk.table.get(Item(taken[2], f"{address}{walk.packet.protocol} . {walk.packet.port}"))
    return _Matched((verdict or "",), found.marks) if _checked(found, is_so=bool(verdict)) else found


def _led_by(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    address = walk.packet.source if taken[1] == "s" else walk.packet.destination
    verdict = walk.table.get(Item(taken[2], address), "")
    return _Matched((verdict,), found.marks) if _checked(found, is_so=bool(verdict)) else found


def _is_pair(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    return _checked(
        found, is_so=Item(taken[1], f"{walk.packet.source} . {walk.packet.destination}") in walk.table
    )


def _is_named_port(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    door = Item(taken[2], f"{walk.packet.destination} . {walk.packet.port}")
    return _checked(found, is_so=taken[1] == walk.packet.protocol and door in walk.table)


def _is_port(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    ranges = [each.split("-") for each in taken[2].strip("{ }").split(", ")]
    is_in = any(int(first[0]) <= walk.packet.port <= int(first[-1]) for first in ranges)
    return _checked(found, is_so=taken[1] == walk.packet.protocol and is_in)


def _sent_to_one(walk: _Walk, found: _Matched, taken: re.Match[str]) -> _Matched:
    assert taken[2] == walk.packet.protocol
    address = f"{walk.packet.destination} . " if taken[1] else ""
    places = [Item(taken[4], f"{address}{walk.packet.port} . {number}") for number in range(int(taken[3]))]
    return _Matched(tuple(f"to {_end(*walk.table[place].split(' . '))}" for place in places), found.marks)


def _end(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _stays(_walk: _Walk, found: _Matched, _taken: re.Match[str]) -> _Matched:
    return found


_STATEMENTS: Final[tuple[tuple[str, _Read], ...]] = (
    (r"fib ([sd])addr type local", _is_own),
    (r"ip6? ([sd])addr (!= )?(@affinity-\S+)", lambda _w, found, _t: _Matched(found.verdicts, found.marks, is_chance=True)),
    (r"ip6? ([sd])addr (!= )?((?:@|::|[\da-f]+[.:])\S*)", _is_in),
    (r"meta mark set meta mark or 0x4000", lambda _w, found, _t: _Matched(found.verdicts, marks=True)),
    (r"(ip6? daddr \. )?meta l4proto \. th dport vmap @(\S+)", _looked_up),
    (r"dnat to (ip6? daddr \. )?(\w+) dport \. numgen random mod (\d+) map @(\S+)", _sent_to_one),
    (r"update @\S+ \{ ip6? saddr timeout \d+s \}", _stays),
    (r"numgen random mod \d+ 0", lambda _w, found, _t: _Matched(found.verdicts, found.marks, is_chance=True)),
    (r"meta l4proto (\w+)", lambda walk, found, taken: _checked(found, is_so=taken[1] == walk.packet.protocol)),
    (r"dnat (to) ([\d\[]\S+)", lambda _w, found, taken: _Matched((f"to {taken[2]}",), found.marks, found.is_chance)),
    (r"(goto|jump) (\S+)", lambda _w, found, taken: _Matched((taken[0].strip(),), found.marks, found.is_chance)),
    (r"ct state established,related", lambda _w, found, _t: _checked(found, is_so=False)),
    (r"ip6? saddr \. ip6? daddr @(\S+)", _is_pair),
    (r"ip6? ([sd])addr vmap @(\S+)", _led_by),
    (r"ip6? daddr \. (\w+) dport @(\S+)", _is_named_port),
    (r"(\w+) dport (\d\S*|\{ [^}]* \})", _is_port),
    (r"drop|return|accept", lambda _w, found, taken: _Matched((taken[0].strip(),), found.marks, found.is_chance)),
)  # fmt: skip

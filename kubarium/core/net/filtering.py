"""Puts the first packet of a connection through a table's hook, as the kernel would, whatever its dice say.

It follows jumps, returns and verdict maps over the rules as nft lists them. A rule that it cannot read ends the way as
`UNCLEAR`: nothing is guessed. Where a rule draws a random number, each number is another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from kubarium.core.net.rules import Rule, Table, Value, read_elements, read_value, write_value

_DEPTH: Final = 16  # the kernel allows no more jumps inside of each other
_TRANSPORT: Final = frozenset({"tcp", "udp", "sctp", "th"})
_SILENT: Final = frozenset({"set", "counter", "log", "comment"})  # statements that lead nowhere


class End(Enum):
    """What becomes of a packet at a hook."""

    PASSED = "passed"
    DROPPED = "dropped"
    REFUSED = "refused"
    UNCLEAR = "unclear"  # a rule could not be read


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, as it is at some place."""

    source: str
    destination: str
    protocol: str  # "tcp"
    port: int  # of the destination
    mark: int = 0
    is_translated: bool = False  # it was for a Service
    is_masqueraded: bool = False  # its source is to become an address of the node


class Match(NamedTuple):
    """A rule that concerned a packet, and what a look-up in it found ("")."""

    hook: str
    chain: str
    text: str
    found: str = ""


class Passage(NamedTuple):
    """One way through a hook."""

    end: End
    packet: Packet
    matches: tuple[Match, ...]


class _Unmatched(Exception):  # noqa: N818 - no error: the rule is about other packets
    pass


class _UnreadableError(Exception):
    """A rule says something that is not known here."""


class _Undecided(Exception):  # noqa: N818 - no error: a way more for each number
    def __init__(self, count: int) -> None:
        self.count = count


class _Verdict(NamedTuple):
    kind: str  # "accept", "drop", "refuse", "return", "jump", "goto"
    target: str = ""


_ACCEPT: Final = _Verdict("accept")
_DROP: Final = _Verdict("drop")
_REFUSE: Final = _Verdict("refuse")


def passages(
    table: Table, hook: str, packet: Packet, own_addresses: frozenset[str], most: int = 64
) -> list[Passage]:
    """Return the ways of a packet through a hook; where there are more than `most`, only so many."""
    if hook not in table.hooks:
        return [Passage(End.PASSED, packet, ())]
    found: list[Passage] = []
    choices: list[tuple[int, ...]] = [()]
    while choices and len(found) < most:
        chosen = choices.pop()
        try:
            found.append(_Run(table, hook, own_addresses, packet, iter(chosen)).run())
        except _Undecided as undecided:
            choices.extend((*chosen, number) for number in reversed(range(undecided.count)))
    return found


class _Run:
    """One way through a hook; what `dice` show is decided beforehand."""

    def __init__(
        self, table: Table, hook: str, own: frozenset[str], packet: Packet, dice: Iterator[int]
    ) -> None:
        self._table = table
        self._hook = hook
        self._own = own
        self._packet = packet
        self._dice = dice
        self._matches: list[Match] = []
        self._found = ""

    def run(self) -> Passage:
        """Go all the way."""
        try:
            verdict = self._chain(self._table.hooks[self._hook], _DEPTH)
        except _UnreadableError as error:
            self._matches.append(Match(self._hook, "", f"a rule that is not understood: {error}"))
            return self._passage(End.UNCLEAR)
        ends = {_DROP: End.DROPPED, _REFUSE: End.REFUSED}
        return self._passage(ends.get(verdict, End.PASSED) if verdict else End.PASSED)

    def _passage(self, end: End) -> Passage:
        return Passage(end, self._packet, tuple(self._matches))

    def _chain(self, name: str, depth: int) -> _Verdict | None:
        """Return the verdict of a chain, None where it has none and its caller goes on."""
        if depth == 0 or name not in self._table.chains:
            raise _UnreadableError(f"there is no way to chain {name}")
        for rule in self._table.chains[name]:
            try:
                verdict = self._rule(name, rule)
            except _Unmatched:
                continue
            match verdict:
                case None:
                    continue
                case _Verdict("return"):
                    return None
                case _Verdict("goto", target):
                    return self._chain(target, depth - 1)
                case _Verdict("jump", target):
                    if ended := self._chain(target, depth - 1):
                        return ended
                case _:
                    return verdict
        return None

    def _rule(self, chain: str, rule: Rule) -> _Verdict | None:
        self._found = ""
        packet, verdict = self._packet, None
        for expression in rule.expressions:
            [(kind, content)] = expression.items()
            if kind == "match":
                self._match(content)
            elif kind == "mangle":
                packet = replace(packet, mark=self._mangled(content))
            elif kind in {"dnat", "masquerade"}:
                packet, verdict = self._translated(kind, content, packet), _ACCEPT
            elif kind not in _SILENT:
                verdict = self._verdict(kind, content)
        if verdict is not None or packet != self._packet:
            self._matches.append(Match(self._hook, chain, rule.text, self._found))
        self._packet = packet
        return verdict

    def _verdict(self, kind: str, content: Any) -> _Verdict:
        match kind:
            case "accept" | "drop" | "return":
                return _Verdict(kind)
            case "reject":
                if (content or {}).get("type") == "tcp reset" and self._packet.protocol != "tcp":
                    raise _Unmatched
                return _REFUSE
            case "jump" | "goto":
                return _Verdict(kind, content["target"])
            case "vmap":
                [(found, inner)] = self._looked_up(content).items()
                return self._verdict(found, inner)
        raise _UnreadableError(kind)

    def _translated(self, kind: str, content: Any, packet: Packet) -> Packet:
        if kind == "masquerade":
            return replace(packet, is_masqueraded=True)
        where = content["addr"]
        if isinstance(where, Mapping):
            target = read_value(self._looked_up(where["map"]))
            address, port = target if isinstance(target, tuple) else (target, packet.port)
        else:
            address, port = where, content.get("port", packet.port)
        return replace(packet, destination=str(address), port=int(str(port)), is_translated=True)

    def _looked_up(self, content: Mapping[str, Any]) -> Any:
        """Return what a map leads to; the packet is not concerned where it leads nowhere."""
        key = self._value(content["key"])
        elements = self._table.maps[_name(content["data"])]
        if key not in elements:
            raise _Unmatched
        self._found = f"{write_value(key)} : {_destination(elements[key])}"
        return elements[key]

    def _mangled(self, content: Mapping[str, Any]) -> int:
        if content["key"] != {"meta": {"key": "mark"}}:
            raise _UnreadableError(f"mangle {content['key']}")
        value = self._value(content["value"])
        if not isinstance(value, int):
            raise _UnreadableError(f"mark {value}")
        return value

    def _match(self, content: Mapping[str, Any]) -> None:
        left, right, operator = content["left"], content["right"], content["op"]
        if isinstance(left, Mapping) and "numgen" in left:
            found = self._draws(left["numgen"], right)
        elif isinstance(left, Mapping) and "ct" in left:
            found = self._connection(left["ct"]["key"], right)
        else:
            found = self._is_among(self._value(left), right)
        if operator not in {"==", "!=", "in"}:
            raise _UnreadableError(f"operator {operator}")
        if found is (operator == "!="):
            raise _Unmatched

    def _draws(self, numgen: Mapping[str, Any], right: Any) -> bool:
        if numgen["mod"] == 1:
            return bool(right == numgen.get("offset", 0))
        return self._choose(2) == 0  # whether it is just that number

    def _choose(self, count: int) -> int:
        number = next(self._dice, None)
        if number is None:
            raise _Undecided(count)
        return number

    def _connection(self, key: str, right: Any) -> bool:
        wanted = {right} if isinstance(right, str) else set(right)
        if key == "state":
            return "new" in wanted
        if key == "status" and wanted == {"dnat"}:
            return self._packet.is_translated
        raise _UnreadableError(f"ct {key}")

    def _is_among(self, value: Value, right: Any) -> bool:
        if isinstance(right, str) and right.startswith("@"):
            name = right[1:]
            is_there = value in self._table.sets[name] or self._table.intervals[name].covers(value)
            if is_there:
                self._found = f"{write_value(value)} in {right}"
            return is_there
        listed = right["set"] if isinstance(right, Mapping) and "set" in right else [right]
        values, intervals = read_elements(listed)
        return value in values or intervals.covers(value)

    def _value(self, expression: Any) -> Value:
        if isinstance(expression, str | int):
            return expression
        [(kind, content)] = expression.items()
        match kind:
            case "concat":
                return tuple(self._value(each) for each in content)
            case "payload":
                return self._payload(content["protocol"], content["field"])
            case "meta":
                return self._meta(content["key"])
            case "fib":
                return self._address_type(content)
            case _:
                return self._number(kind, content)

    def _number(self, kind: str, content: Any) -> int:
        if kind == "numgen":
            return 0 if content["mod"] == 1 else self._choose(content["mod"])
        if kind in {"&", "|"}:
            return self._combined(kind, content)
        raise _UnreadableError(kind)

    def _payload(self, protocol: str, field: str) -> Value:
        packet = self._packet
        if protocol in {"ip", "ip6"} and field in {"saddr", "daddr"}:
            return packet.source if field == "saddr" else packet.destination
        if protocol in _TRANSPORT and field == "dport":
            if protocol not in {"th", packet.protocol}:
                raise _Unmatched
            return packet.port
        raise _UnreadableError(f"{protocol} {field}")

    def _meta(self, key: str) -> Value:
        if key in {"mark", "l4proto"}:
            return self._packet.mark if key == "mark" else self._packet.protocol
        raise _UnreadableError(f"meta {key}")

    def _address_type(self, content: Mapping[str, Any]) -> str:
        if content["result"] != "type" or content["flags"] not in (["saddr"], ["daddr"]):
            raise _UnreadableError(f"fib {content}")
        address = self._packet.source if content["flags"] == ["saddr"] else self._packet.destination
        return "local" if is_own(address, self._own) else "unicast"

    def _combined(self, operator: str, content: Any) -> int:
        one, other = map(self._value, content)
        if not isinstance(one, int) or not isinstance(other, int):
            raise _UnreadableError(f"{one} {operator} {other}")
        return one & other if operator == "&" else one | other


def is_own(address: str, own: frozenset[str]) -> bool:
    """Whether an address is a host's own."""
    try:
        return address in own or ip_address(address).is_loopback
    except ValueError:
        return False


def _name(reference: Any) -> str:
    if isinstance(reference, str) and reference.startswith("@"):
        return reference[1:]
    raise _UnreadableError(f"map {reference}")


def _destination(value: Any) -> str:
    if isinstance(value, Mapping) and "concat" not in value:
        [(kind, content)] = value.items()
        return f"{kind} {content['target']}" if content else kind
    return write_value(read_value(value))

"""The way of one packet through the rules that NetworkPolicies have made, read from their text as the kernel would."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from proxy.core.table import CHAIN, Item


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection."""

    source: str
    target: str
    protocol: str  # "TCP", "UDP", "SCTP"
    port: int


def is_forwarded(table: Mapping[Item, str], packet: Packet) -> bool:
    """Whether a packet that a node forwards gets through."""
    return _Walk(table, packet).chain("forward") != "drop"


@dataclass(frozen=True)
class _Walk:
    table: Mapping[Item, str]
    packet: Packet

    def chain(self, name: str) -> str:
        """Return "accept", "drop", or "return" for who comes to the end."""
        for rule in self.table.get(Item(CHAIN, name), "").splitlines():
            verdict = self._rule(deque(rule.split()))
            if verdict == "return" and name != "forward":
                return verdict
            if verdict in {"accept", "drop"}:
                return verdict
        return "return"

    def _rule(self, words: deque[str]) -> str:
        """Return a rule's verdict, "" where the packet is not meant."""
        while words[0] not in {"accept", "drop", "return"}:
            match words.popleft():
                case "ct":
                    return ""  # of a connection that is there already
                case "meta":
                    words.popleft()
                    if words.popleft() != self.packet.protocol.lower():
                        return ""
                case first:
                    values = self._values(first, words)
                    if values is None:
                        return ""
                    if words[0] == "vmap":
                        words.popleft()
                        return self._verdict(self.table.get(Item(words.popleft()[1:], values), ""))
                    if not self._is_meant(values, words):
                        return ""
        return words[0]

    def _verdict(self, value: str) -> str:
        kind, _, name = value.partition(" ")
        return self.chain(name) if kind == "jump" else kind

    def _values(self, first: str, words: deque[str]) -> str | None:
        """Read what is compared, with its values in the packet; None for a port of another protocol."""
        found = []
        while True:
            field = words.popleft()
            if first != "ip" and first != self.packet.protocol.lower():
                return None
            found.append(
                {"saddr": self.packet.source, "daddr": self.packet.target, "dport": str(self.packet.port)}[
                    field
                ]
            )
            if words[0] != ".":
                return " . ".join(found)
            words.popleft()
            first = words.popleft()

    def _is_meant(self, value: str, words: deque[str]) -> bool:
        is_wanted = words[0] != "!="
        if not is_wanted:
            words.popleft()
        word = words.popleft()
        if word.startswith("@"):
            return (Item(word[1:], value) in self.table) == is_wanted
        if word != "{":
            return _fits(value, word) == is_wanted
        parts = []
        while (part := words.popleft()) != "}":
            parts.append(part.strip(","))
        return any(_fits(value, part) for part in parts) == is_wanted


def _fits(value: str, word: str) -> bool:
    if "." in value:
        return IPv4Address(value) in IPv4Network(word)
    first, _, last = word.partition("-")
    return int(first) <= int(value) <= int(last or first)

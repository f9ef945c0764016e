"""A model of the kernel's packet filter: one table, changed by the transactions that the product writes.

It refuses what the kernel refuses: to refer to what is not there, to delete what is referred to, to delete what is not
there, to give an element that is there another value. What it refuses changes nothing.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from typing import TypeVar

from proxy.core.table import NAME, Present, is_affinity

K = TypeVar("K")
V = TypeVar("V")

_COMMAND = re.compile(
    rf"(?P<verb>add|delete|flush) (?P<kind>\w+) ip6? {re.escape(NAME)}(?: (?P<name>\S+)(?: (?P<rest>.+))?)?"
)
_BLOCK = re.compile(r"  (?P<kind>chain|set|map) (?P<name>\S+) \{\n(?P<body>(?:    .*\n)*)  \}\n")
_ELEMENTS = re.compile(r"elements = \{ (.*) \}")


class RefusedError(Exception):
    """What the kernel would not take."""


@dataclass
class NftModel:
    """The table; chains with their rules, a hook first; sets and maps with their declarations and elements."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    declarations: dict[tuple[str, str], str] = field(default_factory=dict)  # by kind and name
    elements: dict[str, dict[str, str]] = field(default_factory=dict)
    commands: int = 0

    def run(self, transaction: str) -> None:
        """Run a transaction as a whole, or raise `RefusedError`."""
        after = copy.deepcopy(self)
        commands, *blocks = re.split(rf"\ntable ip6? {NAME} \{{\n", transaction)
        for command in commands.splitlines():
            after._command(command)
        after._block("".join(blocks))
        self.chains, self.declarations, self.elements = after.chains, after.declarations, after.elements
        self.commands += len(commands.splitlines())

    @property
    def present(self) -> Present:
        """The names in the table."""
        names = {
            kind: frozenset(name for own, name in self.declarations if own == kind) for kind in ("set", "map")
        }
        return Present(frozenset(self.chains), names["set"], names["map"])

    @property
    def content(self) -> tuple[object, ...]:
        """All of it, except for the clients that are remembered."""
        own = {name: found for name, found in self.elements.items() if not is_affinity(name)}
        return self.chains, self.declarations, own

    def _command(self, command: str) -> None:
        found = _COMMAND.fullmatch(command)
        if found is None:
            raise RefusedError(f"syntax: {command}")
        verb, kind, name, rest = found.group("verb", "kind", "name", "rest")
        match verb, kind:
            case "add", "table":
                pass
            case "delete", "table":
                self.chains, self.declarations, self.elements = {}, {}, {}
            case "flush", "table":
                self.chains = {
                    chain: rules[:1] if _is_hook(rules) else [] for chain, rules in self.chains.items()
                }
            case _, "chain":
                self._chain(verb, name, rest)
            case "add", "rule":
                self._rule(name, rest)
            case _, "element":
                self._change_elements(verb, name, rest.removeprefix("{ ").removesuffix(" }"))
            case _:
                self._holder(verb, kind, name, rest)

    def _chain(self, verb: str, name: str, rest: str | None) -> None:
        if verb == "add":
            self.chains.setdefault(name, [rest.strip("{} ")] if rest else [])
            return
        rules = _need(self.chains, name)
        self.chains[name] = rules[:1] if _is_hook(rules) else []
        if verb == "delete":
            self._refuse_if_used(f"goto {name}", f"jump {name}")
            del self.chains[name]

    def _rule(self, chain: str, rule: str) -> None:
        self._check(rule)
        _need(self.chains, chain).append(rule)

    def _holder(self, verb: str, kind: str, name: str, rest: str | None) -> None:
        if verb == "add":
            declaration = (rest or "").removeprefix("{ ").removesuffix(" }")
            if self.declarations.setdefault((kind, name), declaration) != declaration:
                raise RefusedError(f"{kind} {name} is declared in another way")
            self.elements.setdefault(name, {})
            return
        _need(self.declarations, (kind, name))
        self.elements[name] = {}
        if verb == "delete":
            self._refuse_if_used(f"@{name}")
            del self.declarations[kind, name], self.elements[name]

    def _change_elements(self, verb: str, holder: str, text: str) -> None:
        elements = _need(self.elements, holder)
        for pair in text.split(", "):
            key, _, value = pair.partition(" : ")
            if verb == "delete":
                _need(elements, key)
                del elements[key]
            else:
                self._check(value)
                if elements.setdefault(key, value) != value:
                    raise RefusedError(f"{holder} has {key} already")

    def _block(self, text: str) -> None:
        blocks = [found.group("kind", "name", "body") for found in _BLOCK.finditer(text)]
        for kind, name, body in blocks:
            lines = [line.strip() for line in body.splitlines()]
            if kind == "chain":
                hook = f"{{ {lines.pop(0)} }}" if lines and _is_hook(lines) else None
                self._chain("add", name, hook)
            else:
                self._holder("add", kind, name, " ".join(line for line in lines if not _ELEMENTS.match(line)))
        for kind, name, body in blocks:
            for line in map(str.strip, body.splitlines()):
                if kind == "chain" and not _is_hook([line]):
                    self._rule(name, line)
        for kind, name, body in blocks:
            if kind != "chain" and (found := _ELEMENTS.search(body)):
                self._change_elements("add", name, found[1])

    def _check(self, text: str) -> None:
        for chain in re.findall(r"(?:goto|jump) (\S+)", text):
            _need(self.chains, chain)
        for holder in re.findall(r"@(\S+)", text):
            _need(self.elements, holder)

    def _refuse_if_used(self, *references: str) -> None:
        rules = [rule for rules in self.chains.values() for rule in rules]
        values = [value for elements in self.elements.values() for value in elements.values()]
        for reference in references:
            if any(re.search(rf"{re.escape(reference)}(?!\S)", text) for text in (*rules, *values)):
                raise RefusedError(f"busy: {reference}")


def _need(found: dict[K, V], key: K) -> V:
    if key not in found:
        raise RefusedError(f"there is no {key}")
    return found[key]


def _is_hook(rules: list[str]) -> bool:
    return bool(rules) and rules[0].startswith(("type nat hook", "type filter hook"))

"""A table of a node's packet filter as a value, read from `nft -j list table` (libnftables-json(5)).

Rules stay as nft's JSON has them; `filtering` gives them their meaning. The text by which people know a rule comes from
nft, too: `nft -a list table` prints each with its handle.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, NamedTuple, TypeAlias

Value: TypeAlias = str | int | tuple["Value", ...]

_RULE_LINE: Final = re.compile(r"^\t\t(?P<text>\S.*) # handle (?P<handle>\d+)$", re.MULTILINE)


class Rule(NamedTuple):
    """One rule of a chain."""

    text: str
    expressions: tuple[Mapping[str, Any], ...]


class Networks(NamedTuple):
    """What in a set is no single value: networks and ranges of addresses or numbers, both ends included."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    ranges: tuple[tuple[Value, Value], ...] = ()

    def covers(self, value: Value) -> bool:
        """Whether a value is in one of them."""
        if isinstance(value, int):
            return any(
                isinstance(first, int) and isinstance(last, int) and first <= value <= last
                for first, last in self.ranges
            )
        if not isinstance(value, str) or not (self.networks or self.ranges):
            return False
        address = ip_address(value)
        return any(address in network for network in self.networks) or any(
            int(ip_address(str(first))) <= int(address) <= int(ip_address(str(last)))
            for first, last in self.ranges
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A table: chains by their names, which chain is at which hook, elements of sets and maps."""

    chains: Mapping[str, tuple[Rule, ...]]
    hooks: Mapping[str, str]
    sets: Mapping[str, frozenset[Value]]
    intervals: Mapping[str, Networks]
    maps: Mapping[str, Mapping[Value, Any]]


NO_TABLE: Final = Table({}, {}, {}, {}, {})


def read_table(document: Mapping[str, Any], listing: str = "") -> Table:
    """Read what `nft -j list table` printed, with the rules' texts out of `nft -a list table`.

    Raises:
        ValueError: it is no such document.
    """
    texts = {int(found["handle"]): found["text"] for found in _RULE_LINE.finditer(listing)}
    rules: dict[str, list[Rule]] = defaultdict(list)
    hooks: dict[str, str] = {}
    sets: dict[str, frozenset[Value]] = {}
    intervals: dict[str, Networks] = {}
    maps: dict[str, Mapping[Value, Any]] = {}
    try:
        for kind, item in (pair for entry in document["nftables"] for pair in entry.items()):
            match kind:
                case "chain":
                    rules.setdefault(item["name"], [])
                    if "hook" in item:
                        hooks[item["hook"]] = item["name"]
                case "rule":
                    text = texts.get(item.get("handle", 0), "")
                    rules[item["chain"]].append(Rule(text, tuple(item["expr"])))
                case "set":
                    sets[item["name"]], intervals[item["name"]] = read_elements(item.get("elem", ()))
                case "map":
                    maps[item["name"]] = {read_value(key): value for key, value in item.get("elem", ())}
                case _:
                    pass
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no table as nft lists it: {error!r}") from error
    return Table({name: tuple(found) for name, found in rules.items()}, hooks, sets, intervals, maps)


def read_elements(elements: Iterable[Any]) -> tuple[frozenset[Value], Networks]:
    """Read the elements of a set: single values, and what stands for many."""
    values: set[Value] = set()
    networks: list[IPv4Network | IPv6Network] = []
    ranges: list[tuple[Value, Value]] = []
    for each in map(_bare, elements):
        if isinstance(each, Mapping) and "prefix" in each:
            networks.append(ip_network(f"{each['prefix']['addr']}/{each['prefix']['len']}"))
        elif isinstance(each, Mapping) and "range" in each:
            first, last = each["range"]
            ranges.append((read_value(first), read_value(last)))
        else:
            values.add(read_value(each))
    return frozenset(values), Networks(tuple(networks), tuple(ranges))


def read_value(item: Any) -> Value:
    """Read a single value, or several that are looked up together.

    Raises:
        ValueError: it is no constant.
    """
    bare = _bare(item)
    if isinstance(bare, str | int):
        return bare
    if isinstance(bare, Mapping) and "concat" in bare:
        return tuple(read_value(each) for each in bare["concat"])
    raise ValueError(f"{bare!r} is no value")


def write_value(value: Value) -> str:
    """Write a value as nft does."""
    return " . ".join(map(write_value, value)) if isinstance(value, tuple) else str(value)


def _bare(item: Any) -> Any:
    """Return an element without what the kernel notes beside it, as how long it stays."""
    return item["elem"]["val"] if isinstance(item, Mapping) and "elem" in item else item

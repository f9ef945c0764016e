"""The packet filter's table as a value, and the text for `nft -f -` that puts it in place or changes it.

A table is a mapping from items to text: chains to their rules, sets and maps to their declarations (one a line), and
elements to what they lead to. One transaction either takes effect as a whole, between two packets, or not at all.

The order inside of a transaction is the kernel's: what is referred to has to be there first, and can go only when
nothing refers to it any more. So elements go first and come last, and chains are emptied before any of them is deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from proxy.core.families import Family
from proxy.core.merged import Difference

NAME: Final = "kubarium-proxy"
TABLE: Final = f"ip {NAME}"  # for IPv4
CHAIN: Final = "chain"
SET: Final = "set"
MAP: Final = "map"
HOOKS: Final[Mapping[str, str]] = {
    "prerouting": "type nat hook prerouting priority -100; policy accept;",
    "output": "type nat hook output priority -100; policy accept;",
    "postrouting": "type nat hook postrouting priority 100; policy accept;",
    "forward": "type filter hook forward priority 0; policy accept;",
}
_REMEMBERS: Final = "affinity-"


class Item(NamedTuple):
    """One thing in the table: a chain, a set, a map (by its name), or an element (by its key) of the set or map `kind`."""

    kind: str
    name: str


Table: TypeAlias = Mapping[Item, str]
TableDifference: TypeAlias = Difference[Item, str]


@dataclass(frozen=True, slots=True)
class Present:
    """The names that are in the kernel's table now."""

    chains: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()


def is_affinity(set_name: str) -> bool:
    """Whether a set remembers clients: its elements are the kernel's own."""
    return set_name.startswith(_REMEMBERS)


def table_of(family: Family) -> str:
    """Return what nft calls the table of a family."""
    return f"{family.word} {NAME}"


def write_changes(differences: Collection[TableDifference], own: str = TABLE) -> str:
    """Write the commands that change only what is different in a table.

    Declarations and hooks never change: whoever needs another set or map has to call it by another name.
    """
    gone = [each for each in differences if each.old is not None]
    here = [each for each in differences if each.new is not None]
    return "".join(
        (
            *_elements("delete", gone, own),
            *(
                _declare(each.key, each.new or "", own)
                for each in here
                if _is_holder(each) and each.old is None
            ),
            *(_add_chain(each.key.name, own) for each in here if _is_chain(each) and each.old is None),
            *(f"flush chain {own} {each.key.name}\n" for each in gone if _is_chain(each)),
            *(_add_rules(each.key.name, each.new or "", own) for each in here if _is_chain(each)),
            *_elements("add", here, own),
            *(
                f"delete chain {own} {each.key.name}\n"
                for each in gone
                if _is_chain(each) and each.new is None
            ),
            *(f"delete {each.key.kind} {own} {each.key.name}\n" for each in gone if _is_gone_holder(each)),
        )
    )


def write_whole(table: Table, present: Present | None, own: str = TABLE) -> str:
    """Write the commands that put a table in the place of whatever is there, of which the names are known.

    Sets that remember clients stay as they are. With `present` None nothing of the old table is used again: clients
    are forgotten. The same table makes the same text.
    """
    text = _write_table(table, own)
    if present is None:
        return f"add table {own}\ndelete table {own}\n{text}"
    return "".join((f"add table {own}\n", f"flush table {own}\n", *_clear(table, present, own), text))


def _clear(table: Table, present: Present, own: str) -> Iterator[str]:
    for kind, names in ((MAP, present.maps), (SET, present.sets)):
        for name in sorted(names):
            if not (kind == SET and is_affinity(name)):
                yield f"flush {kind} {own} {name}\n"
    for kind, names in ((CHAIN, present.chains), (MAP, present.maps), (SET, present.sets)):
        for name in sorted(names):
            if Item(kind, name) not in table:
                yield f"delete {kind} {own} {name}\n"


def _write_table(table: Table, own: str) -> str:
    named: dict[str, list[tuple[str, str]]] = defaultdict(list)  # by kind
    for item, value in table.items():
        named[item.kind].append((item.name, value))
    blocks = [
        _block(kind, name, _body(kind, name, value, named.get(name, [])))
        for kind in (SET, MAP, CHAIN)
        for name, value in sorted(named[kind])
    ]
    return f"table {own} {{\n{''.join(blocks)}}}\n"


def _body(kind: str, name: str, value: str, elements: list[tuple[str, str]]) -> list[str]:
    lines = value.splitlines()
    if kind == CHAIN and name in HOOKS:
        lines.insert(0, HOOKS[name])
    if kind != CHAIN and elements:
        written = ", ".join(_element(*each) for each in sorted(elements))
        lines.append(f"elements = {{ {written} }}")
    return lines


def _block(kind: str, name: str, lines: Iterable[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  {kind} {name} {{\n{body}  }}\n"


def _elements(verb: str, differences: Iterable[TableDifference], own: str) -> Iterator[str]:
    """Write one command for each set and map."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in differences:
        if each.key.kind not in {CHAIN, SET, MAP}:
            value = each.new if verb == "add" else ""
            found[each.key.kind].append(_element(each.key.name, value or ""))
    return (f"{verb} element {own} {kind} {{ {', '.join(keys)} }}\n" for kind, keys in found.items())


def _element(key: str, value: str) -> str:
    return f"{key} : {value}" if value else key


def _declare(item: Item, declaration: str, own: str) -> str:
    return f"add {item.kind} {own} {item.name} {{ {' '.join(declaration.splitlines())} }}\n"


def _add_chain(name: str, own: str) -> str:
    hook = f" {{ {HOOKS[name]} }}" if name in HOOKS else ""
    return f"add chain {own} {name}{hook}\n"


def _add_rules(chain: str, rules: str, own: str) -> str:
    return "".join(f"add rule {own} {chain} {rule}\n" for rule in rules.splitlines())


def _is_chain(difference: TableDifference) -> bool:
    return difference.key.kind == CHAIN


def _is_holder(difference: TableDifference) -> bool:
    return difference.key.kind in {SET, MAP}


def _is_gone_holder(difference: TableDifference) -> bool:
    return _is_holder(difference) and difference.new is None

"""Lists that are written item by item: as tables, as metadata, as YAML, for people. They may be as long as the store is.

They are written in slices, each beside the event loop, so that neither the loop nor others who have something done beside
it wait for the whole of a long one.

    items ─► slices ─► JSON of the items of each ─► the form of the answer ─► one body
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from apiserver.aside import aside, slices
from apiserver.request import Item
from apiserver.rest.replies import YAML_WEIGHT, pretty, to_yaml

_PRETTY_HEAD: Final = len(b'{\n  "items": [\n')
_PRETTY_TAIL: Final = len(b"\n  ]\n}\n")
_EMPTY_PRETTY: Final = b"[]\n}\n"
_EMPTY_YAML: Final = b" []\n"


@dataclass(frozen=True, slots=True)
class LongList:
    """A list as JSON, in pieces."""

    head: bytes  # up to the bracket that opens the items
    slices: tuple[bytes, ...]  # items with commas between them, none of the slices is empty
    tail: bytes

    def json(self) -> bytes:
        """Return it as it is."""
        return b"".join((self.head, b",".join(self.slices), self.tail))

    async def pretty(self) -> bytes:
        """Return it as JSON for people."""
        if not self.slices:
            return pretty(self.json())
        parts = [await aside(len(each), _pretty_items, each) for each in self.slices]
        head = pretty(self.head + self.tail).removesuffix(_EMPTY_PRETTY)
        return b"".join((head, b"[\n", b",\n".join(parts), b"\n  ]\n}\n"))

    async def yaml(self) -> bytes:
        """Return it as YAML; the items are its last field except for `kind` and `metadata`, which follow them in the alphabet."""
        if not self.slices:
            return to_yaml(self.json())
        parts = [await aside(YAML_WEIGHT * len(each), _yaml_items, each) for each in self.slices]
        before, _, after = to_yaml(self.head + self.tail).partition(b"items:" + _EMPTY_YAML)
        return b"".join((before, b"items:\n", *parts, after))


async def long_list(
    head: bytes, items: Sequence[Item], write: Callable[[Item], bytes], tail: bytes
) -> LongList:
    """Write the items of a list."""

    def write_each(some: Sequence[Item]) -> bytes:
        return b",".join([write(item) for item in some])

    written = [await aside(weight, write_each, some) for some, weight in slices(items, _weight)]
    return LongList(head, tuple(written), tail)


def _weight(item: Item) -> int:
    return len(item.json)


def _pretty_items(items: bytes) -> bytes:
    return pretty(b'{"items":[%b]}' % items)[_PRETTY_HEAD:-_PRETTY_TAIL]


def _yaml_items(items: bytes) -> bytes:
    return to_yaml(b"[%b]" % items)

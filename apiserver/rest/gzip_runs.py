"""The items of long lists, compressed run by run, each run once: where one item changes, its run is compressed anew.

A run ends where the uid of an item says so. So an item that comes or goes changes its own run and no other one, wherever it
stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from apiserver.request import Item
from apiserver.rest import gzip_parts
from apiserver.rest.gzip_parts import Part
from apiserver.rest.replies import ASIDE_FROM

BUDGET: Final = (
    64 * 1024 * 1024
)  # bytes of items and of what they were compressed to that are remembered together
_ONE_IN: Final = 16  # items that end a run
_LARGE: Final = 64 * 1024  # bytes of an item that ends one in any case

_Run: TypeAlias = tuple[bytes, ...]


class Runs:
    """The latest runs, by the bytes of their items, which the watch cache shares with all readers.

    So what is kept of them costs what they were compressed to, and no more than `budget` bytes with the items.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._found: dict[_Run, Part] = {}

    async def part(
        self,
        items: Sequence[Item],
        written: Sequence[bytes],
        separator: bytes = b"",
        finish: Callable[[bytes], bytes] = bytes,
    ) -> Part:
        """Return the items of a list, as they are written, with separators between them, compressed.

        `finish` makes of what is written of an item what stands in the list; only what is compressed anew is finished.
        """
        runs = list(_runs(items, written))
        missing = [run for run in runs if run not in self._found]
        contents = [separator.join([each and finish(each) for each in run]) for run in missing]
        made = dict(zip(missing, await _compressed(contents), strict=True))
        parts = [self._found.get(run) or made[run] for run in runs]
        for run, part in made.items():
            self._keep(run, part)
        return gzip_parts.joined(parts)

    def _keep(self, run: _Run, part: Part) -> None:
        """Remember a run; the oldest are forgotten where there is no room."""
        if run in self._found:  # somebody else has asked for the same meanwhile
            return
        self._found[run] = part
        self._left -= _size(part)
        while self._left < 0:
            self._left += _size(self._found.pop(next(iter(self._found))))


def _size(part: Part) -> int:
    return part.size + len(part.deflated)


def _runs(items: Sequence[Item], written: Sequence[bytes]) -> Iterator[_Run]:
    """Yield what is written, run by run; all but the first begin with nothing, before which a separator stands."""
    ends = [
        number
        for number, (item, each) in enumerate(zip(items, written, strict=True), 1)
        if not hash(item.uid or each) % _ONE_IN or len(each) > _LARGE
    ]
    begin = 0
    for end in (*ends, len(written)):
        if end > begin:
            yield (b"", *written[begin:end]) if begin else tuple(written[:end])
        begin = end


async def _compressed(contents: Sequence[bytes]) -> list[Part]:
    if sum(map(len, contents)) > ASIDE_FROM:
        return await asyncio.to_thread(_compress, contents)
    return _compress(contents)


def _compress(contents: Sequence[bytes]) -> list[Part]:
    return [gzip_parts.part(content) for content in contents]

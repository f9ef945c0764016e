"""Sets of indexes as a Job's status writes them: "0-3,5,6,9-11"; ranges in their order, with gaps between them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last index of each range, both included."""

NONE: Final[Ranges] = ()
_RANGE: Final = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?", re.ASCII)


def parse(text: str, completions: int) -> Ranges:
    """Read the indexes below `completions`; a part that is no range is passed over."""
    found = (_RANGE.fullmatch(part) for part in text.split(","))
    ends = ((int(part[1]), int(part[2] or part[1])) for part in found if part)
    return merge((first, min(last, completions - 1)) for first, last in ends if first < completions)


def of(indexes: Iterable[int]) -> Ranges:
    """Return the ranges of some indexes."""
    return merge((index, index) for index in indexes)


def union(one: Ranges, other: Ranges) -> Ranges:
    """Return the indexes of both."""
    return merge((*one, *other)) if one and other else one or other


def merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Order ranges, and make one of those that touch."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        elif first <= last:
            merged.append((first, last))
    return tuple(merged)


def total(ranges: Ranges) -> int:
    """Return how many indexes there are."""
    return sum(last - first + 1 for first, last in ranges)


def contains(ranges: Ranges, index: int) -> bool:
    """Whether an index is among them."""
    at = bisect_left(ranges, index, key=lambda each: each[1])
    return at < len(ranges) and ranges[at][0] <= index


def common(one: Ranges, other: Ranges) -> int:
    """Return how many indexes are in both."""
    return total(one) + total(other) - total(union(one, other))


def missing(ranges: Ranges, completions: int) -> Iterator[int]:
    """Return the indexes below `completions` that are not among them, in order."""
    at = 0
    for first, last in ranges:
        yield from range(at, min(first, completions))
        at = last + 1
    yield from range(at, completions)


def text(ranges: Ranges) -> str:
    """Write them; two indexes that follow each other are no range."""
    return ",".join(_part(first, last) for first, last in ranges)


def _part(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"

"""Texts that list indexes of a Job: "1,3-5,7", in their order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

Interval: TypeAlias = tuple[int, int]
"""First and last, both included."""

_NUMBER: Final = re.compile("[+-]?[0-9]{1,18}", re.ASCII)


def count(text: str, completions: int) -> int:
    """Return how many indexes a text lists.

    Raises:
        ValueError: it lists none in this form, one that the Job does not have, or not in their order.
    """
    total, previous = 0, -1
    for part in text.split(",") if text else ():
        first, last = _interval(part, completions)
        if previous >= first:
            raise ValueError(f"non-increasing order, previous: {previous}, current: {first}")
        total += last - first + 1
        previous = last
    return total


def first_common(one: str, other: str, completions: int) -> int | None:
    """Return the first index that two texts have both; what is no interval in them is passed over."""
    left, right = _intervals(one, completions), _intervals(other, completions)
    a, b = next(left, None), next(right, None)
    while a and b:
        if a[0] <= b[1] and b[0] <= a[1]:
            return max(a[0], b[0])
        if a[0] <= b[0]:
            a = next(left, None)
        else:
            b = next(right, None)
    return None


def _intervals(text: str, completions: int) -> Iterator[Interval]:
    for part in text.split(","):
        try:
            yield _interval(part, completions)
        except ValueError:
            continue


def _interval(part: str, completions: int) -> Interval:
    ends = part.split("-")
    if len(ends) > 2:
        raise ValueError(
            f"the fragment {json.dumps(part)} violates the requirement that an index interval can have at most two "
            "parts separated by '-'"
        )
    first, last = _index(ends[0], completions), _index(ends[-1], completions)
    if len(ends) == 2 and first >= last:
        raise ValueError(f"non-increasing order, previous: {first}, current: {last}")
    return first, last


def _index(text: str, completions: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"cannot convert string to integer for index: {json.dumps(text)}")
    index = int(text)
    if index >= completions:
        raise ValueError(f"too large index: {json.dumps(text)}")
    return index

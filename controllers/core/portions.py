"""Which new objects go to the apiserver by one request: a request costs more than what is done for a pod in it.

A portion is small enough that the apiserver is through with it in some 30 ms: what others ask is served between two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from controllers.core.actions import Create, Write

LARGEST: Final = 16  # objects of one request


class Portioned(NamedTuple):
    """Writes, as requests."""

    single: Sequence[Write]
    together: Sequence[Sequence[Create]]  # several objects of one kind each, in order


def portioned(writes: Sequence[Write]) -> Portioned:
    """Divide writes that do not depend on each other into those that are a request each, and portions of new objects."""
    kinds: dict[str, list[Create]] = {}
    single: list[Write] = []
    for write in writes:
        if isinstance(write, Create):
            kinds.setdefault(str(write.resource), []).append(write)
        else:
            single.append(write)
    together: list[Sequence[Create]] = []
    for portion in _slices(kinds.values()):
        if len(portion) == 1:
            single += portion
        else:
            together.append(portion)
    return Portioned(single, together)


def _slices(kinds: Iterable[Sequence[Create]]) -> Iterator[Sequence[Create]]:
    for creates in kinds:
        for first in range(0, len(creates), LARGEST):
            yield creates[first : first + LARGEST]

"""Conversions that somebody else makes: a rule that needs one says so, and is asked again when it has been made.

Rules are pure functions and cannot wait. One that comes upon an object in another version, which a server outside converts,
raises `ConversionNeeded`; who runs rules (`apiserver.aside`) awaits `make` and runs them anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from apiserver.core.values import Json

ConvertAll: TypeAlias = Callable[[Sequence[Json], str], Awaitable[list[Json]]]
"""Converts objects of any version to the one that is named, all by one call."""


class ConversionNeeded(Exception):  # noqa: N818 - it says what is missing
    """An object has to be converted first."""

    def __init__(self, make: Callable[[], Awaitable[None]]) -> None:
        super().__init__("the object has to be converted first")
        self.make = make

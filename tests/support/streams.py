"""Streams that end with the block that reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TypeVar, cast

T = TypeVar("T")


def closing(stream: AsyncIterator[T]) -> aclosing[AsyncGenerator[T, None]]:
    """Close what `Api.watch` gives at the end of a block: its type says less than its contract, which has `aclose`."""
    return aclosing(cast("AsyncGenerator[T, None]", stream))

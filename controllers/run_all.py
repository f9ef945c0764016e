"""Several requests at once, as one structured step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar, cast

from machinery.model.errors import ApiError

T = TypeVar("T")


async def run_all(attempts: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all to their ends, at once, and return their results in order.

    Raises:
        ApiError: the first one's, after all have ended.
    """
    if len(attempts) == 1:
        return [await attempts[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_caught(attempt)) for attempt in attempts]
    results: list[T] = []
    for task in tasks:
        result, error = task.result()
        if error is not None:
            raise error
        results.append(cast("T", result))
    return results


async def _caught(attempt: Coroutine[Any, Any, T]) -> tuple[T | None, ApiError | None]:
    try:
        return await attempt, None
    except ApiError as error:
        return None, error

"""What stands in for threads in virtual time."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class InlineExecutor(ThreadPoolExecutor):
    """Runs at once what others would give to a thread: virtual time does not wait for threads."""

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        """Run it."""
        done: Future[Any] = Future()
        try:
            done.set_result(function(*arguments, **options))
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
            done.set_exception(error)
        return done

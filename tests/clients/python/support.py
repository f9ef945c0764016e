"""What the programs share: the namespace that they work in, a container that waits, and how an error is expected."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SLEEPER = ["sh", "-c", "trap 'exit 0' TERM; echo started; while :; do sleep 0.2; done"]


def namespace() -> str:
    """Return the namespace that is the program's own."""
    return os.environ["NAMESPACE"]


@contextmanager
def expect_status(error: type[Exception], status: int) -> Iterator[None]:
    """Expect that the server answers with this HTTP status, as this client's error."""
    answered = 0
    try:
        yield
    except error as refused:
        answered = status_of(refused)
    assert answered == status


def status_of(error: Any) -> int:
    """Return the HTTP status that an error has, wherever this client keeps it."""
    found = getattr(error, "status", None)
    if isinstance(found, int):
        return found
    for holder in (found, getattr(error, "response", None), error):
        for name in ("code", "status_code"):
            if isinstance(code := getattr(holder, name, None), int):
                return code
    raise AssertionError(f"no status in {error!r}")

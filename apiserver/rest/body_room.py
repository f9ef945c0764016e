"""How many bytes of large bodies may be on their way in, or wait to be served: of one user, and in all.

A body is counted as it is announced, before any of it is read, until its request is answered. So those that are let in
get through, and those above the bound are told at once to come back. Small bodies are not counted: how many of those one
user may have is bounded by the number of their requests.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from machinery.model.errors import TooManyRequests

SMALL: Final = 64 * 1024  # bytes
OF_ONE: Final = 32 * 1024 * 1024  # bytes: ten of the largest
OF_ALL: Final = 128 * 1024 * 1024  # bytes


class BodyRoom:
    """The room for bodies of one apiserver."""

    def __init__(self, of_one: int = OF_ONE, of_all: int = OF_ALL) -> None:
        self._of_one = of_one
        self._of_all = of_all
        self._of_user: Counter[str] = Counter()
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many bytes are on their way."""
        return self._taken

    def take(self, user: str, size: int) -> None:
        """Reserve room for a body of a user.

        Raises:
            TooManyRequests: there is not so much.
        """
        if self._taken + size > self._of_all or self._of_user[user] + size > self._of_one:
            raise TooManyRequests("too many large requests, please try again later", retry_after_s=1)
        self._taken += size
        self._of_user[user] += size

    def give_back(self, user: str, size: int) -> None:
        """Return what was taken."""
        self._taken -= size
        self._of_user[user] -= size
        if not self._of_user[user]:
            del self._of_user[user]

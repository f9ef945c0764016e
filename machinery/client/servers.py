"""Servers that stand in for each other: a client asks one of them, and another one when it fails.

The members of an etcd cluster and a cluster's apiservers are such servers. Clients of one list begin at different
members, by a hash of their names, and stay with a member as long as it answers. One that fails is left for the next
in the list, and passed by for a moment that grows with its failures in a row.

A request whose answer did not come may have been carried out. So it is sent again only where the caller says that it
may be carried out twice, or where it is known that it was never sent (`NotSent`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar
from zlib import crc32

from machinery.model.backoff import Backoff
from machinery.model.errors import ApiError, DeadlineExceeded, Unavailable

M = TypeVar("M")
R = TypeVar("R")

_REST: Final = Backoff(initial_s=0.1, cap_s=1.0)  # wall seconds


class NotSent(Unavailable):
    """There was no connection to send the request over: it has not been carried out."""


class _Rest(NamedTuple):
    failures: int  # in a row
    until_s: float


class Servers(Generic[M]):
    """The members of a list, and which of them is asked."""

    def __init__(
        self,
        members: Sequence[M],
        *,
        caller: str = "",
        on_change: Callable[[M, M, ApiError | None], None] = lambda _left, _next, _error: None,
        now: Callable[[], float],
    ) -> None:
        """Keep the list. `on_change` is told who is left for whom, and why; `now` counts wall seconds."""
        self.members = tuple(members)
        self._current = crc32(caller.encode()) % len(self.members)
        self._resting: dict[int, _Rest] = {}
        self._on_change = on_change
        self._now = now

    @property
    def current(self) -> M:
        """The member that was asked last."""
        return self.members[self._current]

    def choose(self) -> M:
        """Return the member to ask now: the one before, unless it rests and another one does not."""
        if self._resting:
            self._current = next(filter(self._is_rested, self._from_current()), self._current)
        return self.members[self._current]

    def leave(self, member: M, error: ApiError | None = None) -> None:
        """Leave a member that failed alone for a while and go on to the next, unless somebody has gone on already."""
        left = self._current
        if self.members[left] is not member:
            return
        failures = self._resting[left].failures + 1 if left in self._resting else 1
        until_s = self._now() + _REST.delay(failures)
        self._resting[left] = _Rest(failures, until_s)
        self._current = (left + 1) % len(self.members)
        if len(self.members) > 1:
            self._on_change(member, self.current, error)

    def answered(self, member: M) -> None:
        """Note that a member has answered: its failures are forgotten."""
        if self._resting:
            self._resting.pop(self.members.index(member), None)

    async def call(
        self, ask: Callable[[M, float], Awaitable[R]], *, timeout_s: float, attempts: int = 1
    ) -> R:
        """Return the answer to `ask(member, timeout_s)` of one member, or of another where that one fails.

        `attempts` is how often the request may be sent: more than once only if it may be carried out twice (reads,
        and writes that compare a revision first). Each has `timeout_s` (wall seconds) for itself.

        Raises:
            ApiError: what the last member answered; `Unavailable` or `DeadlineExceeded` where none did.
        """
        unsent = 0
        while True:
            member = self.choose()
            try:
                answer = await ask(member, timeout_s)
            except (Unavailable, DeadlineExceeded) as error:
                self.leave(member, error)
                unsent, attempts = (
                    (unsent + 1, attempts) if isinstance(error, NotSent) else (unsent, attempts - 1)
                )
                if not attempts or unsent >= len(self.members):
                    raise
            else:
                self.answered(member)
                return answer

    def _from_current(self) -> list[int]:
        size = len(self.members)
        return [(self._current + step) % size for step in range(size)]

    def _is_rested(self, index: int) -> bool:
        rest = self._resting.get(index)
        return rest is None or rest.until_s <= self._now()

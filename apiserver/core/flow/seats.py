"""Seats: a request that is served has one; the others of its level wait in fair order, or are refused.

    arrive(request, flow) → SEATED, WAITS or REFUSED       leave(request) → those who are seated now
    give_up(request)        whoever waits goes away

Fair order is by start-time fair queueing: a request starts, in its level's virtual time, where its flow's last one
ends. So flows take turns, however many requests one of them has waiting. In Kubernetes a fixed number of queues is
shared by all flows; here every flow that has something waiting is a queue of its own, and all of a level are bounded.

Between levels, those that are below their nominal seats come first, in the order of the table; then who borrows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heappop, heappush
from typing import Final, Generic, NamedTuple, TypeVar

from apiserver.core.flow.levels import EXEMPT, LEVELS, Level, Share, shares_of
from apiserver.core.flow.schemas import Flow

R = TypeVar("R", bound=Hashable)

_SLACK: Final = 64  # entries of a heap that may be of nobody any more


class Arrival(Enum):
    """What becomes of a request that arrives."""

    SEATED = "seated"
    WAITS = "waits"
    REFUSED = "refused"


@dataclass(slots=True)
class _Queues(Generic[R]):
    """The waiting requests of one level, and how many of it are served."""

    level: Level
    share: Share
    served: int = 0
    now: int = 0  # virtual time: the start of the request that was seated last
    waiting: dict[R, str] = field(default_factory=dict)  # each with the key of its flow
    ends: dict[str, int] = field(default_factory=dict)  # of flows that wait: where their last request ends
    lengths: dict[str, int] = field(default_factory=dict)  # of flows that wait
    order: list[tuple[int, int, R]] = field(default_factory=list)  # a heap; who has given up is still in it


class LevelState(NamedTuple):
    """What is going on at a level."""

    name: str
    queues: int  # flows that have something waiting
    waiting: int
    served: int
    share: Share
    limit: int  # seats that it may have at this moment, with those that others lend
    is_quiescing: bool  # whether nothing configures it any more, and only its last requests are there


class Waiting(NamedTuple, Generic[R]):
    """A request that waits: at which level, in which flow, and where it starts in the level's virtual time."""

    level: str
    flow: str
    start: int
    request: R


class Seats(Generic[R]):
    """The seats of one apiserver."""

    def __init__(self, total: int, levels: tuple[Level, ...] = LEVELS) -> None:
        shares = shares_of(total, levels)
        self._configured = frozenset(shares)
        self._levels = {level.name: _Queues[R](level, shares[level.name]) for level in levels}
        self._lent = sum(share.nominal - share.own for share in shares.values())  # seats for everybody
        self._borrowed = 0  # of these
        self._waiting = 0
        self._seated: dict[R, _Queues[R]] = {}
        self._number = 0

    def levels(self) -> Iterator[LevelState]:
        """Yield what is going on at every level that has seats."""
        free = self._lent - self._borrowed
        for name, each in self._levels.items():
            share = each.share
            limit = max(share.own, each.served) + free
            if share.most is not None:
                limit = min(limit, share.most)
            is_quiescing = name not in self._configured
            yield LevelState(
                name, len(each.lengths), len(each.waiting), each.served, share, limit, is_quiescing
            )

    def in_order(self) -> Iterator[Waiting[R]]:
        """Yield the requests that wait, level by level, those that are served next first."""
        for name, each in self._levels.items():
            for start, _, request in sorted(each.order, key=lambda entry: entry[:2]):
                if request in each.waiting:
                    yield Waiting(name, each.waiting[request], start, request)

    def seated(self) -> Iterator[R]:
        """Yield the requests that are served."""
        yield from self._seated

    def reconfigure(self, total: int, levels: tuple[Level, ...]) -> list[R]:
        """Divide the seats anew; return the requests that are seated now.

        Who is served keeps the seat, who waits the place. A level that is no more is there until its last request goes.
        """
        shares = shares_of(total, levels)
        self._configured = frozenset(shares)
        before, self._levels = self._levels, {}
        for level in levels:
            queues = self._levels[level.name] = before.pop(level.name, _Queues[R](level, shares[level.name]))
            queues.level, queues.share = level, shares[level.name]
        for name, queues in before.items():
            if queues.served or queues.waiting:
                queues.share = Share(0, 1)
                self._levels[name] = queues
        self._lent = sum(share.nominal - share.own for share in shares.values())
        self._borrowed = sum(max(0, each.served - each.share.own) for each in self._levels.values())
        return self._seat_waiting()

    def arrive(self, request: R, flow: Flow) -> Arrival:
        """Seat a request, have it wait, or refuse it."""
        if flow.level == EXEMPT:
            return Arrival.SEATED
        queues = self._levels[flow.level]
        if not queues.waiting and self._has_seat(queues):
            self._seat(queues, request)
            return Arrival.SEATED
        length, level = queues.lengths.get(flow.key, 0), queues.level
        if length >= level.queue_length or len(queues.waiting) >= level.queued:
            return Arrival.REFUSED
        start = max(queues.now, queues.ends.get(flow.key, 0))
        self._number += 1
        heappush(queues.order, (start, self._number, request))
        self._waiting += 1
        queues.waiting[request] = flow.key
        queues.ends[flow.key], queues.lengths[flow.key] = start + 1, length + 1
        return Arrival.WAITS

    def leave(self, request: R) -> list[R]:
        """Free the seat of a request, or its place among those who wait; return the requests that are seated now."""
        queues = self._seated.pop(request, None)
        if queues is None:
            self.give_up(request)
            return []
        if queues.served > queues.share.own:
            self._borrowed -= 1
        queues.served -= 1
        return self._seat_waiting()

    def _seat_waiting(self) -> list[R]:
        """Seat those who wait, as long as there are seats for them."""
        seated: list[R] = []
        if not self._waiting:
            return seated
        while (found := self._next()) is not None:
            seated.append(self._seat_first(found))
        return seated

    def give_up(self, request: R) -> None:
        """Forget a request that waits."""
        for queues in self._levels.values():
            if request in queues.waiting:
                self._drop(queues, request)

    def served(self) -> dict[str, int]:
        """Return how many requests of each level have a seat."""
        return {name: queues.served for name, queues in self._levels.items()}

    def waiting(self) -> dict[str, int]:
        """Return how many requests of each level wait."""
        return {name: len(queues.waiting) for name, queues in self._levels.items()}

    @property
    def kept(self) -> int:
        """How much is remembered of requests that wait, or have given up."""
        return sum(len(queues.order) for queues in self._levels.values())

    def _next(self) -> _Queues[R] | None:
        """Return the level whose first waiting request gets the next seat; None where none can have one."""
        can = [each for each in self._levels.values() if each.waiting and self._has_seat(each)]
        return next((each for each in can if each.served < each.share.nominal), can[0] if can else None)

    def _has_seat(self, queues: _Queues[R]) -> bool:
        share = queues.share
        if queues.served < share.own:
            return True
        return self._borrowed < self._lent and (share.most is None or queues.served < share.most)

    def _seat(self, queues: _Queues[R], request: R) -> None:
        queues.served += 1
        if queues.served > queues.share.own:
            self._borrowed += 1
        self._seated[request] = queues

    def _seat_first(self, queues: _Queues[R]) -> R:
        while True:
            start, _, request = heappop(queues.order)
            if request in queues.waiting:
                break
        queues.now = start
        self._drop(queues, request)
        self._seat(queues, request)
        return request

    def _drop(self, queues: _Queues[R], request: R) -> None:
        self._waiting -= 1
        _forget(queues, request)


def _forget(queues: _Queues[R], request: R) -> None:
    key = queues.waiting.pop(request)
    queues.lengths[key] -= 1
    if not queues.lengths[key]:
        del queues.lengths[key], queues.ends[key]
    if len(queues.order) > 2 * len(queues.waiting) + _SLACK:  # those who have given up
        queues.order = [entry for entry in queues.order if entry[2] in queues.waiting]
        heapify(queues.order)

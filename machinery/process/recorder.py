"""A seam that remembers the latest messages and how they ended, and how many there were."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from machinery.model.clock import Clock
from machinery.model.seam import Break, Ends, Message, Outcome

LIMIT: Final = 1_000  # messages


class Recorded(NamedTuple):
    """A message and how it ended."""

    at_s: float  # cluster seconds since the epoch, when it began
    message: Message
    outcome: Outcome


class CallKey(NamedTuple):
    """What messages are counted by."""

    ends: Ends
    method: str
    reason: str  # of the error that the call ended with; "" where it ended well


class Recorder:
    """Implements `machinery.model.seam.Seam`. Bounded: the oldest message is forgotten first, its count is not."""

    def __init__(self, clock: Clock, limit: int = LIMIT) -> None:
        self.clock = clock
        self.counts: Counter[CallKey] = Counter()
        self._ring: deque[Recorded] = deque(maxlen=limit)

    @property
    def is_idle(self) -> bool:
        """Never: every message is recorded."""
        return False

    def open(self, message: Message, *, is_stream: bool) -> _Passage:  # noqa: ARG002 - both are recorded
        """Begin to record a message."""
        return _Passage(self, message)

    def latest(self) -> Sequence[Recorded]:
        """Return the messages that have ended, in the order of their ends."""
        return tuple(self._ring)

    def add(self, at_s: float, message: Message, outcome: Outcome) -> None:
        """Record a message that has ended."""
        self._ring.append(Recorded(at_s, message, outcome))
        reason = outcome.error.reason if outcome.error else ""
        self.counts[CallKey(message.ends, message.method, reason)] += 1


class _Passage:
    copies = 1
    attends = False

    def __init__(self, recorder: Recorder, message: Message) -> None:
        self._recorder = recorder
        self._message = message
        self._begun_s = recorder.clock.now()

    async def before(self) -> None:
        """Return at once."""

    async def answered(self) -> None:
        """Return at once."""

    async def each(self, _item: Any) -> bool:
        """Return at once."""
        return True

    def after(self, outcome: Outcome) -> None:
        """Record it."""
        self._recorder.add(self._begun_s, self._message, outcome)

    def on_break(self, _break: Break) -> None:
        """Ignore what would break a stream: a recorder breaks none."""

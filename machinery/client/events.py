"""Events for users (`kubectl get events`), written beside the work and together, never in its way.

What is recorded waits a moment for what comes next, and goes with it in one request. Equal events are one object with
a count, as client-go does it: the same source, object, type, reason and message raise `count` and `lastTimestamp`. An
object that floods its recorder is throttled: 25 at once, then one in five minutes. Not built: merging events that
differ in their message only ("combined from similar events").
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.causes import CauseRef
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, ApiError, NotFound, OutcomeUnknown, TooManyRequests
from machinery.model.insist import insist
from machinery.model.k8s.core_v1 import Event, EventSource, ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import reference_to
from machinery.model.resources import EVENTS, KubeObject
from machinery.wire.cause_headers import acting, acting_on

NORMAL: Final = "Normal"
WARNING: Final = "Warning"
_WAITING: Final = 1_000  # events that wait to be written; beyond it the oldest are dropped
_REMEMBERED: Final = 1_024  # events whose count can still be raised, and objects whose budget is known
_REMEMBERED_S: Final = (
    600.0  # cluster seconds without an equal one, as client-go has it; then it is a new event
)
_MESSAGE_LIMIT: Final = 1_024  # what the API takes
_BURST: Final = 25.0
_REFILL_S: Final = 300.0  # cluster seconds for one more event about the same object
_NAMES: Final = 16  # that are tried for one event
_ATTEMPTS: Final = 5  # of one write
_GATHER_S: Final = 0.1  # wall seconds that an event waits for others
_TOGETHER: Final = 64  # events in one request
_RETRY: Final = Backoff(initial_s=0.2, cap_s=2.0)  # wall seconds

_AGAIN: Final = (OutcomeUnknown, TooManyRequests)

_Identity: TypeAlias = tuple[str, str, str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Pending:
    about: ObjectReference
    type: str
    reason: str
    message: str
    at_s: float
    causes: tuple[CauseRef, ...]

    @property
    def identity(self) -> _Identity:
        about = self.about
        where = (about.kind, about.namespace, about.name, about.uid, about.fieldPath)
        return (*where, self.type, self.reason, self.message)


@dataclass(slots=True)
class _Entry:
    """Equal events that are written as one."""

    first: _Pending
    count: int
    at_s: float  # of the last of them


@dataclass(slots=True)
class _Budget:
    tokens: float
    at_s: float


@dataclass(frozen=True, slots=True)
class _Written:
    name: str
    count: int
    at_s: float


class EventRecorder:
    """Records events of one component on one host."""

    def __init__(self, api: Api, *, component: str, host: str, clock: Clock, log: EventLog = SILENT) -> None:
        self._api = api
        self._component = component
        self._host = host
        self._clock = clock
        self._log = log
        self._pending: deque[_Pending] = deque(maxlen=_WAITING)
        self._arrived = asyncio.Event()
        self._written: OrderedDict[_Identity, _Written] = OrderedDict()
        self._budgets: OrderedDict[str, _Budget] = OrderedDict()
        self._serial = 0  # the last one used: wall nanoseconds, or one more where two events share theirs

    @property
    def remembered(self) -> int:
        """How many entries are kept of what was recorded: counts of events, and budgets of objects."""
        return len(self._written) + len(self._budgets)

    def record(self, obj: KubeObject | ObjectReference, type_: str, reason: str, message: str) -> None:
        """Note an event; it is written by `run`, soon. Never waits, never fails."""
        about = obj if isinstance(obj, ObjectReference) else reference_to(obj)
        now = self._clock.now()
        if self._may_spend(about, now):
            self._pending.append(
                _Pending(about, type_, reason, message[:_MESSAGE_LIMIT], now, acting_on.get())
            )
            self._arrived.set()

    async def run(self) -> None:
        """Write what is recorded until cancelled."""
        while True:
            await self._arrived.wait()
            await self._clock.sleep_wall(_GATHER_S)
            self._arrived.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write everything that is recorded now."""
        while self._pending:
            await self._write_together(self._taken())

    def _taken(self) -> list[_Entry]:
        """Remove and return the oldest of what waits, equal events as one."""
        entries: dict[_Identity, _Entry] = {}
        for _ in range(min(_TOGETHER, len(self._pending))):
            pending = self._pending.popleft()
            entry = entries.setdefault(pending.identity, _Entry(pending, 0, pending.at_s))
            entry.count, entry.at_s = entry.count + 1, pending.at_s
        return list(entries.values())

    async def _write_together(self, entries: Sequence[_Entry]) -> None:
        self._forget_old()
        new = [entry for entry in entries if not await self._is_counted(entry)]
        left = {entry.first.identity: entry for entry in new}
        if left and not await self._is_done(left):
            for identity, entry in list(left.items()):  # what one of them has in it does not keep the others
                await self._is_done({identity: entry})

    async def _is_done(self, left: dict[_Identity, _Entry]) -> bool:
        """Write new events; False where nothing is known of those that are left, since one cannot be written at all."""
        try:
            await insist(lambda: self._create(left), self._clock, _RETRY, on=_AGAIN, attempts=_ATTEMPTS)
        except Exception as error:  # noqa: BLE001 - the ones that come after go on, whatever is in these
            if len(left) > 1 and not isinstance(error, ApiError):
                return False
            for entry in left.values():
                self._note_loss(entry, error)
        return True

    async def _is_counted(self, entry: _Entry) -> bool:
        """Raise the count of an event that is known; return whether nothing more is to be written."""
        identity = entry.first.identity
        if identity not in self._written:
            return False
        try:
            with acting(entry.first.causes):
                return await insist(
                    lambda: self._raise_count(entry), self._clock, _RETRY, on=_AGAIN, attempts=_ATTEMPTS
                )
        except Exception as error:  # noqa: BLE001 - one event, whatever is in it, does not keep the others
            self._note_loss(entry, error)
            return True

    async def _raise_count(self, entry: _Entry) -> bool:
        identity = entry.first.identity
        known = self._written[identity]
        count, last = known.count + entry.count, self._clock.timescale.format(entry.at_s)
        patch = {"count": count, "lastTimestamp": last}
        try:
            await self._api.patch(EVENTS, known.name, patch, namespace=_namespace(entry.first.about))
        except NotFound:  # it has outlived its time to live
            return False
        self._remember(identity, _Written(known.name, count, entry.at_s))
        return True

    async def _create(self, left: dict[_Identity, _Entry]) -> None:
        """Write new events by one request, and take those off whose end is known.

        Raises:
            ApiError: some are left, which may be tried again; of one of them.
        """
        refused = await self._create_once(left)
        for _ in range(_NAMES - 1):  # another recorder may have taken the first choice of a name
            if not any(isinstance(error, AlreadyExists) for error in refused.values()):
                break
            refused = await self._create_once(left)
        for identity, error in refused.items():
            if not isinstance(error, _AGAIN):  # its namespace is going
                self._note_loss(left.pop(identity), error)
        if left:
            raise refused[next(iter(left))]

    async def _create_once(self, left: dict[_Identity, _Entry]) -> dict[_Identity, ApiError]:
        """Return why those that are still left could not be written."""
        if not left:
            return {}
        entries = list(left.values())
        wanted = [(self._event(entry), entry.first.causes) for entry in entries]
        refused: dict[_Identity, ApiError] = {}
        for entry, found in zip(entries, await self._api.create_each(EVENTS, wanted), strict=True):
            identity = entry.first.identity
            if isinstance(found, ApiError):
                refused[identity] = found
            else:
                del left[identity]
                self._remember(identity, _Written(found.metadata.name, entry.count, entry.at_s))
        return refused

    def _event(self, entry: _Entry) -> Event:
        pending, timescale = entry.first, self._clock.timescale
        about = pending.about
        self._serial = max(self._serial + 1, int(timescale.wall(pending.at_s) * 1e9))
        serial = f"{self._serial:x}"
        name = f"{about.name[: 253 - len(serial) - 1]}.{serial}"
        return Event(
            metadata=ObjectMeta(name=name, namespace=_namespace(about)),
            involvedObject=about,
            type=pending.type,
            reason=pending.reason,
            message=pending.message,
            count=entry.count,
            firstTimestamp=timescale.format(pending.at_s),
            lastTimestamp=timescale.format(entry.at_s),
            source=EventSource(component=self._component, host=self._host),
            reportingComponent=self._component,
            reportingInstance=self._host,
        )

    def _remember(self, identity: _Identity, written: _Written) -> None:
        self._written[identity] = written
        self._written.move_to_end(identity)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _forget_old(self) -> None:
        """Forget what nothing equal followed: of objects that are gone, nothing will."""
        before = self._clock.now() - _REMEMBERED_S
        while self._written and next(iter(self._written.values())).at_s < before:
            self._written.popitem(last=False)
        # A budget that has not been touched for so long has grown by two events: nobody who floods has that patience.
        while self._budgets and next(iter(self._budgets.values())).at_s < before:
            self._budgets.popitem(last=False)

    def _may_spend(self, about: ObjectReference, now: float) -> bool:
        key = about.uid or f"{about.kind}/{about.namespace}/{about.name}"
        budget = self._budgets.setdefault(key, _Budget(_BURST, now))
        self._budgets.move_to_end(key)
        if len(self._budgets) > _REMEMBERED:
            self._budgets.popitem(last=False)
        budget.tokens = min(_BURST, budget.tokens + (now - budget.at_s) / _REFILL_S)
        budget.at_s = now
        if budget.tokens < 1:
            return False
        budget.tokens -= 1
        return True

    def _note_loss(self, entry: _Entry, error: Exception) -> None:
        pending = entry.first
        self._log.warning(
            "event_not_written",
            about=f"{pending.about.kind}/{pending.about.namespace}/{pending.about.name}",
            reason=pending.reason,
            error=error,
        )


def _namespace(about: ObjectReference) -> str:
    return about.namespace or "default"

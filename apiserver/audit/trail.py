"""The story of the request that is served, and the events that are written of it.

A door begins a story and ends it; what happens in between adds to the one of its task (`current`). From the moment on when it
is known who asks, the policy says what is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final, Protocol

import msgspec

from apiserver.audit_notes import PATCHES, noted
from apiserver.core.audit.event import Story, written
from apiserver.core.audit.policy import Level, Policy
from apiserver.request import UserInfo
from machinery.model.clock import Clock
from machinery.process.metrics import Metrics

current: ContextVar[Story | None] = ContextVar("story", default=None)

RECEIVED: Final = "RequestReceived"
STARTED: Final = "ResponseStarted"
COMPLETE: Final = "ResponseComplete"
_UNKNOWN: Final = UserInfo("")


class Sink(Protocol):
    """Where events go."""

    def put(self, event: bytes) -> None:
        """Accept an event, as JSON; at once, whatever becomes of it."""
        ...

    async def room(self) -> None:
        """Return when there is room for more."""
        ...

    async def run(self) -> None:
        """Carry events away, until cancelled."""
        ...

    async def aclose(self) -> None:
        """Carry away what is left."""
        ...


class Trail:
    """Writes events."""

    def __init__(self, policy: Policy, sinks: Sequence[Sink], clock: Clock, metrics: Metrics) -> None:
        self.policy = policy
        self.sinks = tuple(sinks)
        self._clock = clock
        self._events = metrics.counter("apiserver_audit_event_total", "Events of the audit log", ())
        self._levels = metrics.counter("apiserver_audit_level_total", "Requests by audit level", ("level",))

    def now(self) -> str:
        """Return the time as events carry it."""
        return self._clock.timescale.format_micro(self._clock.now())

    def known(self, story: Story, user: UserInfo) -> None:
        """Note who asks, and write that the request has come; the first time only."""
        if story.user is None:
            self._decide(story, user)
            self.write(story, RECEIVED)

    def write(self, story: Story, stage: str) -> None:
        """Write the event of a stage, unless the policy leaves it out."""
        if story.recorded.level is Level.NONE or stage in story.recorded.omitted:
            return
        self._events.add(1)
        event = msgspec.json.encode(written(story, stage, self.now()))
        for sink in self.sinks:
            sink.put(event)

    def end(self, story: Story, status: dict[str, object]) -> None:
        """Note what came of a request, and write that."""
        story.status = status
        is_whole = story.recorded.level >= Level.REQUEST
        story.annotations.update(
            {key: text for key, text in noted().items() if is_whole or not key.startswith(PATCHES)}
        )
        if story.user is None and status.get("code") == 401:
            self._decide(story, _UNKNOWN)
            self.write(story, STARTED)
            return
        self.known(story, UserInfo("system:anonymous", groups=("system:unauthenticated",)))
        if status.get("code") != 403:
            story.annotations.setdefault("authorization.k8s.io/decision", "allow")
            story.annotations.setdefault("authorization.k8s.io/reason", "")
        self.write(story, COMPLETE)

    async def room(self) -> None:
        """Return when all sinks have room for more."""
        for sink in self.sinks:
            await sink.room()

    def _decide(self, story: Story, user: UserInfo) -> None:
        story.user = user
        story.recorded = self.policy.recorded(user, story.attributes)
        self._levels.add(1, story.recorded.level.text)

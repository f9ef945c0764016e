"""Who wrote what because of what: the latest writes, and what each caller acted on.

The doors put the cause and the trace of a request into the context (`machinery.wire.cause_headers.receive`); the registry
records every write that happened. Bounded: an older write is in the log, at debug.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from machinery.model.causes import CauseRef
from machinery.model.clock import Clock
from machinery.model.log import SILENT, EventLog
from machinery.wire import cause_headers

LIMIT: Final = 2_000  # writes


class Write(msgspec.Struct, frozen=True, gc=False):
    """One write that happened."""

    at_s: float  # cluster seconds
    user: str
    verb: str
    resource: str  # "pods", "deployments.apps"
    namespace: str
    name: str
    uid: str
    revision: int
    because_of: tuple[CauseRef, ...]
    trace: str  # W3C traceparent

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON."""
        own = {
            name: getattr(self, name)
            for name in ("user", "verb", "resource", "namespace", "name", "uid", "revision", "trace")
        }
        return {**own, "becauseOf": [_shown(cause) for cause in self.because_of]}


class WriteRecord:
    """The record of the latest writes."""

    def __init__(self, clock: Clock, log: EventLog = SILENT, limit: int = LIMIT) -> None:
        self._clock = clock
        self._log = log
        self._writes: deque[Write] = deque(maxlen=limit)

    def record(
        self, *, user: str, verb: str, resource: str, namespace: str, name: str, uid: str, revision: int
    ) -> None:
        """Note a write with what the context says of its cause."""
        because_of, trace = cause_headers.acting_on.get(), cause_headers.traceparent.get()
        self._writes.append(
            Write(self._clock.now(), user, verb, resource, namespace, name, uid, revision, because_of, trace),
        )
        self._log.debug(
            "written",
            user=user,
            verb=verb,
            resource=resource,
            namespace=namespace,
            object=name,
            revision=revision,
            because_of=_AsHeader(because_of),
            trace=trace,
        )

    def latest(self, resource: str = "", namespace: str = "", name: str = "") -> Sequence[Write]:
        """Return the writes to an object, a resource or a namespace ("" for all), oldest first."""
        return [
            write
            for write in self._writes
            if resource in {"", write.resource}
            and namespace in {"", write.namespace}
            and name in {"", write.name}
        ]


class _AsHeader(msgspec.Struct, frozen=True, gc=False):
    """Causes that become text only where somebody logs them."""

    causes: tuple[CauseRef, ...]

    def __str__(self) -> str:
        return cause_headers.header(self.causes)


def _shown(cause: CauseRef) -> dict[str, Any]:
    return {name: getattr(cause, name) for name in ("resource", "namespace", "name", "uid", "revision")}

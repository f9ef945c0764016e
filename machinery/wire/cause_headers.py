"""Who wrote what because of what: the cause that travels with every request.

The controller loop sets `acting_on` from the watch events that led to a reconcile; the transports send it as
`kubarium-cause` beside W3C `traceparent`; the apiserver records it with the write. On the wire a cause reads

    pods/default/web-1@4711+0b6e…, replicasets.apps/default/web@4700+99aa…

(resource/namespace/name@revision+uid, percent-encoded where a name needs it).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import quote, unquote

from machinery.model.causes import CauseRef
from machinery.model.requests import Fence
from machinery.wire import fence_header

CAUSE_KEY: Final = "kubarium-cause"
TRACE_KEY: Final = "traceparent"
CALLER_KEY: Final = "kubarium-caller"
SERVER_KEY: Final = "kubarium-server"  # in answers: the name of the apiserver that gave them
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_TRACEPARENT: Final = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
LIMIT: Final = 16  # causes in a header; a reconcile that waited longer acted on the newest ones


acting_on: ContextVar[tuple[CauseRef, ...]] = ContextVar("acting_on", default=())
traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def header(causes: tuple[CauseRef, ...] | None = None) -> str:
    """Return causes (those of the context, if none are given) as a header; the newest `LIMIT` of them."""
    chosen = acting_on.get() if causes is None else causes
    if not chosen:
        return ""
    newest = sorted(chosen, key=lambda cause: cause.revision)[-LIMIT:]
    return ",".join(_format(cause) for cause in newest)


def parse_header(text: str) -> tuple[CauseRef, ...]:
    """Read a header; what is not a cause is left out, since a bad header never fails a request."""
    if not text:
        return ()
    parsed = (_parse(part.strip()) for part in text.split(",")[: 4 * LIMIT])
    return tuple(cause for cause in parsed if cause)[:LIMIT]


def new_traceparent(random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Start a trace (W3C Trace Context, version 00, sampled)."""
    digits = random_bytes(24).hex()
    return f"00-{digits[:32]}-{digits[32:]}-01"


def is_traceparent(text: str) -> bool:
    """Whether a text is a traceparent that can be passed on."""
    return _TRACEPARENT.fullmatch(text) is not None


def request_metadata(caller: str, fence: Fence | None = None) -> tuple[tuple[str, str], ...]:
    """Return what a transport sends with a request: caller, trace (a new one where none is), causes, fence."""
    metadata = [(CALLER_KEY, caller), (TRACE_KEY, traceparent.get() or new_traceparent())]
    if cause := header():
        metadata.append((CAUSE_KEY, cause))
    if fence is not None:
        metadata.append((fence_header.FENCE_KEY, fence_header.write(fence)))
    return tuple(metadata)


def receive(metadata: Iterable[tuple[str, Any]] | None) -> None:
    """Set the causes and the trace of an incoming request in the context of the task that serves it."""
    cause = trace = ""
    for key, value in metadata or ():
        if key == CAUSE_KEY:
            cause = value
        elif key == TRACE_KEY:
            trace = value
    acting_on.set(parse_header(cause))
    traceparent.set(trace if is_traceparent(trace) else new_traceparent())


@contextmanager
def acting(causes: tuple[CauseRef, ...]) -> Iterator[None]:
    """Set the causes of every request inside, and start one trace for all of them."""
    cause_token = acting_on.set(causes)
    trace_token = traceparent.set(new_traceparent())
    try:
        yield
    finally:
        traceparent.reset(trace_token)
        acting_on.reset(cause_token)


def _quoted(text: str) -> str:
    """Return a text percent-encoded where it needs that, which names seldom do."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe="")


def _format(cause: CauseRef) -> str:
    parts = (_quoted(part).replace("%3A", ":") for part in (cause.resource, cause.namespace, cause.name))
    return f"{'/'.join(parts)}@{cause.revision}+{_quoted(cause.uid)}"


def _parse(text: str) -> CauseRef | None:
    path, _, version = text.partition("@")
    parts = [unquote(part) for part in path.split("/")]
    revision, _, uid = version.partition("+")
    if len(parts) != 3 or not (revision.isascii() and revision.isdigit()) or len(revision) > 19:
        return None
    return CauseRef(parts[0], parts[1], parts[2], unquote(uid), int(revision))

"""The wall around each pod: what nobody foresaw in the work for one of them ends there, and the others go on.

    an action, a volume, a hook     `PodWorker` turns it into a problem of that action, which is tried again after a pause
    a step of the pod's life        `PodWorker` gives up what is on its way, waits, and begins again from what it knows
    a probe                         `Probes` counts it as one that could not be made
    what serves all pods in turn    `contained`, around each pod's share (relist, housekeeping, log rotation)

A fault is logged with its trace, since somebody has to mend it, and told to the pod's user as an event (FailedSync).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from machinery.client.events import WARNING, EventRecorder
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import EventLog

FAILED_SYNC: Final = "FailedSync"
_TRACE_LIMIT: Final = 4_000  # characters of it; its end says where


def fault_text(error: BaseException) -> str:
    """Return what an error is in one line that any encoding takes: errors of the runtime in their own words."""
    if isinstance(error, ApiError):
        return error.message
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error)
    return (
        (f"{type(error).__name__}: {text}" if text else type(error).__name__)
        .encode(errors="backslashreplace")
        .decode()
    )


def log_fault(log: EventLog, event: str, error: BaseException, **keys: object) -> None:
    """Log an error that nobody foresaw, with its trace."""
    trace = "".join(traceback.format_exception(error, limit=-20))[-_TRACE_LIMIT:]
    log.error(event, **keys, error=fault_text(error), trace=trace)


def tell_fault(events: EventRecorder, pod: Pod, what: str, error: BaseException) -> None:
    """Record for a pod's user that the kubelet could not do something, and why."""
    events.record(pod, WARNING, FAILED_SYNC, f"error {what}, it will be tried again: {fault_text(error)}")


@contextmanager
def contained(
    log: EventLog, event: str, *, passing: type[Exception] | tuple[()] = (), **keys: object
) -> Iterator[None]:
    """Run a block whose errors are its own: they are logged, and whoever follows goes on.

    Cancellation passes, and so do errors of the type `passing`, which the caller handles.
    """
    try:
        yield
    except passing:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one pod's
        log_fault(log, event, error, **keys)

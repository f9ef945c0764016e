"""The log format of the CRI, and which container's log a request is for.

A line is `<RFC 3339 with nanoseconds> <stdout|stderr> <F|P> <text>`: F ends a line of the container's output, P is a
part of a longer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from machinery.model.errors import BadRequest
from machinery.model.k8s.core_v1 import ContainerState, ContainerStatus, Pod

_WAITING_TEXTS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log file."""

    timestamp: bytes
    stream: bytes  # b"stdout" or b"stderr"
    is_partial: bool
    content: bytes  # with its line break, unless it is a part


@dataclass(frozen=True, slots=True)
class LogWishes:
    """Which lines are wanted, and how."""

    stream: str = ""  # "stdout", "stderr", "" for both
    since_ns: int = 0  # wall, since the epoch
    timestamps: bool = False


@dataclass(frozen=True, slots=True)
class LoggedContainer:
    """A container that there is or was, and its log file (absolute)."""

    id: str
    attempt: int
    running: bool
    log_path: str


def parse_line(line: bytes) -> LogLine | None:
    """Read a line of a log file, None for one that is none (a writer was killed in the middle)."""
    parts = line.rstrip(b"\n").split(b" ", 3)
    if len(parts) < 3 or parts[1] not in {b"stdout", b"stderr"}:
        return None
    is_partial = parts[2].split(b":")[0] == b"P"
    content = parts[3] if len(parts) == 4 else b""
    return LogLine(parts[0], parts[1], is_partial, content if is_partial else content + b"\n")


class LogSelector:
    """Turns lines of a file into what a reader is shown; it has to see them in order."""

    def __init__(self, wishes: LogWishes) -> None:
        self._wishes = wishes
        self._stream = wishes.stream.encode()
        self._inside = False  # the last line shown was a part, so no timestamp comes before the next

    def show(self, raw: bytes) -> bytes:
        """Return what is shown of a line, b"" for nothing."""
        line = parse_line(raw)
        if line is None or not self._is_wanted(line):
            return b""
        head = line.timestamp + b" " if self._wishes.timestamps and not self._inside else b""
        self._inside = line.is_partial
        return head + line.content

    def _is_wanted(self, line: LogLine) -> bool:
        if self._stream and line.stream != self._stream:
            return False
        return not self._wishes.since_ns or nanoseconds(line.timestamp.decode()) >= self._wishes.since_ns


def nanoseconds(timestamp: str) -> int:
    """Return the nanoseconds since the epoch of an RFC 3339 timestamp.

    Raises:
        ValueError: it is none.
    """
    head, dot, rest = timestamp.partition(".")
    if not dot:
        return int(datetime.fromisoformat(timestamp).timestamp()) * 10**9
    digits = rest.rstrip("Zz").split("+")[0].split("-")[0]
    zone = rest[len(digits) :]
    return int(datetime.fromisoformat(head + zone).timestamp()) * 10**9 + int(digits.ljust(9, "0")[:9])


def choose_log(
    pod: Pod, container: str, known: Sequence[LoggedContainer], *, previous: bool
) -> LoggedContainer:
    """Return the container whose log is meant; `known` are the container's attempts, the newest first.

    Raises:
        BadRequest: there is no log; the texts are those that users of kubectl know.
    """
    where = f'"{container}" in pod "{pod.metadata.name}"'
    status = _status(pod, container)
    if not previous and known and known[0].running:
        return known[0]
    if status is None and not known:
        raise BadRequest(f"container {where} is not available")
    if previous:
        return _previous(status, known, where)
    if known:
        return known[0]
    raise BadRequest(f"container {where} {_why_no_log(status)}")


def _previous(
    status: ContainerStatus | None, known: Sequence[LoggedContainer], where: str
) -> LoggedContainer:
    """Return the last attempt that ended; while a container waits for its next one, that is its newest."""
    waits = status is not None and status.state is not None and status.state.waiting is not None
    candidates = known if waits else known[1:]
    ended = [item for item in candidates if not item.running]
    if not ended:
        raise BadRequest(f"previous terminated container {where} not found")
    return ended[0]


def _why_no_log(status: ContainerStatus | None) -> str:
    state = (status.state if status else None) or ContainerState()
    if state.waiting:
        reason = state.waiting.reason
        return f"is waiting to start: {_WAITING_TEXTS.get(reason, reason)}"
    if state.terminated:
        return "is terminated"
    return "is waiting to start - no logs yet"


def _status(pod: Pod, container: str) -> ContainerStatus | None:
    lists = (
        pod.status.containerStatuses,
        pod.status.initContainerStatuses,
        pod.status.ephemeralContainerStatuses,
    )
    return next((status for statuses in lists for status in statuses if status.name == container), None)

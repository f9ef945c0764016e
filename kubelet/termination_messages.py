"""What a container leaves to be read: its termination message.

https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kubelet.core import labels
from kubelet.core.log_lines import LogSelector, LogWishes
from kubelet.pod_files import PodFiles

_LOG_BYTES: Final = 2048
_LOG_LINES: Final = 80
_LINE_BYTES: Final = 16 * 1024 + 64  # the runtime cuts longer lines; time and stream come before
_WINDOW_BYTES: Final = (
    _LOG_BYTES + _LOG_LINES * 64 + _LINE_BYTES
)  # enough for what is shown, and one line more
_FALLBACK: Final = "FallbackToLogsOnError"


class TerminationMessages:
    """Reads the messages of containers that have ended."""

    def __init__(self, files: PodFiles) -> None:
        self._files = files

    def read(self, status: Any) -> str:
        """Return the message of a CRI ContainerStatus: the file's, else by its policy the end of the log."""
        uid = status.labels.get(labels.POD_UID, "")
        text = self._files.read_termination_log(uid, status.metadata.name, status.metadata.attempt)
        if text or status.exit_code == 0 or status.annotations.get(labels.MESSAGE_POLICY) != _FALLBACK:
            return text
        return _log_end(Path(status.log_path)) if status.log_path else ""


def _log_end(path: Path) -> str:
    """Return the end of what a container wrote: at most its last 80 lines, and of those 2048 bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size - _WINDOW_BYTES)
            file.seek(begin)
            lines = file.read().splitlines(keepends=True)
    except OSError:
        return ""
    if begin:
        del lines[0]  # the window may begin in the middle of it
    selector = LogSelector(LogWishes())
    text = b"".join(selector.show(line) for line in lines[-_LOG_LINES:])
    return text[-_LOG_BYTES:].decode(errors="replace")

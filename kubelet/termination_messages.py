"""What a container leaves to be read: its termination message.

https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kubelet.core import labels
from kubelet.pod_files import PodFiles

_LOG_BYTES: Final = 2048
_LOG_LINES: Final = 80
_FALLBACK: Final = "FallbackToLogsOnError"


class TerminationMessages:
    """Reads the messages of containers that have ended."""

    def __init__(self, files: PodFiles) -> None:
        self._files = files

    def read(self, status: Any) -> str:
        """Give the message of a CRI ContainerStatus: the file's, else by its policy the end of the log."""
        uid = status.labels.get(labels.POD_UID, "")
        text = self._files.read_termination_log(uid, status.metadata.name, status.metadata.attempt)
        if text or status.exit_code == 0 or status.annotations.get(labels.MESSAGE_POLICY) != _FALLBACK:
            return text
        return _log_end(Path(status.log_path)) if status.log_path else ""


def _log_end(path: Path) -> str:
    """Give the last lines of a CRI log, without times and streams."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 2 * _LOG_BYTES - _LOG_LINES * 48))
            lines = file.read().splitlines()[-_LOG_LINES:]
    except OSError:
        return ""
    parts = (line.split(b" ", 3) for line in lines)
    text = b"\n".join(part[3] for part in parts if len(part) == 4)
    return text[-_LOG_BYTES:].decode(errors="replace")

"""The z-pages of a process: /statusz and /flagz, what it is and what it was told.

https://kubernetes.io/docs/reference/instrumentation/zpages/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from machinery.model.clock import Clock
from machinery.process.build_info import RELEASE

STATUS: Final = "statusz"
FLAGS: Final = "flagz"
_WARNING: Final = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for "
    "debugging purposes only."
)


class ZPages:
    """Both pages of one process, whose life begins with them. `paths`: what else it answers."""

    def __init__(
        self, name: str, clock: Clock, configuration: Mapping[str, object], paths: Sequence[str]
    ) -> None:
        self.name = name
        self._clock = clock
        self._configuration = configuration
        self._paths = paths
        self._started_s = clock.now()

    def status(self) -> dict[str, Any]:
        """Return what the process is, as the fields of config.k8s.io's Statusz."""
        return {
            "startTime": self._clock.timescale.format(self._started_s),
            "uptimeSeconds": int(self._clock.now() - self._started_s),
            "binaryVersion": RELEASE,
            "emulationVersion": RELEASE.rpartition(".")[0],
            "paths": self._paths,
        }

    def status_text(self) -> str:
        """Return the same for people."""
        told = self.status()
        began = datetime.fromtimestamp(self._clock.timescale.wall(self._started_s), UTC)
        minutes, seconds = divmod(told["uptimeSeconds"], 60)
        hours, minutes = divmod(minutes, 60)
        lines = (
            f"{self.name} statusz",
            _WARNING,
            "",
            f"Started: {began:%a %b %d %H:%M:%S UTC %Y}",
            f"Up: {hours} hr {minutes:02} min {seconds:02} sec",
            f"Binary version: {told['binaryVersion']}",
            f"Emulation version: {told['emulationVersion']}",
            f"Paths: {' '.join(self._paths)}",
        )
        return "\n".join(lines) + "\n"

    def flags(self) -> dict[str, str]:
        """Return what the process was told, by the names of its flags."""
        told = sorted(self._configuration.items())
        return {name.replace("_", "-"): _text(value) for name, value in told}

    def flags_text(self) -> str:
        """Return the same for people."""
        flags = (f"{name}={value}" for name, value in self.flags().items())
        return "\n".join((f"{self.name} flags", _WARNING, "", *flags)) + "\n"

    def text(self, path: str) -> str | None:
        """Return a page by its path; None where there is none."""
        match path.strip("/"):
            case "statusz":
                return self.status_text()
            case "flagz":
                return self.flags_text()
        return None


def _text(value: object) -> str:
    """Write a value as Kubernetes' flags print theirs."""
    match value:
        case bool():
            return str(value).lower()
        case None:
            return ""
        case list() | tuple():
            return f"[{','.join(map(str, value))}]"
        case _:
            return str(value)

"""What the hollow runtime is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from machinery.process.config import ComponentConfig, ConfigError, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class HollowConfig(ComponentConfig):
    """Every field is a flag."""

    socket: str = setting("", help="unix socket to serve CRI v1 on")
    state_dir: str = setting("", help="folder by which containers survive a restart; none if empty")
    boot_id_file: str = setting(
        "", help="file with the id of the node's latest start: with a new one all containers have ended"
    )
    pull_time_s: float = setting(0.0, help="how long pulling an image takes", unit="cluster seconds")

    @property
    def boot_id(self) -> str:
        """The id of the node's latest start, read now; "" if it has none."""
        return Path(self.boot_id_file).read_text().strip() if self.boot_id_file else ""

    def validate(self) -> None:
        """Check what has no default, and the ranges.

        Raises:
            ConfigError: a field has a value that does not work.
        """
        ComponentConfig.validate(self)
        if not self.socket:
            raise ConfigError("socket", "is needed")
        if self.pull_time_s < 0:
            raise ConfigError("pull_time_s", f"has to be 0 or more, not {self.pull_time_s}")

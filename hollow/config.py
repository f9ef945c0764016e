"""What the hollow runtime is told."""

from __future__ import annotations

from dataclasses import dataclass

from machinery.process.config import ComponentConfig, ConfigError, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class HollowConfig(ComponentConfig):
    """Every field is a flag."""

    socket: str = setting("", help="unix socket to serve CRI v1 on")
    state_dir: str = setting("", help="folder by which containers survive a restart; none if empty")
    pull_time_s: float = setting(0.0, help="how long pulling an image takes", unit="cluster seconds")

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

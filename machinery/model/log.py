"""Logging as the shared library sees it: events with keys, and nothing about where they go.

`machinery.process.logging.Log` writes them as logfmt lines; `SILENT` drops them.
"""

from __future__ import annotations

from typing import Protocol


class EventLog(Protocol):
    """Takes events: a name in snake_case and the keys that belong to it."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Log what only the author of the component wants to know."""
        ...

    def info(self, event: str, /, **fields: object) -> None:
        """Log what happened as it should."""
        ...

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what went wrong and will be tried again."""
        ...

    def error(self, event: str, /, **fields: object) -> None:
        """Log what went wrong and stays so; once, where it is handled."""
        ...


class Silent:
    """A log that drops everything."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Drop it."""

    def info(self, event: str, /, **fields: object) -> None:
        """Drop it."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Drop it."""

    def error(self, event: str, /, **fields: object) -> None:
        """Drop it."""


SILENT: EventLog = Silent()

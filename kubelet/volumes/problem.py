"""The one error of volumes."""

from __future__ import annotations


class VolumeProblem(Exception):  # noqa: N818 - it is what an event says
    """A volume cannot be had now; the message is what FailedMount events say."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

"""How long a command waits for nodes, and whom it tells meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from kubarium.errors import KubariumError

Progress = Callable[[str], None]

START_PATIENCE_S: Final = 60.0


def silent(_: str) -> None:
    """Be told of progress, and do nothing."""


class Patience(NamedTuple):
    """How long to wait after the processes have started, and whom to tell what has come about."""

    wait: bool = True  # whether for the nodes at all
    timeout_s: float = START_PATIENCE_S  # wall seconds
    progress: Progress = silent

    def check(self) -> None:
        """Check it before anything is started.

        Raises:
            KubariumError: nothing is ready within no time.
        """
        if not self.timeout_s > 0:
            raise KubariumError(f"--timeout: has to be above 0, not {self.timeout_s:g}")

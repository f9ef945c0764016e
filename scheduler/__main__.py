"""`python -m scheduler`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from machinery.process.run import run
from scheduler.app import serve
from scheduler.config import SchedulerConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scheduler until it is told to stop."""
    return run("scheduler", SchedulerConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

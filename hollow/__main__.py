"""`python -m hollow`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hollow.app import serve
from hollow.config import HollowConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the hollow runtime until it is told to stop."""
    return run("hollow", HollowConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

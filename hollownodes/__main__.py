"""`python -m hollownodes`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from hollownodes.app import serve
from hollownodes.config import HollowNodesConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the hollow nodes until told to stop; then they have no power."""
    return run("hollownodes", HollowNodesConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

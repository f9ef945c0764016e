"""`python -m apiserver`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from apiserver.app import serve
from apiserver.config import ApiserverConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the apiserver until it is told to stop."""
    return run("apiserver", ApiserverConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

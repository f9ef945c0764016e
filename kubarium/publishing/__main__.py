"""`python -m kubarium.publishing`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubarium.publishing.app import serve
from kubarium.publishing.config import PublishingConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Forward ports; return the exit code."""
    return run("publish", PublishingConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

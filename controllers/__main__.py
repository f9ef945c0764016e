"""`python -m controllers`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from controllers.app import serve
from controllers.config import ControllersConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the controllers until told to stop."""
    return run("controllers", ControllersConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

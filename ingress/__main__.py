"""`python -m ingress`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ingress.app import serve
from ingress.config import IngressConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ingress controller; return the exit code."""
    return run("ingress", IngressConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

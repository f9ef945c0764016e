"""`python -m proxy`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from machinery.process.run import run
from proxy.app import serve
from proxy.config import ProxyConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the proxy; return the exit code."""
    return run("proxy", ProxyConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m dns`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dns.app import serve
from dns.config import DnsConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the DNS server; return the exit code."""
    return run("dns", DnsConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m kubelet`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kubelet.app import serve
from kubelet.config import KubeletConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the kubelet until it is told to stop; its containers go on running."""
    return run("kubelet", KubeletConfig, serve, argv)


if __name__ == "__main__":
    sys.exit(main())

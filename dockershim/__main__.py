"""`python -m dockershim`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dockershim.app import serve
from dockershim.config import DockershimConfig
from machinery.process.run import run


def main(argv: Sequence[str] | None = None) -> int:
    """Serve CRI until told to stop; with --purge remove what dockershim has made, and end."""
    arguments = sys.argv[1:] if argv is None else argv
    if any(argument.startswith("--purge") for argument in arguments):
        from dockershim.purge import purge_command

        return purge_command(arguments)
    return run("dockershim", DockershimConfig, serve, arguments)


if __name__ == "__main__":
    sys.exit(main())

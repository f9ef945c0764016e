"""`python -m dockershim`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Serve CRI until told to stop; with --purge remove what dockershim has made, with --load bring images, and end."""
    arguments = sys.argv[1:] if argv is None else argv
    if any(argument.startswith("--purge") for argument in arguments):
        from dockershim.purge import purge_command  # without gRPC, which takes longer to load than the work

        return purge_command(arguments)
    if "--load" in arguments:
        from dockershim.loading import load_command  # likewise

        return load_command(arguments)
    from dockershim.app import serve
    from dockershim.config import DockershimConfig
    from machinery.process.run import run

    return run("dockershim", DockershimConfig, serve, arguments)


if __name__ == "__main__":
    sys.exit(main())

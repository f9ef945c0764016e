"""Where programs of the system are searched for: also where a plain `su` leaves /usr/sbin out of PATH."""

from __future__ import annotations

import os

_SYSTEM = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """Return PATH with the folders of the system's own programs, at its end where they were missing."""
    given = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*given, *(folder for folder in _SYSTEM if folder not in given)])


def environment() -> dict[str, str]:
    """Return this process's environment with that PATH, for what is started."""
    return {**os.environ, "PATH": search_path()}

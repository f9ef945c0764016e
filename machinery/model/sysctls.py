"""Kernel parameters that a pod may set: how their names are written, and which namespace holds each.

https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/ and sysctl.d(5)
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 253
SEGMENT: Final = r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
NETWORK: Final = "net"
IPC: Final = "ipc"

_SEGMENT: Final = re.compile(SEGMENT, re.ASCII)
_SEPARATOR: Final = re.compile(r"[./]")
_SWAPPED: Final = str.maketrans("./", "/.")
_BY_NAME: Final = {"kernel.sem": IPC}
_BY_PREFIX: Final = {"kernel.shm": IPC, "kernel.msg": IPC, "fs.mqueue.": IPC, "net.": NETWORK}


def is_name(text: str) -> bool:
    """Whether a text is the name of a kernel parameter, with dots or slashes between its segments."""
    return len(text) <= MAX_LENGTH and all(map(_SEGMENT.fullmatch, _SEPARATOR.split(text)))


def dotted(name: str) -> str:
    """Return a name with dots as separators.

    The first separator decides: in `net/ipv4/conf/eno2.100/rp_filter` the dot is part of an interface's name, so the
    two change places.
    """
    first = _SEPARATOR.search(name)
    return name.translate(_SWAPPED) if first and first[0] == "/" else name


def namespace_of(name: str) -> str:
    """Return which namespace of a pod holds a parameter, by its dotted name or its beginning; "" for none."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    return next((space for prefix, space in _BY_PREFIX.items() if name.startswith(prefix)), "")

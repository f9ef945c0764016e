"""Ports of this machine that nobody has, and that nobody gets who only connects: the kernel gives those from 32,768 on.

A port of the kernel's own choice that was closed again may be a client's before a server has it: of another test beside this one.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

_FIRST, _AFTER_LAST = 12_000, 18_000  # an ingress controller has 20,000 to 29,999 for Gateways
_KERNELS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CHOICE = random.SystemRandom()  # whatever the seeds of tests are
_GIVEN: set[int] = set()  # in this process


def free_ports(count: int) -> list[int]:
    """Return ports that are free for TCP and for UDP at every address, none of them twice."""
    found: list[int] = []
    while len(found) < count:
        port = _CHOICE.choice(_candidates())
        if port not in _GIVEN and _is_free(port):
            _GIVEN.add(port)
            found.append(port)
    return found


def free_port() -> int:
    """Return one."""
    [port] = free_ports(1)
    return port


def _candidates() -> range:
    first_of_kernel = int(_KERNELS.read_text("ascii").split()[0])
    return range(_FIRST, _AFTER_LAST) if first_of_kernel >= _AFTER_LAST else range(first_of_kernel, 60_000)


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True

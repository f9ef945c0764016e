"""Host ports of a node: a port has one user per protocol and address; 0.0.0.0 is every address."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

EVERY_ADDRESS: Final = "0.0.0.0"


def conflicts(ip: str, used: Iterable[str]) -> bool:
    """Whether an address cannot be had for a port that is used on these addresses already."""
    taken = tuple(used)
    return bool(taken) and (ip == EVERY_ADDRESS or _holds(taken, ip))


def _holds(taken: Container[str], ip: str) -> bool:
    return ip in taken or EVERY_ADDRESS in taken

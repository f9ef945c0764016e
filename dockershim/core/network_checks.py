"""When pods' networks are CHECKed, and whose a link was that the kernel tells of.

`dockershim.network_checks` feeds it: what the kernel's link messages say (rtnetlink(7)), and the answers of plugins at ADD.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

LEAST_REST_S: Final = 5.0  # wall seconds between two sandboxes: each costs some 8 ms of CPU, 0.2 % of a core
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK: Final = struct.Struct("=BxHiII")  # ifinfomsg: family, device type, index, flags, changed
_ATTRIBUTE: Final = struct.Struct("=HH")
_NEW_LINK, _DELETED_LINK, _NAME, _HAS_CARRIER = 16, 17, 3, 0x10000


def rest_s(sandboxes: int, every_s: float) -> float:
    """Return the wall seconds until the next sandbox's turn, so that each has one in `every_s` where they are not too many."""
    return max(every_s / max(sandboxes, 1), LEAST_REST_S)


def lost_links(messages: bytes) -> Iterator[str]:
    """List the links that messages of the kernel tell the end of, or that have no carrier: the other end is gone, or down."""
    while len(messages) >= _HEADER.size:
        length, kind, *_ = _HEADER.unpack_from(messages)
        message, messages = messages[_HEADER.size : length], messages[_aligned(max(length, _HEADER.size)) :]
        if kind in (_NEW_LINK, _DELETED_LINK) and len(message) >= _LINK.size:
            flags = _LINK.unpack_from(message)[3]
            if kind == _DELETED_LINK or not flags & _HAS_CARRIER:
                yield from _names(message[_LINK.size :])


def owners(links: Iterable[str], results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the sandboxes whose plugins have answered that they made one of these links on the node; `results` are by sandbox."""
    lost = set(links)
    return [
        sandbox_id
        for sandbox_id, result in results.items()
        if any(
            not each.get("sandbox") and each.get("name") in lost for each in result.get("interfaces") or ()
        )
    ]


def _names(attributes: bytes) -> Iterator[str]:
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        if kind == _NAME:
            yield attributes[_ATTRIBUTE.size : length].rstrip(b"\0").decode(errors="replace")
        attributes = attributes[_aligned(max(length, _ATTRIBUTE.size)) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3

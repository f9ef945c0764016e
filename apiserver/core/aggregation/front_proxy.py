"""Who asks, in the head of a request that is passed on: the headers that the front proxy's certificate vouches for.

https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#kubernetes-apiserver-proxies-the-request
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Final

from apiserver.core.aggregation.trust import EXTRA_PREFIX, GROUP_HEADER, UID_HEADER, USER_HEADER
from apiserver.core.proxying.headers import Headers
from apiserver.core.rules import User

_OURS: Final = frozenset({USER_HEADER.lower(), UID_HEADER.lower(), GROUP_HEADER.lower()})
_PREFIX: Final = EXTRA_PREFIX.lower()
_TOKEN: Final = frozenset((string.ascii_letters + string.digits + "!#$&'*+-.^_`|~").encode())


def signed(headers: Iterable[tuple[str, str]], user: User) -> Headers:
    """Return headers with who asks; what a client says of that itself is left out."""
    kept = [
        (name, value)
        for name, value in headers
        if (lower := name.lower()) not in _OURS and not lower.startswith(_PREFIX)
    ]
    return [*kept, *headers_of(user)]


def headers_of(user: User) -> Headers:
    """Return the headers that say who asks."""
    found: Headers = [(USER_HEADER, _value(user.name))]
    if user.uid:
        found.append((UID_HEADER, _value(user.uid)))
    found += [(GROUP_HEADER, _value(group)) for group in user.groups]
    found += [
        (EXTRA_PREFIX + _escaped(key), _value(value))
        for key, values in user.extra.items()
        for value in values
    ]
    return found


def _escaped(key: str) -> str:
    """Return a key as the name of a header: what may not stand in one is percent-encoded."""
    return "".join(chr(byte) if byte in _TOKEN else f"%{byte:02X}" for byte in key.lower().encode())


def _value(text: str) -> str:
    """Return a text as the value of a header: its bytes in UTF-8, without what would end the line."""
    return "".join(" " if char in "\r\n\0" else char for char in text).encode().decode("latin-1")

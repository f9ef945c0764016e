"""Which of two hosts covers the other. "" is every host; "*.a.com" is any number of labels before `.a.com`.

https://gateway-api.sigs.k8s.io/reference/spec/#hostname
"""

from __future__ import annotations

from collections.abc import Iterator

ANY = ""


def covers(pattern: str, host: str) -> bool:
    """Whether every request for a host, or for what a pattern stands for, is one for `pattern`."""
    if pattern == ANY:
        return True
    if not pattern.startswith("*"):
        return pattern == host
    return host.endswith(pattern[1:]) and host != pattern[1:]


def covering(pattern: str) -> Iterator[str]:
    """Yield what covers a pattern, the most exact first: itself, wildcards of ever fewer labels, and every host."""
    if pattern != ANY:
        yield pattern
        labels = pattern.removeprefix("*.").split(".")
        for first in range(1, len(labels)):
            yield "*." + ".".join(labels[first:])
    yield ANY


def intersection(one: str, other: str) -> str | None:
    """Return what both stand for, which is the one that the other covers; None for nothing."""
    if covers(one, other):
        return other
    return one if covers(other, one) else None

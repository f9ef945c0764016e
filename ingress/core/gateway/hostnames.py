"""Which of two hosts covers the other, and which is the more exact. "" is every host; "*.a.com" is any number of labels before `.a.com`.

https://gateway-api.sigs.k8s.io/reference/spec/#hostname
"""

from __future__ import annotations

ANY = ""


def covers(pattern: str, host: str) -> bool:
    """Whether every request for a host, or for what a pattern stands for, is one for `pattern`."""
    if pattern == ANY:
        return True
    if not pattern.startswith("*"):
        return pattern == host
    return host.endswith(pattern[1:]) and host != pattern[1:]


def intersection(one: str, other: str) -> str | None:
    """Return what both stand for, which is the one that the other covers; None for nothing."""
    if covers(one, other):
        return other
    return one if covers(other, one) else None


def exactness(pattern: str) -> tuple[int, int]:
    """Return what the more exact of two patterns has more of: characters without a wildcard, then characters."""
    return (0 if pattern.startswith("*") else len(pattern)), len(pattern)

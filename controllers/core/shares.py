"""Numbers of pods that are said as a number or as a percentage of all."""

from __future__ import annotations


def share_of(value: int | str, total: int, *, up: bool) -> int:
    """Return an IntOrString as a number: a percentage of `total`, rounded up or down; a number stays as it is."""
    if isinstance(value, int):
        return value
    scaled = int(value.rstrip("%")) * total
    return -(-scaled // 100) if up else scaled // 100

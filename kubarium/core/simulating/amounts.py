"""Amounts of resources as people write them."""

from __future__ import annotations

from typing import Final

_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
_BYTES: Final = frozenset({"memory", "ephemeral-storage"})


def written(resource: str, amount: int) -> str:
    """Write an amount: cpu in cores or millicores, bytes in the unit that keeps it short, others as they are."""
    if resource == "cpu":
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    return _bytes(amount) if resource in _BYTES or resource.startswith("hugepages-") else str(amount)


def _bytes(amount: int) -> str:
    value, unit = float(amount), 0
    while abs(value) >= 1024 and unit < len(_BINARY) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f}".rstrip("0").rstrip(".") + _BINARY[unit]


def percent(part: int, whole: int) -> int:
    """Return a share in whole percent, rounded down; of nothing it is 0."""
    return 100 * part // whole if whole else 0

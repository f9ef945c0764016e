"""Text for people: aligned columns and ages, as kubectl writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out columns, three spaces apart."""
    everything = [head, *rows]
    widths = [max(len(row[column]) for row in everything) for column in range(len(head))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in everything
    )


def listing(
    output: str, values: Sequence[Mapping[str, Any]], head: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    """Write a list as it was asked for: a table for people, JSON for programs, or the names alone."""
    if output == "json":
        return f"{json.dumps(values, indent=2)}\n"
    if output == "name":
        return "".join(f"{value['name']}\n" for value in values)
    return f"{table(head, rows)}\n"


def ago(seconds: float) -> str:
    """Write a duration in its largest whole unit: 42s, 5m, 3h, 2d."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"

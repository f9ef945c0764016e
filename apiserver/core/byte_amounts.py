"""Amounts of bytes, which are accepted as fractions and warned of.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-memory
"""

from __future__ import annotations

from collections.abc import Iterator

from apiserver.core.values import Json
from machinery.model import quantity


def fraction_warnings(amounts: Json | None, path: str, *names: str) -> Iterator[str]:
    """Return which of some amounts of bytes are no whole ones."""
    for name in names:
        amount = (amounts or {}).get(name)
        if amount is not None and amount.endswith("m") and quantity.parse(amount).denominator != 1:
            yield f'{path}[{name}]: fractional byte value "{amount}" is invalid, must be an integer'

"""Numbers of pods in a rolling update: so many, or so many of a hundred."""

from __future__ import annotations

import re

from apiserver.core import field_errors
from machinery.model.errors import Cause

_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
    "for validation is '[0-9]+%')"
)
_LONGEST = 10  # signs: what is longer is no share of anything, and not worth being read as a number


def amount_causes(path: str, value: int | str) -> list[Cause]:
    """Check that an amount is a number, not below 0, or a percentage."""
    if isinstance(value, int):
        return field_errors.not_negative(path, value)
    if len(value) <= _LONGEST and re.fullmatch("[0-9]+%", value, re.ASCII):
        return []
    return [field_errors.invalid(path, value, _PERCENT_TEXT)]


def share_causes(path: str, value: int | str) -> list[Cause]:
    """Check the same, and that a percentage is no more than all."""
    if found := amount_causes(path, value):
        return found
    if isinstance(value, str) and amount(value) > 100:
        return [field_errors.invalid(path, value, "must not be greater than 100%")]
    return []


def amount(value: int | str) -> int:
    """Return the number in an amount that is one."""
    return value if isinstance(value, int) else int(value.removesuffix("%"))

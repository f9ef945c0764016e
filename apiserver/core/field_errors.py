"""The sentences that a faulty field gets, in the words that users of kubectl know.

Each function gives one `Cause`; `invalid_object` makes the 422 out of all of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from machinery.model.errors import Cause, Invalid

_LONGEST_VALUE = 1000  # characters of a quoted value; a message is no place for a 1 MiB secret


class Ratcheted(Cause):
    """What is wrong with a value that has not changed: its writer is warned, not refused."""


def required(path: str, detail: str = "") -> Cause:
    """Miss a field that has to be there."""
    return Cause(path, _with_detail("Required value", detail), "FieldValueRequired")


def invalid(path: str, value: Any, detail: str) -> Cause:
    """Refuse a value; `detail` says what it has to be."""
    return Cause(path, _with_detail(f"Invalid value: {quoted(value)}", detail), "FieldValueInvalid")


def invalid_without_value(path: str, detail: str) -> Cause:
    """Refuse a field for what its parts say together, without quoting all of them."""
    return Cause(path, _with_detail("Invalid value", detail), "FieldValueInvalid")


def not_supported(path: str, value: Any, supported: Collection[str]) -> Cause:
    """Refuse a value that is not one of a few: they are named in the order of a list, those of a set by the alphabet."""
    ordered = supported if isinstance(supported, list) else sorted(supported)
    names = ", ".join(quoted(name) for name in ordered)
    return Cause(
        path, f"Unsupported value: {quoted(value)}: supported values: {names}", "FieldValueNotSupported"
    )


def duplicate(path: str, value: Any, detail: str = "") -> Cause:
    """Refuse the second of two equal values."""
    return Cause(path, _with_detail(f"Duplicate value: {quoted(value)}", detail), "FieldValueDuplicate")


def repeated(values: Iterable[str]) -> list[int]:
    """Return where a list says again what it has said before."""
    seen: set[str] = set()
    found = []
    for index, value in enumerate(values):
        if value in seen:
            found.append(index)
        seen.add(value)
    return found


def forbidden(path: str, detail: str) -> Cause:
    """Refuse a field that may not be set, or not be changed."""
    return Cause(path, _with_detail("Forbidden", detail), "FieldValueForbidden")


def not_found(path: str, value: Any, detail: str = "") -> Cause:
    """Refuse a reference to what the object does not have."""
    return Cause(path, _with_detail(f"Not found: {quoted(value)}", detail), "FieldValueNotFound")


def too_long(path: str, limit_bytes: int) -> Cause:
    """Refuse a text or a map that is too large."""
    return Cause(path, f"Too long: may not be more than {limit_bytes} bytes", "FieldValueTooLong")


def too_many(path: str, count: int, limit: int) -> Cause:
    """Refuse a list that is too long."""
    return Cause(path, f"Too many: {count}: must have at most {limit} items", "FieldValueTooMany")


def each_invalid(path: str, value: Any, details: Iterable[str]) -> list[Cause]:
    """Refuse a value for every reason given; none gives an empty list."""
    return [invalid(path, value, detail) for detail in details]


def one_of(path: str, value: Any, supported: Collection[str]) -> list[Cause]:
    """Check a value against the few that are supported."""
    return [] if value in supported else [not_supported(path, value, supported)]


def required_one_of(path: str, value: str, supported: Collection[str], detail: str = "") -> list[Cause]:
    """Check a value that has to be there against the few that are supported."""
    return one_of(path, value, supported) if value else [required(path, detail)]


def not_negative(path: str, value: int | None) -> list[Cause]:
    """Check that a number, where it is there, is not below 0."""
    if value is None or value >= 0:
        return []
    return [invalid(path, value, "must be greater than or equal to 0")]


def within(path: str, value: int, low: int, high: int) -> list[Cause]:
    """Check that a number lies between two others, both included."""
    return (
        [] if low <= value <= high else [invalid(path, value, f"must be between {low} and {high}, inclusive")]
    )


def unchanged(path: str, new: Any, old: Any) -> list[Cause]:
    """Check that a field that is set once has not changed."""
    return [] if new == old else [invalid(path, new, "field is immutable")]


def invalid_object(group_kind: str, name: str, causes: Iterable[Cause]) -> Invalid:
    """Return the 422 of an object: `Deployment.apps "web" is invalid: …`."""
    found = tuple(dict.fromkeys(causes))
    lines = [f"{cause.field}: {cause.message}" for cause in found]
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    kind, _, group = group_kind.partition(".")
    return Invalid(
        f'{group_kind} "{name}" is invalid: {text}',
        kind=kind,
        group=group,
        name=name,
        causes=found,
    )


def _with_detail(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def whole(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def quoted(value: Any) -> str:
    """Return a value as messages have it: JSON, cut where it is no reading."""
    text = whole(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"

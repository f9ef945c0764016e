"""Documents of a known kind: a field that is unknown, missing or of another type is told by its path."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_UNIT_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")


class BadDocument(ValueError):  # noqa: N818 - it names what there is
    """A document that cannot be used; the text begins with the field's path."""


class Configured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A part of such a document."""


def read(document: Any, type_: type[T], kind: str, versions: Collection[str]) -> T:
    """Read a document of a kind, in one of some versions (apiVersion).

    Raises:
        BadDocument: it is none, or a field is wrong.
    """
    if not isinstance(document, dict):
        raise BadDocument(f"this is no {kind}")
    if document.get("kind") != kind:
        raise BadDocument(f"kind: has to be {kind}, not {document.get('kind')!r}")
    if document.get("apiVersion") not in versions:
        raise BadDocument(
            f"apiVersion: has to be {' or '.join(versions)}, not {document.get('apiVersion')!r}"
        )
    fields = {key: value for key, value in document.items() if key not in {"kind", "apiVersion"}}
    return convert(fields, type_)


def convert(fields: Any, type_: type[T]) -> T:
    """Read a value as a type.

    Raises:
        BadDocument: a field is wrong.
    """
    try:
        return msgspec.convert(fields, type_)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`").lstrip(".")
        raise BadDocument(f"{path}: {text}" if path else text) from error


def duration_s(text: str, path: str) -> float:
    """Read a duration as Go writes it (1h30m, 500ms, 0), in seconds.

    Raises:
        BadDocument: it is none.
    """
    if text == "0":
        return 0.0
    found = list(_DURATION.finditer(text))
    if not found or "".join(match[0] for match in found) != text:
        raise BadDocument(f"{path}: {text!r} is not a duration (30s, 5m, 1h30m)")
    return sum(float(match[1]) * _UNIT_S[match[2]] for match in found)

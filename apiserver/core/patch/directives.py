"""The directives of a strategic merge patch: their names, and how a value loses them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, cast

import msgspec

from machinery.model.errors import BadRequest

DIRECTIVE: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_PRIMITIVES: Final = "$deleteFromPrimitiveList/"
ORDER: Final = "$setElementOrder/"


def is_directive(name: str) -> bool:
    """Whether a key of a patch says how to merge, instead of being a field."""
    return name.startswith("$") and (
        name in {DIRECTIVE, RETAIN_KEYS} or name.startswith((DELETE_PRIMITIVES, ORDER))
    )


def listed(value: Any, where: str) -> list[Any]:
    """Read a directive's value, which has to be a list.

    Raises:
        BadRequest: it is none.
    """
    if not isinstance(value, list):
        raise BadRequest(f"{where} has to be a list")
    return value


def identity(value: Any) -> Hashable:
    """Return what stands for a value among others: equal ones have equal ones, and sets take it."""
    if isinstance(value, dict | list):
        return msgspec.json.encode(value, order="deterministic")
    return cast("Hashable", value)


def identities(values: Iterable[Any]) -> set[Hashable]:
    """Return what stands for each of these values."""
    return {identity(value) for value in values}


def plain(value: Any) -> Any:
    """Return a value that meets nothing to merge with: without nulls in maps, and without directives.

    An element of a list that says only how to merge, or that deletes, is left out.
    """
    if isinstance(value, dict):
        if value.get(DIRECTIVE) == "delete":
            return {}
        return {
            name: plain(item) for name, item in value.items() if item is not None and not is_directive(name)
        }
    if isinstance(value, list):
        return [plain(item) for item in value if not _only_directs(item)]
    return value


def _only_directs(item: Any) -> bool:
    if not isinstance(item, dict) or DIRECTIVE not in item:
        return False
    return item[DIRECTIVE] == "delete" or all(map(is_directive, item))

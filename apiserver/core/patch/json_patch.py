"""JSON Patch, RFC 6902: operations in their order; all of them apply, or none does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from apiserver.core.patch import pointer
from apiserver.core.patch.pointer import Missing, Tokens
from apiserver.core.values import Json
from machinery.model.errors import BadRequest, Invalid, TooLarge

MOST_OPERATIONS: Final = 10_000
_MOST_COPIED: Final = (
    3 * 1024 * 1024
)  # values; `copy` in a loop would otherwise double the document each time


def json_patch(current: Json, patch: Any) -> Json:
    """Return `current` after all operations; both are left alone.

    Raises:
        BadRequest: an operation is malformed; the message names it.
        Invalid: an operation has no place to work on, or a test fails.
        TooLarge: there are more operations than 10,000, or they copy too much.
    """
    if not isinstance(patch, list):
        raise BadRequest("a JSON patch has to be a list of operations")
    if len(patch) > MOST_OPERATIONS:
        raise TooLarge(
            f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        )
    document: Any = current
    copied = 0
    for number, operation in enumerate(patch):
        run = _parsed(number, operation)
        if operation["op"] == "copy":
            copied += _size(document, operation["from"])
            if copied > _MOST_COPIED:
                raise TooLarge(f"operation {number} of the JSON patch: the patch copies too much")
        try:
            document = run(document)
        except Missing as missing:
            raise Invalid(
                f"operation {number} of the JSON patch ({operation['op']}): the server rejected our request "
                f"due to an error in our request: {missing}"
            ) from missing
    if not isinstance(document, dict):
        raise Invalid("the JSON patch leaves no object: it replaces or removes the whole of it")
    return document


def _parsed(number: int, operation: Any) -> Callable[[Any], Any]:
    """Read an operation; what it does takes a document and gives another."""
    where = f"operation {number} of the JSON patch"
    if not isinstance(operation, dict):
        raise BadRequest(f"{where} has to be a JSON object")
    name = operation.get("op")
    if not isinstance(name, str) or name not in _OPERATIONS:
        raise BadRequest(f"{where}: op has to be one of {', '.join(_OPERATIONS)}, not {name!r}")
    return _OPERATIONS[name](operation, where)


def _path(operation: Json, field: str, where: str) -> Tokens:
    given = operation.get(field)
    if not isinstance(given, str):
        raise BadRequest(f"{where}: {field} has to be a JSON pointer")
    try:
        return pointer.tokens(given)
    except ValueError as error:
        raise BadRequest(f"{where}: {field}: {error}") from error


def _value(operation: Json, where: str) -> Any:
    if "value" not in operation:
        raise BadRequest(f"{where}: value is missing")
    return operation["value"]


def _add(operation: Json, where: str) -> Callable[[Any], Any]:
    path, value = _path(operation, "path", where), _value(operation, where)
    return lambda document: pointer.added(document, path, value)


def _remove(operation: Json, where: str) -> Callable[[Any], Any]:
    path = _path(operation, "path", where)
    return lambda document: pointer.removed(document, path)


def _replace(operation: Json, where: str) -> Callable[[Any], Any]:
    path, value = _path(operation, "path", where), _value(operation, where)
    return lambda document: pointer.replaced(document, path, value)


def _move(operation: Json, where: str) -> Callable[[Any], Any]:
    source, path = _path(operation, "from", where), _path(operation, "path", where)
    if source != path and path[: len(source)] == source:
        raise BadRequest(f"{where}: a value cannot be moved into itself")

    def move(document: Any) -> Any:
        value = pointer.look(document, source)
        return document if source == path else pointer.added(pointer.removed(document, source), path, value)

    return move


def _copy(operation: Json, where: str) -> Callable[[Any], Any]:
    source, path = _path(operation, "from", where), _path(operation, "path", where)
    return lambda document: pointer.added(document, path, pointer.look(document, source))


def _test(operation: Json, where: str) -> Callable[[Any], Any]:
    path, value = _path(operation, "path", where), _value(operation, where)

    def test(document: Any) -> Any:
        if not _same(pointer.look(document, path), value):
            raise Missing(f'testing value "{pointer.text(path)}" failed: test failed')
        return document

    return test


_OPERATIONS: Final[dict[str, Callable[[Json, str], Callable[[Any], Any]]]] = {
    "add": _add,
    "copy": _copy,
    "move": _move,
    "remove": _remove,
    "replace": _replace,
    "test": _test,
}


def _same(left: Any, right: Any) -> bool:
    """Compare as JSON does: 1 and 1.0 are one number, true is none."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def _size(document: Any, source: Any) -> int:
    """Count the values that a copy brings (0 where there is nothing to copy: the operation will say so)."""
    try:
        return _values(pointer.look(document, pointer.tokens(source)), _MOST_COPIED)
    except (Missing, ValueError):
        return 0


def _values(value: Any, limit: int) -> int:
    count, pending = 0, [value]
    while pending and count <= limit:
        item = pending.pop()
        count += len(item) if isinstance(item, str) else 1
        pending += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return count

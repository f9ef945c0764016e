"""JSON Patch, RFC 6902: operations in their order; all of them apply, or none does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from apiserver.core.patch import pointer
from apiserver.core.patch.pointer import Draft, Missing, Tokens, TooMuch
from apiserver.core.values import Json
from machinery.model.errors import BadRequest, Invalid, TooLarge

Run: TypeAlias = Callable[[Draft], None]

_REFUSED: Final = "the server rejected our request due to an error in our request"
MOST_OPERATIONS: Final = 10_000


class DoesNotApply(Invalid):
    """An operation has no place to work on, or a test fails: kube-apiserver does not tell its callers which."""

    def __init__(self, problem: str) -> None:
        super().__init__(_REFUSED)
        self.problem = problem


def json_patch(current: Json, patch: Any) -> Json:
    """Return `current` after all operations; both are left alone.

    Raises:
        BadRequest: an operation is malformed; the message names it.
        DoesNotApply: an operation has no place to work on, or a test fails.
        Invalid: nothing is left of the object.
        TooLarge: there are more operations than 10,000, or they copy too much.
    """
    if not isinstance(patch, list):
        raise BadRequest("a JSON patch has to be a list of operations")
    if len(patch) > MOST_OPERATIONS:
        raise TooLarge(
            f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(patch)}"
        )
    draft = pointer.Draft(current)
    for number, operation in enumerate(patch):
        _carry_out(_parsed(number, operation), draft, number)
    if not isinstance(draft.document, dict):
        raise Invalid("the JSON patch leaves no object: it replaces or removes the whole of it")
    return draft.document


def _carry_out(run: Run, draft: Draft, number: int) -> None:
    try:
        run(draft)
    except Missing as missing:
        raise DoesNotApply(str(missing)) from missing
    except TooMuch as error:
        raise TooLarge(f"operation {number} of the JSON patch: the patch {error}") from error


def _parsed(number: int, operation: Any) -> Run:
    """Read an operation; what it does is done to a draft."""
    where = f"operation {number} of the JSON patch"
    if not isinstance(operation, dict):
        raise BadRequest(f"{where} has to be a JSON object")
    name = operation.get("op")
    if not isinstance(name, str) or name not in _OPERATIONS:
        raise BadRequest(f"{where}: op has to be one of {', '.join(_OPERATIONS)}, not {name!r:.60}")
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


def _add(operation: Json, where: str) -> Run:
    path, value = _path(operation, "path", where), _value(operation, where)
    return lambda draft: draft.add(path, value)


def _remove(operation: Json, where: str) -> Run:
    path = _path(operation, "path", where)
    return lambda draft: draft.remove(path)


def _replace(operation: Json, where: str) -> Run:
    path, value = _path(operation, "path", where), _value(operation, where)
    return lambda draft: draft.replace(path, value)


def _move(operation: Json, where: str) -> Run:
    source, path = _path(operation, "from", where), _path(operation, "path", where)
    if source != path and path[: len(source)] == source:
        raise BadRequest(f"{where}: a value cannot be moved into itself")

    def move(draft: Draft) -> None:
        value = draft.look(source)
        if source != path:
            draft.remove(source)
            draft.add(path, value)

    return move


def _copy(operation: Json, where: str) -> Run:
    source, path = _path(operation, "from", where), _path(operation, "path", where)
    return lambda draft: draft.copy(source, path)


def _test(operation: Json, where: str) -> Run:
    path, value = _path(operation, "path", where), _value(operation, where)

    def test(draft: Draft) -> None:
        if not _same(draft.look(path), value):
            raise Missing(f"testing value {pointer.text(path)} failed: test failed")

    return test


_OPERATIONS: Final[dict[str, Callable[[Json, str], Run]]] = {
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

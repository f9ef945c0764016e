"""Strategic merge patch: a merge patch that knows which lists merge, and by which key.

https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/ and, for the
directives, sig-api-machinery/strategic-merge-patch.md and preserve-order-in-strategic-merge-patch.md:

    $patch: replace | delete | merge      of a map, or of an element of a list with a merge key
    $retainKeys: [..]                     the fields that stay; others are cleared
    $deleteFromPrimitiveList/x: [..]      values to take out of the list x
    $setElementOrder/x: [..]              the order of the list x, as far as it names elements

What comes out has no directive in it. How lists merge is in `strategic_lists`.
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.patch import strategic_lists
from apiserver.core.patch.directives import (
    DELETE_PRIMITIVES,
    DIRECTIVE,
    ORDER,
    RETAIN_KEYS,
    identities,
    identity,
    is_directive,
    listed,
    plain,
)
from apiserver.core.schema import ListOf, MapOf, Scalar, Shape, Struct
from apiserver.core.values import Json
from machinery.model.errors import BadRequest

_ANYTHING: Final = Scalar.ANYTHING


def strategic_merge(shape: Shape, current: Json, patch: Json, path: str = "") -> Json:
    """Return `current` with the patch merged in by the rules of its schema; both are left alone.

    Raises:
        BadRequest: a directive is malformed or an element has no merge key; the message names the place.
    """
    match patch.get(DIRECTIVE, "merge"):
        case "replace":
            return {name: plain(value) for name, value in patch.items() if not is_directive(name)}
        case "delete":
            return {}
        case "merge":
            return _merged(shape, current, patch, path)
        case other:
            raise BadRequest(
                f"{path or 'the patch'}: {DIRECTIVE} has to be replace, delete or merge, not {other!r}"
            )


def _merged(shape: Shape, current: Json, patch: Json, path: str) -> Json:
    result = _retained(current, patch, path)
    has_directives = False
    for name, value in patch.items():
        if is_directive(name):
            has_directives = True
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = _value(_field(shape, name), result.get(name), value, _at(path, name))
    if has_directives:
        _direct(shape, result, current, patch, path)
    return result


def _direct(shape: Shape, result: Json, current: Json, patch: Json, path: str) -> None:
    """Do with the lists of the result what the patch's directives say."""
    for directive, wanted in patch.items():
        if directive.startswith(DELETE_PRIMITIVES):
            _take_out(result, directive, wanted, path)
    for directive, wanted in patch.items():
        if directive.startswith(ORDER):
            _set_order(shape, result, current, patch, directive, wanted, path)


def _value(shape: Shape, current: Any, value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return strategic_merge(shape, current if isinstance(current, dict) else {}, value, path)
    if isinstance(value, list) and isinstance(shape, ListOf) and shape.strategy == "merge":
        before = current if isinstance(current, list) else []
        return strategic_lists.merged(shape, before, value, path, strategic_merge)
    return plain(value)


def _retained(current: Json, patch: Json, path: str) -> Json:
    """Clear what $retainKeys does not name."""
    if RETAIN_KEYS not in patch:
        return dict(current)
    keys = identities(listed(patch[RETAIN_KEYS], _at(path, RETAIN_KEYS)))
    for name, value in patch.items():
        if value is not None and not is_directive(name) and name not in keys:
            raise BadRequest(
                f"{_at(path, RETAIN_KEYS)} has to name every field that the patch sets: {name} is missing"
            )
    return {name: value for name, value in current.items() if name in keys}


def _take_out(result: Json, directive: str, wanted: Any, path: str) -> None:
    name = directive.removeprefix(DELETE_PRIMITIVES)
    values = listed(wanted, _at(path, directive))
    if isinstance(result.get(name), list):
        gone = identities(values)
        result[name] = [item for item in result[name] if identity(item) not in gone]


def _set_order(
    shape: Shape, result: Json, current: Json, patch: Json, directive: str, wanted: Any, path: str
) -> None:
    name = directive.removeprefix(ORDER)
    order = listed(wanted, _at(path, directive))
    if not isinstance(result.get(name), list):
        return
    field = _field(shape, name)
    key = field.merge_key if isinstance(field, ListOf) else ""
    given, before = patch.get(name), current.get(name)
    where = _at(path, directive)
    strategic_lists.check_order(given if isinstance(given, list) else [], order, key, where)
    result[name] = strategic_lists.ordered(
        result[name], order, before if isinstance(before, list) else [], key
    )


def _field(shape: Shape, name: str) -> Shape:
    if isinstance(shape, Struct):
        return shape.fields.get(name, _ANYTHING)
    return shape.item if isinstance(shape, MapOf) else _ANYTHING


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

"""How lists merge in a strategic merge patch, and the order of what comes out.

The order that a patch gives comes first, then the order that the list had: elements that only the server has
keep their place among those that both have; elements that only the patch has go before the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeAlias

from apiserver.core.patch.directives import DIRECTIVE, identity, plain
from apiserver.core.schema import ListOf, Shape
from apiserver.core.values import Json
from machinery.model.errors import BadRequest

_PLAIN: Final = (str, int, float, bool, type(None))  # a union in its place would be built with each question

Merge: TypeAlias = Callable[[Shape, Json, Json, str], Json]


def merged(shape: ListOf, current: list[Any], patch: list[Any], path: str, merge: Merge) -> list[Any]:
    """Merge a list that the schema says merges: by its merge key, or as a set of scalars.

    Raises:
        BadRequest: an element does not fit.
    """
    if not shape.merge_key:
        return _scalars(current, patch, path)
    return _elements(shape, current, patch, path, merge)


def _scalars(current: list[Any], patch: list[Any], path: str) -> list[Any]:
    if any(isinstance(item, dict | list) for item in patch):
        raise BadRequest(f"{path}: the elements of this list have to be plain values")
    both: dict[Hashable, Any] = {}
    for item in (*current, *patch):
        both.setdefault(identity(item), item)
    return ordered([*both.values()], patch, current, "")


def _elements(shape: ListOf, current: list[Any], patch: list[Any], path: str, merge: Merge) -> list[Any]:
    key = shape.merge_key
    for index, item in enumerate(patch):
        _check_element(item, key, f"{path}[{index}]")
    changes = [item for item in patch if item.get(DIRECTIVE, "merge") == "merge"]
    if any(item.get(DIRECTIVE) == "replace" for item in patch):
        return [plain(item) for item in changes]
    gone = {item[key] for item in patch if item.get(DIRECTIVE) == "delete"}
    kept = [item for item in current if not (isinstance(item, dict) and identity(item.get(key)) in gone)]
    result = list(kept)
    places = _places(kept, key)
    for change in changes:
        place = places.setdefault(change[key], len(result))
        if place == len(result):
            result.append(merge(shape.item, {}, change, path))
        else:
            result[place] = merge(shape.item, result[place], change, f"{path}[{key}={change[key]}]")
    return ordered(result, changes, kept, key)


def _places(items: list[Any], key: str) -> dict[Hashable, int]:
    """Return where the first element of each merge key stands."""
    places: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        if isinstance(item, dict):
            places.setdefault(identity(item.get(key)), index)
    return places


def _check_element(item: Any, key: str, where: str) -> None:
    if not isinstance(item, dict):
        raise BadRequest(f"{where} has to be a JSON object with the merge key {key}")
    directive = item.get(DIRECTIVE, "merge")
    if directive not in {"delete", "merge", "replace"}:
        raise BadRequest(f"{where}: {DIRECTIVE} has to be replace, delete or merge, not {directive!r}")
    if directive == "replace":
        return  # it speaks of the list
    if isinstance(item.get(key), dict | list | None):
        raise BadRequest(f"{where} does not contain the declared merge key: {key}")


def ordered(items: list[Any], order: list[Any], before: list[Any], key: str) -> list[Any]:
    """Bring elements into order: those that `order` names as it says, the others between them as in `before`."""
    rank, place = _ranks(order, key), _ranks(before, key)
    named = [item for item in items if _identity(item, key) in rank]
    named.sort(key=lambda item: rank[_identity(item, key)])
    others = [item for item in items if _identity(item, key) not in rank]
    others.sort(key=lambda item: place.get(_identity(item, key), len(place)))
    return _interleaved(others, named, place, key)


def _interleaved(others: list[Any], named: list[Any], place: dict[Any, int], key: str) -> list[Any]:
    result: list[Any] = []
    waiting = list(reversed(others))
    for item in named:
        here = place.get(_identity(item, key))
        while waiting and here is not None and place.get(_identity(waiting[-1], key), here) < here:
            result.append(waiting.pop())
        result.append(item)
    return result + waiting[::-1]


def check_order(patch: list[Any], order: list[Any], key: str, where: str) -> None:
    """Check that an order names what the patch sets, in the order in which it does.

    Raises:
        BadRequest: it does not.
    """
    if not order or not patch:
        return
    rank = _ranks(order, key)
    given = [_identity(item, key) for item in patch if not (isinstance(item, dict) and DIRECTIVE in item)]
    positions = [rank.get(name, -1) for name in given]
    if -1 in positions or positions != sorted(positions):
        raise BadRequest(f"{where}: the order in the patch's list does not match it")


def _ranks(items: list[Any], key: str) -> dict[Any, int]:
    ranks: dict[Any, int] = {}
    for index, item in enumerate(items):
        ranks.setdefault(_identity(item, key), index)
    return ranks


def _identity(item: Any, key: str) -> Any:
    """Return what tells an element from the others: its merge key, or the scalar itself."""
    value = item.get(key) if isinstance(item, dict) and key else item
    return value if isinstance(value, _PLAIN) else str(value)

r"""Sets of fields: which parts of an object somebody owns. A set is its FieldsV1 form, so it needs no decoding.

    {"f:spec": {"f:replicas": {}, "f:ports": {".": {}, "k:{\"port\":80}": {".": {}, "f:port": {}}}}}

A node is a path element's: `{}` is a member with nothing below it, `"."` marks a member with something below, and a
node without either is only on the way. The root is no member: `{}` there is the empty set. Sets are values: no
function here changes one, and the results share parts with what they were made from.

Stored sets have their elements in order (`ordered`), and what is made of such sets here has, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from apiserver.core.apply import elements

FieldSet: TypeAlias = dict[str, Any]  # by path element; the values are nodes, which are FieldSets themselves
Path: TypeAlias = tuple[str, ...]

SELF: Final = "."


def is_member(node: FieldSet) -> bool:
    """Whether what the node stands for is in the set itself."""
    return not node or SELF in node


def as_member(node: FieldSet | None) -> FieldSet:
    """Return the node with what it stands for in the set."""
    if node is None:
        return {}
    return node if is_member(node) else {SELF: {}, **node}


def of_path(*path: str) -> FieldSet:
    """Return the set with one member, whose path has one element at least."""
    node: FieldSet = {}
    for element in reversed(path):
        node = {element: node}
    return node


def contains(fields: FieldSet, path: Path) -> bool:
    """Whether a path is in the set."""
    node: FieldSet | None = fields
    for element in path:
        node = node.get(element) if node is not None else None
    return bool(path) and node is not None and is_member(node)


def paths(fields: FieldSet, above: Path = ()) -> Iterator[Path]:
    """Yield every member's path: those of a level in order, then what is below each of them."""
    order = [each for each in elements.in_order(fields) if each != SELF]
    yield from ((*above, each) for each in order if is_member(fields[each]))
    for each in order:
        yield from paths(fields[each], (*above, each))


def union(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members of both."""
    if not other or one is other:
        return one
    return _united(one, other) if one else other


def _united(one: FieldSet, other: FieldSet) -> FieldSet:
    """Unite what has something in it: sets, or nodes that are not `{}`."""
    result = dict(one)
    for element, node in other.items():
        mine = result.get(element)
        if mine is None:
            result[element] = node
        elif mine is not node:
            result[element] = _united(mine, node) if mine and node else as_member(mine or node)
    if len(result) == len(one):
        return result
    return {element: result[element] for element in elements.in_order(result)}


def includes(fields: FieldSet, other: FieldSet) -> bool:
    """Whether all members of `other` are in the set."""
    for element, theirs in other.items():
        mine = fields.get(element)
        if mine is None:
            return False
        if mine is theirs or element == SELF:
            continue
        if is_member(theirs) and not is_member(mine):
            return False
        if theirs and not includes(mine, theirs):
            return False
    return True


def meets(fields: FieldSet, touched: FieldSet) -> bool:
    """Whether a change of `touched` may be one for the owner of `fields`: they share a member, or one lies in the other."""
    for element, theirs in touched.items():
        mine = fields.get(element)
        if mine is None or element == SELF:
            continue
        if not theirs or not mine or SELF in theirs or meets(mine, theirs):
            return True
    return False


def intersection(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members that are in both."""
    return _shared(one, other) or {}


def _shared(one: FieldSet, other: FieldSet) -> FieldSet | None:
    """Return the children that two nodes, or sets, have in common; None: none."""
    if len(other) < len(one):
        one, other = other, one
    result = {}
    for element, node in one.items():
        theirs = other.get(element)
        if theirs is None or element == SELF:
            continue
        below = _shared(node, theirs) if node and theirs else None
        if is_member(node) and is_member(theirs):
            result[element] = as_member(below) if below else {}
        elif below:
            result[element] = below
    return result or None


def difference(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members of `one` that are not in `other`: `one` itself where that takes nothing away.

    A member stays where only what is below it, or above it, is in `other`.
    """
    return _without(one, other, deep=False)


def difference_below(one: FieldSet, other: FieldSet) -> FieldSet:
    """Return the members of `one` that are neither in `other` nor below one of its members."""
    return _without(one, other, deep=True)


def _without(one: FieldSet, other: FieldSet, *, deep: bool) -> FieldSet:
    """Return what is left of the children of a node, or a set."""
    changed: dict[str, FieldSet | None] = {}
    for element in one.keys() & other.keys():
        if element == SELF:
            continue
        node, theirs = one[element], other[element]
        left = _left(node, theirs, deep=deep)
        if left is not node:
            changed[element] = left
    if not changed:
        return one
    result = {}
    for element, node in one.items():
        left = changed.get(element, node)
        if left is not None:
            result[element] = left
    return result


def _left(node: FieldSet, theirs: FieldSet, *, deep: bool) -> FieldSet | None:
    """Return what is left of a node: itself where that is all of it; None: nothing."""
    taken = is_member(theirs)
    if taken and deep:
        return None
    if not node:
        return None if taken else node
    children = _without(node, theirs, deep=deep) if theirs else node
    if taken and SELF in children:
        children = {element: each for element, each in children.items() if element != SELF}
    if children is node:
        return node
    if len(children) == 1 and SELF in children:
        return {}
    return children or None


def read(raw: Any) -> FieldSet:
    """Read what a client says are fields, into the one form that a set has.

    Raises:
        ValueError: it is no FieldsV1; the message names the place.
    """
    if raw is None:
        return {}
    try:
        return ordered({element: node for element, node in _read(raw, "").items() if element != SELF})
    except RecursionError as error:
        raise ValueError("the fields are nested too deeply") from error


def _read(raw: Any, where: str) -> FieldSet:
    if not isinstance(raw, dict):
        raise ValueError(f"{where or 'fieldsV1'}: fields have to be a JSON object")  # noqa: TRY004 - of a client
    result: FieldSet = {}
    for text, below in raw.items():
        if text == SELF:
            result[SELF] = {}
            continue
        element = elements.canonical(text)
        node = _read(below, f"{where}{text}")
        mine = result.get(element)
        result[element] = (
            node if mine is None else next(iter(union({element: mine}, {element: node}).values()))
        )
    return {} if len(result) == 1 and SELF in result else result


def ordered(fields: FieldSet) -> FieldSet:
    """Return the set with its elements in the order in which FieldsV1 writes them."""
    if len(fields) < 2:
        return {element: ordered(node) if node else node for element, node in fields.items()}
    result = {}
    for element in elements.in_order(fields):
        node = fields[element]
        result[element] = ordered(node) if node else node
    return result

"""Which fields of an object a cache keeps: those that somebody reads, and no more.

A cluster has thousands of pods and node statuses; most of each is of no interest to one component. Who reads a cache
names the fields by their paths.

    spec.nodeName                              a field
    spec.containers.ports                      a field of every item of a list
    metadata.annotations[example.com/cost]     an entry of a map
    status                                     a field with all that is below it
    ""                                         the whole object

Which object it is (`IDENTITY`) is always kept.

The function that reduces an object is written and compiled, as `dataclasses` writes an `__init__`: it runs for
every event, and one that walks the paths each time takes 24 microseconds for a pod instead of 7. It is compiled once
for all caches that keep the same fields of the same type: to read a type's annotations takes 0.2 ms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec

T = TypeVar("T")
Tree: TypeAlias = dict[str, "Tree"]  # what is kept below a field; empty: all of it

WHOLE: Final = ("",)
IDENTITY: Final = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
)
_PART: Final = re.compile(r"[^.\[\]]+|\[([^\]]*)\]")


def trimmer(type_: type[T], paths: Iterable[str]) -> Callable[[T], T]:
    """Return the function that reduces an object to some fields, in a new object.

    Raises:
        ValueError: a path leads to no field of the type.
    """
    named = frozenset(paths)
    key: Any = type_  # hashable, which mypy does not see of a type[T]
    return _compiled(key, frozenset() if "" in named else named.union(IDENTITY))


@cache  # a program has as many as it names caches
def _compiled(type_: type, paths: frozenset[str]) -> Callable[[Any], Any]:
    tree: Tree = {}
    for path in sorted(paths):  # what is whole sorts before what is below it
        _add(tree, [part[1] or part[0] for part in _PART.finditer(path)])
    scope: dict[str, Any] = {}
    expression = _reduced("whole", type_, tree, scope)
    trim: Callable[[Any], Any] = eval(f"lambda whole: {expression}", scope)  # noqa: S307 - of field names only
    return trim


def _add(tree: Tree, parts: list[str]) -> None:
    first, *rest = parts
    if first in tree and not tree[first]:
        return  # all of it is kept already
    below = tree.setdefault(first, {})
    if rest:
        _add(below, rest)


def _reduced(value: str, type_: Any, tree: Tree, scope: dict[str, Any]) -> str:
    """Write the expression that reduces `value`, itself an expression; what it refers to goes into the scope."""
    if not tree:
        return value
    if get_origin(type_) in {Union, UnionType}:
        [inner] = (option for option in get_args(type_) if option is not type(None))
        return f"None if {value} is None else {_reduced(value, inner, tree, scope)}"
    if get_origin(type_) is list:
        item = _name("item", scope)
        return f"[{_reduced(item, get_args(type_)[0], tree, scope)} for {item} in {value}]"
    if get_origin(type_) is dict:
        return f"{{key: {value}[key] for key in {sorted(tree)!r} if key in {value}}}"
    return _reduced_struct(value, type_, tree, scope)


def _reduced_struct(value: str, type_: Any, tree: Tree, scope: dict[str, Any]) -> str:
    fields = _fields(type_)
    if unknown := sorted(tree.keys() - fields.keys()):
        raise ValueError(f"{type_.__name__} has no field {unknown[0]}")
    kept = [f"{name}={_reduced(f'{value}.{name}', fields[name].type, tree[name], scope)}" for name in tree]
    absent = [
        f"{field.name}={_name('empty', scope, _empty(field.type))}"
        for field in fields.values()
        if field.required and field.name not in tree
    ]
    return f"{_name(type_.__name__, scope, type_)}({', '.join((*kept, *absent))})"


@cache
def _fields(type_: type) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(type_)}


def _name(stem: str, scope: dict[str, Any], value: Any = None) -> str:
    """Add a value to the scope, under a name of its own."""
    name = f"{stem}_{len(scope)}"
    scope[name] = value
    return name


def _empty(type_: Any) -> Any:
    """Return what stands for a field that has to be there and is not kept."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        fields = _fields(type_)
        return type_(**{name: _empty(field.type) for name, field in fields.items() if field.required})
    return (get_origin(type_) or type_)()

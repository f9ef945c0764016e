"""What a client's object says in vain: fields that its schema does not know, and keys that it says twice.

Both are told in the order in which they stand in the document, as Kubernetes' strict decoder finds them. The walk is only
made where the reader (`decode`) or the normalizer has noticed one. Paths are linked steps until they are told: a key
may be as long as the body.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, TypeAlias

from apiserver.core.decode import Repeated
from apiserver.core.schema import ListOf, MapOf, Scalar, Shape, Struct

MOST: Final = 100  # of both together, as in Kubernetes; what is wrong is clear by then
LONGEST_PATH: Final = 1000  # characters

Steps: TypeAlias = tuple[Any, ...]  # () at the root, else (the steps before, the last key or index)


def strict_errors(value: Any, shape: Shape = Scalar.ANYTHING) -> tuple[str, ...]:
    """Return the first 100 of what is said in vain; a shape of anything knows every field."""
    return tuple(islice(_once(_found(shape, value)), MOST))


def _once(found: Iterator[str]) -> Iterator[str]:
    told: set[str] = set()
    for each in found:
        if each not in told:
            told.add(each)
            yield each


def _found(shape: Shape, value: Any) -> Iterator[str]:
    """Walk depth first, with a stack of our own: a document may be as deep as its reader allows."""
    stack = [_entries(shape, value, ())]
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
        elif isinstance(entry, str):
            yield entry
        else:
            stack.append(_entries(*entry))


def _entries(shape: Shape, value: Any, steps: Steps) -> Iterator[str | tuple[Shape, Any, Steps]]:
    """Return the errors of one object or list and its parts, as they come."""
    if isinstance(value, dict):
        yield from _of_object(shape, value, steps)
    elif isinstance(value, list):
        item_shape = shape.item if isinstance(shape, ListOf) else Scalar.ANYTHING
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                yield item_shape, item, (steps, index)


def _of_object(shape: Shape, value: dict[str, Any], steps: Steps) -> Iterator[str | tuple[Shape, Any, Steps]]:
    told: dict[str, bool] = {}  # by key: whether something was said of it
    for name, item in value.pairs if isinstance(value, Repeated) else value.items():
        inner = _shape_of(shape, name)
        if inner is None:
            if name not in told:
                yield f'unknown field "{path((steps, name))}"'
            told[name] = True
            continue
        if told.get(name) is False:
            yield f'duplicate field "{path((steps, name))}"'
        told[name] = name in told
        if isinstance(item, dict | list):
            yield inner, item, (steps, name)


def _shape_of(shape: Shape, name: str) -> Shape | None:
    """Return the shape of a field; None where there is no such field."""
    if isinstance(shape, Struct):
        return shape.fields.get(name)
    return shape.item if isinstance(shape, MapOf) else Scalar.ANYTHING


def path(steps: Steps) -> str:
    """Write a path as .spec.containers[0].name without the first dot; one that is too long is cut."""
    parts: list[str] = []
    while steps:
        steps, step = steps
        parts.append(f"[{step}]" if isinstance(step, int) else f".{step[:LONGEST_PATH]}")
    return "".join(reversed(parts)).removeprefix(".")[:LONGEST_PATH]

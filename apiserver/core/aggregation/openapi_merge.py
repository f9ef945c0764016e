"""OpenAPI version 2 of extension servers, brought into the one document of everything.

Of each server's document those paths count that lie below the version of its APIService, and the definitions that they need
or that are of kinds of that version. A definition whose name is taken by another one gets a new name, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from apiserver.core.aggregation.priorities import GroupVersion
from apiserver.core.values import Json

_PREFIX: Final = "#/definitions/"
_KINDS: Final = "x-kubernetes-group-version-kind"


class Document(NamedTuple):
    """A server's document as it came."""

    place: GroupVersion
    body: bytes


def merged(own: Json, documents: Sequence[Document]) -> Json:
    """Return the document with what the servers serve; a server's document that makes no sense is left out."""
    paths, definitions = dict(own["paths"]), dict(own["definitions"])
    for each in documents:
        try:
            found = _part(msgspec.json.decode(each.body, type=dict[str, Any]), each.place)
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        _add(*found, paths, definitions)
    return {**own, "paths": paths, "definitions": definitions}


def _part(document: Json, place: GroupVersion) -> tuple[Json, Json]:
    """Return the paths of a version, and the definitions that belong to them."""
    group, version = place
    root = f"/apis/{group}/{version}/" if group else f"/api/{version}/"
    paths = {
        path: item for path, item in (document.get("paths") or {}).items() if f"{path}/".startswith(root)
    }
    known: Json = document.get("definitions") or {}
    kept: Json = {}
    waiting = [*_references(paths), *(name for name, schema in known.items() if _is_of(schema, place))]
    while waiting:
        name = waiting.pop()
        if name in known and name not in kept:
            kept[name] = known[name]
            waiting += _references(known[name])
    return paths, kept


def _add(paths: Json, definitions: Json, all_paths: Json, all_definitions: Json) -> None:
    names = {
        name: _free(name, all_definitions)
        for name, schema in definitions.items()
        if name in all_definitions and all_definitions[name] != schema
    }
    for name, schema in definitions.items():
        all_definitions.setdefault(names.get(name, name), _renamed(schema, names))
    for path, item in paths.items():
        all_paths.setdefault(path, _renamed(item, names))


def _free(name: str, taken: Json) -> str:
    number = 2
    while f"{name}_v{number}" in taken:
        number += 1
    return f"{name}_v{number}"


def _is_of(schema: Json, place: GroupVersion) -> bool:
    return any((each.get("group"), each.get("version")) == place for each in schema.get(_KINDS) or ())


def _references(value: Any) -> Iterator[str]:
    """Yield the names of the definitions that are referred to."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as found:
                reference = found.get("$ref")
                if isinstance(reference, str) and reference.startswith(_PREFIX):
                    yield reference.removeprefix(_PREFIX)
                waiting += found.values()
            case list() as items:
                waiting += items


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if not names:
        return value
    match value:
        case dict():
            found = {key: _renamed(each, names) for key, each in value.items()}
            reference = found.get("$ref")
            if isinstance(reference, str) and (name := names.get(reference.removeprefix(_PREFIX))):
                found["$ref"] = f"{_PREFIX}{name}"
            return found
        case list():
            return [_renamed(each, names) for each in value]
    return value

"""Server-side apply once more, slowly and plainly, from its documentation: objects are maps from paths to values.

https://kubernetes.io/docs/reference/using-api/server-side-apply/

A path is a tuple of steps, a step is a tuple: ("f", name), ("k", (key, value), …), ("v", value). Leaves have their
value, containers `Empty` or `Full`. Nothing here is shared with `apiserver.core.apply`, except for `to_fields`,
which writes a set of paths as FieldsV1 to compare the two. There is no null, and versions differ in nothing but name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Step = tuple[Any, ...]
Path = tuple[Step, ...]
Schema = dict[str, Any]


class Container(Enum):
    STRUCT = "struct"
    MAP = "map"
    LIST = "list"


@dataclass(frozen=True)
class Node:
    """What is at a path: a leaf's value as text, or a container."""

    leaf: str = ""
    container: Container | None = None


Flat = dict[Path, Node]


def flatten(schema: Schema, value: Any, path: Path = ()) -> Flat:
    """Return everything that there is in an object, by path; the object itself has none."""
    result: Flat = {}
    container = _container(schema)
    if path:
        result[path] = (
            Node(container=container) if container else Node(leaf=json.dumps(value, sort_keys=True))
        )
    for step, below, item in _parts(schema, value) if container else ():
        result |= flatten(below, item, (*path, step))
    return result


def _container(schema: Schema) -> Container | None:
    if schema["type"] == "array":
        return None if schema["x-kubernetes-list-type"] == "atomic" else Container.LIST
    if schema["type"] != "object" or schema.get("x-kubernetes-map-type") == "atomic":
        return None
    return Container.STRUCT if "properties" in schema else Container.MAP


def _parts(schema: Schema, value: Any) -> Iterator[tuple[Step, Schema, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield ("f", name), schema.get("properties", {}).get(name) or schema["additionalProperties"], item
    for item in value if isinstance(value, list) else ():
        yield _step(schema, item), schema["items"], item


def _step(schema: Schema, item: Any) -> Step:
    if schema["x-kubernetes-list-type"] == "set":
        return ("v", item)
    keys = sorted(schema["x-kubernetes-list-map-keys"])
    properties = schema["items"]["properties"]
    found = ((key, item.get(key, properties[key].get("default"))) for key in keys)
    return ("k", *((key, value) for key, value in found if value is not None))


def prefixes(path: Path) -> list[Path]:
    """Return what a path is below of, and itself."""
    return [path[:length] for length in range(1, len(path) + 1)]


def with_parts(flat: Flat) -> set[Path]:
    """Return the containers that have something in them."""
    return {path[:-1] for path in flat}


def said(flat: Flat) -> set[Path]:
    """Return what somebody who says this owns: not structs and lists that are only on the way to what they say."""
    full = with_parts(flat)
    return {path for path in flat if _is_said(flat, path, is_full=path in full)}


def _is_said(flat: Flat, path: Path, *, is_full: bool) -> bool:
    container = flat[path].container
    parent = flat[path[:-1]].container if len(path) > 1 else Container.STRUCT
    if container is None or parent is not Container.STRUCT:  # leaves, entries of maps, elements of lists
        return True
    return container is not Container.LIST and not is_full


@dataclass
class Manager:
    fields: set[Path]
    applies: bool
    time: int
    version: str


@dataclass
class World:
    """An object, and who owns what of it."""

    schema: Schema
    flat: Flat = field(default_factory=dict)
    managers: dict[tuple[str, bool, str], Manager] = field(default_factory=dict)
    exists: bool = False

    def update(self, name: str, obj: Any, now: int) -> None:
        """Store an object by an update, or a create. An updater is somebody else in each version."""
        new, version = flatten(self.schema, obj), obj["apiVersion"]
        if not self.exists or self.managers:
            changed, removed = _changes(self.flat, new)
            for manager in self.managers.values():
                manager.fields -= changed | removed
            if owned := {path for path in changed if not _never_owned(path)}:
                mine = self.managers.setdefault(
                    (name, False, version), Manager(set(), applies=False, time=now, version=version)
                )
                mine.fields |= owned
                mine.time = now
        self._store(new)

    def apply(self, name: str, config: Any, now: int, *, force: bool) -> set[tuple[str, bool, str, Path]]:
        """Apply a configuration; return the conflicts, with which nothing is stored."""
        sent = flatten(self.schema, config)
        mine = said(sent)
        version, key = config["apiVersion"], (name, True, "")
        last = self.managers.get(key)
        others = {other: each for other, each in self.managers.items() if other != key}
        if self.exists and not self.managers:
            before = {path for path in self.flat if not _never_owned(path)}
            others = (
                {
                    ("before-first-apply", False, version): Manager(
                        before, applies=False, time=now, version=version
                    )
                }
                if before
                else {}
            )
        united = merged = {**self.flat, **sent}
        if last:
            claims = mine.union(*(each.fields for each in others.values()))
            merged = _pruned(united, last.fields, claims)
        changed, removed = _changes(self.flat, merged)
        conflicts = {(*other, path) for other, each in others.items() for path in each.fields & changed}
        if conflicts and not force:
            return conflicts
        for each in others.values():
            each.fields -= changed | removed
        kept = {path for path in mine if not _never_owned(path)}
        moved = merged != self.flat or not last or last.fields != kept or last.version != version
        since = now if moved or not last else last.time
        others[key] = Manager(kept, applies=True, time=since, version=version)
        self.managers = others
        became_null = _emptied(united, merged)
        self._store({path: node for path, node in merged.items() if path not in became_null})
        return set()

    def _store(self, flat: Flat) -> None:
        self.flat, self.exists = flat, True
        self.managers = {key: each for key, each in self.managers.items() if each.fields}


def _changes(old: Flat, new: Flat) -> tuple[set[Path], set[Path]]:
    """Return what is new or has another value, and what is gone."""
    changed = {path for path, node in new.items() if old.get(path) != node}
    return changed, old.keys() - new.keys()


def _pruned(merged: Flat, last: set[Path], claims: set[Path]) -> Flat:
    """Remove what was applied last and nobody claims now, with what is below it."""
    last, claims = _with_structs(merged, last), _with_structs(merged, claims)
    unclaimed = {path for path in merged if not last.isdisjoint(prefixes(path)) and path not in claims}
    going = {path for path in merged if path in last and not unclaimed.isdisjoint(prefixes(path))}
    return {path: node for path, node in merged.items() if going.isdisjoint(prefixes(path))}


def _with_structs(merged: Flat, paths: set[Path]) -> set[Path]:
    """Return the paths, and the fields of structs on the way to them."""
    above = {prefix for path in paths for prefix in prefixes(path) if prefix in merged}
    fields = {path for path in above if len(path) == 1 or merged[path[:-1]].container is Container.STRUCT}
    return paths | fields


def _emptied(before: Flat, after: Flat) -> set[Path]:
    """Return the containers that have lost all that they had: they become null, and are not stored."""
    return (with_parts(before) - with_parts(after)) & after.keys()


def _never_owned(path: Path) -> bool:
    return path[0] in {("f", "apiVersion"), ("f", "kind")} or path in {
        (("f", "metadata"),),
        (("f", "metadata"), ("f", "name")),
    }


def to_fields(paths: Iterable[Path]) -> dict[str, Any]:
    """Write paths as FieldsV1."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(_text(step), {})
        node["."] = {}
    return _compact(root)


def _compact(node: dict[str, Any]) -> dict[str, Any]:
    below = {name: _compact(each) for name, each in node.items() if name != "."}
    return {**({".": {}} if "." in node and below else {}), **below}


def _text(step: Step) -> str:
    match step:
        case ("f", name):
            return f"f:{name}"
        case ("v", value):
            return f"v:{json.dumps(value)}"
    return "k:" + json.dumps(dict(step[1:]), separators=(",", ":"), sort_keys=True)

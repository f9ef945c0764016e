"""Random schemas, objects and histories for server-side apply, each from its seed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

Schema = dict[str, Any]
_NAMES = ("a", "b", "c", "d")
_META = {"type": "object", "properties": {"name": {"type": "string"}}}


def schema(random: Random) -> Schema:
    """Return the schema of a kind whose spec is anything that a schema can describe."""
    text = {"type": "string"}
    spec = _struct(random, 3)
    return {
        "type": "object",
        "properties": {"apiVersion": text, "kind": text, "metadata": _META, "spec": spec},
    }


def document(definition: str, of: Schema) -> bytes:
    """Return a document of definitions with one definition."""
    return msgspec.json.encode({"$defs": {definition: of}})


def _struct(random: Random, depth: int) -> Schema:
    names = random.sample(_NAMES, random.randint(1, len(_NAMES)))
    return {"type": "object", "properties": {name: _type(random, depth - 1) for name in names}}


def _type(random: Random, depth: int) -> Schema:
    leaf = {"type": random.choice(["string", "integer", "boolean"])}
    if depth <= 0 or random.random() < 0.25:
        return leaf
    return random.choice(_COMPOUNDS)(random, depth, leaf)


_COMPOUNDS: list[Callable[[Random, int, Schema], Schema]] = [
    lambda random, depth, _: _struct(random, depth),
    lambda random, depth, _: {**_struct(random, depth), "x-kubernetes-map-type": "atomic"},
    lambda random, depth, _: {"type": "object", "additionalProperties": _type(random, depth - 1)},
    lambda _random, _depth, leaf: {"type": "object", "additionalProperties": leaf},
    lambda _random, _depth, leaf: {"type": "array", "items": leaf, "x-kubernetes-list-type": "atomic"},
    lambda *_: {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    lambda random, depth, _: _list_of_maps(random, depth),
]


def _list_of_maps(random: Random, depth: int) -> Schema:
    item = _struct(random, depth)
    keys: dict[str, Schema] = {"key": {"type": random.choice(["string", "integer"])}}
    if random.random() < 0.4:
        keys["protocol"] = {"type": "string", "default": "x"}
    properties = {**item["properties"], **keys}
    return {
        "type": "array",
        "items": {"type": "object", "properties": properties},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
    }


def value(random: Random, of: Schema, density: float) -> Any:
    """Return a value of a schema, which has a part of its fields as large as `density`."""
    match of["type"]:
        case "string":
            return random.choice("xy")
        case "integer":
            return random.randrange(3)
        case "boolean":
            return random.random() < 0.5
        case "array":
            return _list(random, of, density)
    if "properties" in of:
        names = [name for name in of["properties"] if random.random() < density]
        return {name: value(random, of["properties"][name], density) for name in names}
    names = [name for name in _NAMES if random.random() < density / 2]
    return {name: value(random, of["additionalProperties"], density) for name in names}


def _list(random: Random, of: Schema, density: float) -> list[Any]:
    items = [value(random, of["items"], density) for _ in range(random.randrange(4))]
    if of["x-kubernetes-list-type"] == "set":
        return list(dict.fromkeys(items))
    if of["x-kubernetes-list-type"] == "map":
        for item in items:
            item["key"] = value(random, of["items"]["properties"]["key"], density)
        keys = of["x-kubernetes-list-map-keys"]
        return list({tuple(item.get(key, "x") for key in keys): item for item in items}.values())
    return items


def mixed(random: Random, of: Schema, old: Any, new: Any) -> Any:
    """Return a state between two: each part is of one of them, or gone."""
    if "properties" not in of or not isinstance(old, dict):
        return random.choice([old, old, new])
    result = {}
    for name in [*old, *(each for each in new if each not in old)]:
        if name not in new or name not in old:
            if random.random() < 0.6:
                result[name] = old.get(name, new.get(name))
        else:
            result[name] = mixed(random, of["properties"][name], old[name], new[name])
    return result


def revalued(random: Random, of: Schema, old: Any) -> Any:
    """Return a state with the same fields, some of which have another value."""
    if isinstance(old, dict):
        keys = of.get("x-kubernetes-list-map-keys", ())
        known = of.get("properties", {})
        return {
            name: item
            if name in keys
            else revalued(random, known.get(name) or of["additionalProperties"], item)
            for name, item in old.items()
        }
    if isinstance(old, list):
        keyed = {**of["items"], "x-kubernetes-list-map-keys": of.get("x-kubernetes-list-map-keys", ())}
        is_plain = of["x-kubernetes-list-type"] != "map"
        return old if is_plain else [revalued(random, keyed, item) for item in old]
    return value(random, of, 1) if random.random() < 0.3 else old


def without_nulls(item: Any) -> Any:
    """Return a value as it is stored: what became null is not there."""
    if isinstance(item, dict):
        return {name: without_nulls(each) for name, each in item.items() if each is not None}
    return [without_nulls(each) for each in item if each is not None] if isinstance(item, list) else item

"""A version's schema, compiled into nodes that walk values: each node when somebody first looks at it.

`Structural` is one schema of the tree; its children are made on demand, so that a schema of 3 MB costs what the
objects use of it. It is made from a schema that has passed `schema_rules` and `structure`, and trusts it.
`Schema` holds the whole one as packed bytes until an object comes by: 500 idle ones cost next to nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

import msgspec

from apiserver.core.values import Json

MOST_NESTED: Final = 80  # schemas in each other; walks recurse no deeper than that
META_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata"})


def canonical(value: Any) -> bytes:
    """Return what is the same for equal JSON values only: true is not 1, and the order of keys does not count."""
    return msgspec.json.encode(value, order="deterministic")


def is_nested_deeper(value: Any, most: int) -> bool:
    """Whether containers lie in each other more than `most` deep. It does not recurse."""
    level = [value]
    for _ in range(most):
        level = [inner for each in level for inner in _inner(each) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class Structural:
    """One schema. `raw` is its JSONSchemaProps."""

    def __init__(self, raw: Json, *, resource: bool = False) -> None:
        self.raw = raw
        self.types = _types(raw)
        self.nullable = bool(raw.get("nullable"))
        self.preserves = bool(raw.get("x-kubernetes-preserve-unknown-fields"))
        self.is_resource = resource or bool(raw.get("x-kubernetes-embedded-resource"))
        self.list_type = raw.get("x-kubernetes-list-type") or ""
        self.rules: list[Json] = raw.get("x-kubernetes-validations") or []

    @cached_property
    def programs(self) -> dict[Any, Any]:
        """What was compiled of its rules, by who compiles them."""
        return {}

    @cached_property
    def held(self) -> dict[Any, int]:
        """What its rules, and those below it, cost of values of which they held."""
        return {}

    @cached_property
    def properties(self) -> Mapping[str, Structural]:
        """The fields by name, compiled one by one."""
        return _Properties(self.raw.get("properties") or {})

    @cached_property
    def items(self) -> Structural | None:
        """The schema of every item of a list."""
        return _compiled(self.raw.get("items"))

    @cached_property
    def pruned_items(self) -> Structural | None:
        """The schema by which items are pruned: a list that preserves hands that down to them."""
        items = self.items
        if items is None or not self.preserves or items.preserves:
            return items
        return Structural({**items.raw, "x-kubernetes-preserve-unknown-fields": True})

    @cached_property
    def additional(self) -> Structural | None:
        """The schema of the values of a map; None: there are none, or they may be anything (`additional_allowed`)."""
        return _compiled(self.raw.get("additionalProperties"))

    @property
    def has_additional(self) -> bool:
        """Whether keys that are no properties belong to the value: a map."""
        return "additionalProperties" in self.raw

    @cached_property
    def default(self) -> bytes | None:
        """The default as JSON: decoding it makes a copy."""
        value = self.raw.get("default")
        return None if value is None else msgspec.json.encode(value)

    @cached_property
    def defaulted(self) -> tuple[tuple[str, Structural], ...]:
        """The fields that have a default of their own."""
        raws = self.raw.get("properties") or {}
        return tuple(
            (name, self.properties[name]) for name, raw in raws.items() if raw.get("default") is not None
        )

    @cached_property
    def map_keys(self) -> tuple[str, ...]:
        """The fields that tell items of a list-map apart."""
        return tuple(self.raw.get("x-kubernetes-list-map-keys") or ())

    @cached_property
    def enum(self) -> frozenset[bytes]:
        """The values that it may have, in `comparable` form; empty: any."""
        return frozenset(comparable(each) for each in self.raw.get("enum") or ())

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields that have to be there."""
        return tuple(self.raw.get("required") or ())

    @cached_property
    def all_of(self) -> tuple[Structural, ...]:
        """Schemas that hold as well."""
        return tuple(Structural(each) for each in self.raw.get("allOf") or ())

    @cached_property
    def any_of(self) -> tuple[Structural, ...]:
        """Schemas of which one holds."""
        return tuple(Structural(each) for each in self.raw.get("anyOf") or ())

    @cached_property
    def one_of(self) -> tuple[Structural, ...]:
        """Schemas of which exactly one holds."""
        return tuple(Structural(each) for each in self.raw.get("oneOf") or ())

    @cached_property
    def negated(self) -> Structural | None:
        """The schema that must not hold."""
        return _compiled(self.raw.get("not"))


class _Properties(Mapping[str, Structural]):
    """Fields by name, each compiled when it is first asked for."""

    def __init__(self, raws: Mapping[str, Json]) -> None:
        self._raws = raws
        self._made: dict[str, Structural] = {}

    def __getitem__(self, name: str) -> Structural:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = Structural(self._raws[name])
        return made

    def get(
        self, name: str, default: Any = None
    ) -> Any:  # the mixin's would raise for every name that is not there
        return self[name] if name in self._raws else default

    def __contains__(self, name: object) -> bool:
        return name in self._raws

    def __iter__(self) -> Any:
        return iter(self._raws)

    def __len__(self) -> int:
        return len(self._raws)


class Schema:
    """The schema of one version: packed bytes, until it is needed."""

    def __init__(self, raw: Json) -> None:
        encoded = msgspec.json.encode(raw)
        self._packed = zlib.compress(encoded, level=1)
        self.digest = sha256(encoded).hexdigest()
        self.has_defaults = b'"default":' in encoded
        self.has_rules = b'"x-kubernetes-validations":' in encoded

    @property
    def raw(self) -> Json:
        """The JSONSchemaProps, decoded anew: the caller owns it."""
        decoded: Json = msgspec.json.decode(zlib.decompress(self._packed))
        return decoded

    @cached_property
    def root(self) -> Structural:
        """The schema of the whole object."""
        return Structural(self.raw, resource=True)


def comparable(value: Any) -> bytes:
    """Return the form in which values of an enumeration are compared: 1 and 1.0 are one number."""
    if isinstance(value, float) and value.is_integer():
        return canonical(int(value))
    return canonical(value)


def _types(raw: Json) -> tuple[str, ...]:
    if raw.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    kind = raw.get("type")
    return (kind,) if kind else ()


def _compiled(raw: Any) -> Structural | None:
    return Structural(raw) if isinstance(raw, dict) else None

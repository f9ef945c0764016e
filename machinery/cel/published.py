"""Types from Kubernetes' published definitions, for expressions about objects whose kind is known.

What a definition says of itself again, at any depth, is an object without fields, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from machinery.cel.schema import Schema, type_from_schema
from machinery.cel.types import Type

OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REF: Final = "#/$defs/"
_LOOSE: Final = frozenset(
    {"io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"}
)
_DYNAMIC: Final[Schema] = {"x-kubernetes-int-or-string": True}
_TEXT: Final[Schema] = {"type": "string"}


class PublishedTypes:
    """The types of kinds; only the definitions that are needed are decoded."""

    def __init__(self, document: bytes) -> None:
        self._raw = msgspec.json.decode(document, type=_Document).defs
        self._resolved: dict[str, Schema] = {}

    def of_definition(self, definition: str, name: str) -> Type | None:
        """Return the type of the objects of a kind, which messages call `name`; None where nothing is published."""
        if definition not in self._raw:
            return None
        return type_from_schema(self._definition(definition, ()), root=True, name=name)

    def of_custom(self, schema: Schema, name: str) -> Type | None:
        """Return the type of custom resources that have a structural schema: their metadata is everybody's."""
        properties = {
            **(schema.get("properties") or {}),
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": self._definition(OBJECT_META, ()),
        }
        return type_from_schema({**schema, "type": "object", "properties": properties}, root=True, name=name)

    def _definition(self, name: str, within: tuple[str, ...]) -> Schema:
        if name in _LOOSE:
            return _DYNAMIC
        if name in within or name not in self._raw:
            return {"type": "object"}
        found = self._resolved.get(name)
        if found is None:
            found = self._expanded(msgspec.json.decode(self._raw[name]), (*within, name))
            self._resolved[name] = found
        return found

    def _expanded(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> Schema:
        if reference := schema.get("$ref"):
            return self._definition(str(reference).removeprefix(_REF), within)
        made: dict[str, Any] = dict(schema)
        if isinstance(type_ := schema.get("type"), list):
            made["type"] = next((each for each in type_ if each != "null"), "")
        if properties := schema.get("properties"):
            made["properties"] = {key: self._expanded(each, within) for key, each in properties.items()}
        for key in ("items", "additionalProperties"):
            if isinstance(inner := schema.get(key), Mapping):
                made[key] = self._expanded(inner, within)
        return made


class _Document(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs", default_factory=dict)

"""Kubernetes' published schemas, compiled into shapes that read and merge objects.

The bytes come from `apiserver/schemas.py` (the shell). Only the outer object is parsed at start, 2 to 3 ms for
771 definitions; a definition is parsed when the first object of its kind comes by, and kept. What a shape does
with a value is in `apiserver.core.normalize`; the merge rules feed `apiserver.core.patch.strategic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, Final, TypeAlias

import msgspec

from apiserver.core.emptiness import LEFT_OUT_WHEN_ZERO, kept_when_empty
from apiserver.core.values import Json

_REF: Final = "#/$defs/"
_ANYTHING: Final = frozenset(
    {
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
        "io.k8s.apimachinery.pkg.runtime.RawExtension",
    },
)


class Scalar(Enum):
    """A value without parts. The text is Go's name of it, for messages."""

    STRING = "string"
    INT32 = "int32"
    INT64 = "int64"
    NUMBER = "float64"
    BOOLEAN = "bool"
    QUANTITY = "resource.Quantity"
    INT_OR_STRING = "intstr.IntOrString"
    TIME = "v1.Time"
    MICRO_TIME = "v1.MicroTime"
    BYTES = "[]uint8"
    ANYTHING = "interface {}"

    __hash__ = (
        object.__hash__
    )  # each is there once; Enum hashes the name, in Python, with every value that is read

    @property
    def go_type(self) -> str:
        """Go's name of the type, as Kubernetes' messages have it."""
        return self.value


_NAMED: Final = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Scalar.QUANTITY,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Scalar.INT_OR_STRING,
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": Scalar.TIME,
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": Scalar.MICRO_TIME,
}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, and whether it merges: `merge_key` "" with strategy "merge" is a set of scalars."""

    item: Shape
    strategy: str = ""  # "merge" or ""
    merge_key: str = ""

    @property
    def go_type(self) -> str:
        """Go's name of the type, as Kubernetes' messages have it."""
        return f"[]{self.item.go_type}"


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object whose keys are the user's."""

    item: Shape

    @property
    def go_type(self) -> str:
        """Go's name of the type, as Kubernetes' messages have it."""
        return f"map[string]{self.item.go_type}"


class Struct:
    """An object whose fields are known. It compiles itself when somebody first looks inside."""

    def __init__(self, name: str, raw: msgspec.Raw, schemas: Schemas) -> None:
        self.name = name
        self._raw = raw
        self._schemas = schemas

    @property
    def title(self) -> str:
        """Return the name's last part: DeploymentSpec."""
        return self.name.rpartition(".")[2]

    @property
    def go_type(self) -> str:
        """Go's name of the type, as Kubernetes' messages have it."""
        return ".".join(self.name.split(".")[-2:])

    @cached_property
    def definition(self) -> dict[str, Any]:
        """Return the published definition."""
        decoded: dict[str, Any] = msgspec.json.decode(self._raw)
        return decoded

    @cached_property
    def fields(self) -> dict[str, Shape]:
        """Return every field's shape."""
        properties = self.definition.get("properties") or {}
        return {name: self._schemas.shape(schema) for name, schema in properties.items()}

    @cached_property
    def left_out_when_empty(self) -> frozenset[str]:
        """The fields that are not stored when they are "", [], {}, 0 or false (Go's omitempty)."""
        required = self.definition.get("required") or ()
        kept = kept_when_empty(self.name)
        emptied = {
            name
            for name, shape in self.fields.items()
            if isinstance(shape, ListOf | MapOf) or shape in {Scalar.STRING, Scalar.BYTES}
        }
        return frozenset((emptied - set(required) - kept) | LEFT_OUT_WHEN_ZERO.get(self.title, frozenset()))


Shape: TypeAlias = Scalar | ListOf | MapOf | Struct


class _Document(msgspec.Struct):
    defs: dict[str, msgspec.Raw] = msgspec.field(name="$defs")


class Schemas:
    """All definitions of one Kubernetes version, and those that came with kinds of its own catalogue."""

    def __init__(self, document: bytes, *, base: Schemas | None = None) -> None:
        """Index the definitions of a `_definitions.json` document without reading them."""
        self._raw = msgspec.json.decode(document, type=_Document).defs
        self._added: dict[str, Mapping[str, Json]] = {}  # by name, what has it: read when it is needed
        self._structs: dict[str, Struct] = {}
        self._base = base

    def extensible(self) -> Schemas:
        """Return schemas that may grow, over these, which do not change."""
        return Schemas(b'{"$defs":{}}', base=self)

    def names(self) -> list[str]:
        """Return the name of every definition."""
        return [*(self._base.names() if self._base else ()), *self._raw, *self._added]

    def add(self, definitions: Mapping[str, Json]) -> None:
        """Know more definitions; each is taken from the mapping when it is first needed."""
        self._added.update(dict.fromkeys(definitions, definitions))

    def remove(self, definitions: Iterable[str]) -> None:
        """Forget definitions that were added."""
        for name in definitions:
            self._added.pop(name, None)
            self._structs.pop(name, None)

    def struct(self, name: str) -> Struct:
        """Return a definition by its full name (io.k8s.api.core.v1.Pod).

        Raises:
            KeyError: there is no such definition.
        """
        found = self._structs.get(name)
        if found is not None:
            return found
        if name in self._added:
            raw = msgspec.Raw(msgspec.json.encode(self._added[name][name]))
        elif self._base and name not in self._raw:
            return self._base.struct(name)
        else:
            raw = self._raw[name]
        made = self._structs[name] = Struct(name, raw, self)
        return made

    def shape(self, schema: dict[str, Any]) -> Shape:
        """Compile the schema of one field."""
        if ref := schema.get("$ref"):
            return self._named(ref.removeprefix(_REF))
        return self._plain(schema)

    def _named(self, name: str) -> Shape:
        if name in _NAMED:
            return _NAMED[name]
        struct = self.struct(name)
        if name in _ANYTHING or not ("properties" in struct.definition or "type" in struct.definition):
            return Scalar.ANYTHING
        return struct

    def _plain(self, schema: dict[str, Any]) -> Shape:
        kind = _type_of(schema)
        if kind == "array":
            return self._list(schema)
        if kind == "object" and "additionalProperties" in schema:
            return MapOf(self.shape(schema["additionalProperties"]))
        return _SCALARS.get((kind, schema.get("format", "")), Scalar.ANYTHING)

    def _list(self, schema: dict[str, Any]) -> ListOf:
        merges = "merge" in schema.get("x-kubernetes-patch-strategy", "").split(",")
        return ListOf(
            self.shape(schema["items"]),
            strategy="merge" if merges else "",
            merge_key=schema.get("x-kubernetes-patch-merge-key", ""),
        )


_SCALARS: Final[dict[tuple[str, str], Scalar]] = {
    ("string", ""): Scalar.STRING,
    ("string", "byte"): Scalar.BYTES,
    ("string", "date-time"): Scalar.TIME,
    ("integer", "int32"): Scalar.INT32,
    ("integer", "int64"): Scalar.INT64,
    ("integer", ""): Scalar.INT64,
    ("number", "double"): Scalar.NUMBER,
    ("number", ""): Scalar.NUMBER,
    ("boolean", ""): Scalar.BOOLEAN,
}


def _type_of(schema: dict[str, Any]) -> str:
    """Return the type; the package writes optional ones as ["string", "null"]."""
    found = schema.get("type", "")
    return next((name for name in found if name != "null"), "") if isinstance(found, list) else str(found)

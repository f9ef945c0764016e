"""How values of a type merge: the schema as server-side apply sees it.

    Leaf        has one owner: a scalar, or an atomic list or map (x-kubernetes-list-type, x-kubernetes-map-type: atomic)
    Granular    a struct or a map, each of whose fields has owners of its own
    Items       a list of type map or set, each of whose elements has owners of its own
    DEDUCED     what the schema leaves open: objects are granular, everything else is a leaf

They come from the published definitions (`apiserver.core.schema`), and from those of custom resources, in the same
words. A definition is compiled when somebody first looks inside. Lists that do not say how they merge are atomic,
unless they have a patch strategy, from before there was another word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

from apiserver.core.schema import Schemas, Struct
from apiserver.core.values import Json

_REF: Final = "#/$defs/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_ATOMIC: Final = frozenset(
    {
        "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
        "io.k8s.apimachinery.pkg.runtime.RawExtension",
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    },
)

KEY_DEFAULTS: Final[dict[str, Json]] = {
    "ContainerPort": {"protocol": "TCP"},
    "ServicePort": {"protocol": "TCP"},
}
"""The defaults of fields that are keys of lists: the published definitions leave them out. By the last part of a name."""

ALWAYS_THERE: Final[dict[str, frozenset[str]]] = {
    "ClusterRoleBinding": frozenset({"roleRef"}),
    "Container": frozenset({"resources"}),
    "ContainerStatus": frozenset({"lastState", "state"}),
    "CronJobSpec": frozenset({"jobTemplate"}),
    "DaemonSetSpec": frozenset({"template", "updateStrategy"}),
    "DeploymentSpec": frozenset({"strategy", "template"}),
    "EphemeralContainer": frozenset({"resources"}),
    "Event": frozenset({"involvedObject", "source"}),
    "HorizontalPodAutoscalerSpec": frozenset({"scaleTargetRef"}),
    "IngressStatus": frozenset({"loadBalancer"}),
    "JobSpec": frozenset({"template"}),
    "NetworkPolicySpec": frozenset({"podSelector"}),
    "NodeDaemonEndpoints": frozenset({"kubeletEndpoint"}),
    "NodeStatus": frozenset({"daemonEndpoints", "nodeInfo"}),
    "PersistentVolumeClaimSpec": frozenset({"resources"}),
    "PodSpec": frozenset({"containers"}),
    "ReplicaSetSpec": frozenset({"template"}),
    "RoleBinding": frozenset({"roleRef"}),
    "ServiceStatus": frozenset({"loadBalancer"}),
    "StatefulSetSpec": frozenset({"template", "updateStrategy"}),
}
"""Fields that an object of Kubernetes' Go types always has, if empty: nobody adds or removes them as such.

Beside them are `metadata`, `spec` and `status` of what has metadata. By the last part of a definition's name.
"""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that has one owner."""

    accepts: str = "untyped"  # string, numeric, boolean, list, map, untyped: as messages have it


@dataclass(frozen=True, slots=True)
class Deduced:
    """A value of any form."""


class Granular:
    """A struct or a map. Its fields are compiled when they are first asked for."""

    def __init__(
        self,
        compile_fields: Callable[[], dict[str, Topology]] = dict,
        *,
        rest: Topology | None = None,
        always: frozenset[str] = frozenset(),
    ) -> None:
        self._compile = compile_fields
        self.rest = rest  # the type of fields that are not named; None: there may be none
        self.always = always  # the named fields that are there even if nobody says so

    @cached_property
    def fields(self) -> dict[str, Topology]:
        """Return the named fields."""
        return self._compile()

    @cached_property
    def is_open(self) -> bool:
        """Whether a value of no declared type can be somewhere below."""
        return _is_open(self, set())


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list whose elements are known by keys, or where there are none by their value."""

    item: Topology
    keys: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of keys that an element may leave out


Topology: TypeAlias = Leaf | Deduced | Granular | Items

DEDUCED: Final = Deduced()
OPEN_MAP: Final = Granular(rest=DEDUCED)
_SCALARS: Final = {
    "string": Leaf("string"),
    "integer": Leaf("numeric"),
    "number": Leaf("numeric"),
    "boolean": Leaf("boolean"),
}
_UNTYPED: Final = Leaf()
_ATOMIC_LIST: Final = Leaf("list")
_ATOMIC_MAP: Final = Leaf("map")


def _is_open(topology: Topology, seen: set[int]) -> bool:
    if isinstance(topology, Deduced):
        return True
    if isinstance(topology, Items):
        return _is_open(topology.item, seen)
    if isinstance(topology, Leaf) or id(topology) in seen:
        return False
    seen.add(id(topology))
    rest = topology.rest
    return (rest is not None and _is_open(rest, seen)) or any(
        _is_open(each, seen) for each in topology.fields.values()
    )


class Topologies:
    """The topologies of all definitions, each compiled once."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._made: dict[str, tuple[Struct, Topology]] = {}

    def root(self, definition: str) -> Granular:
        """Return the topology of an object, by its definition's full name (io.k8s.api.apps.v1.Deployment).

        Raises:
            KeyError: there is no such definition.
        """
        found = self._named(definition)
        return found if isinstance(found, Granular) else OPEN_MAP

    def _named(self, name: str) -> Topology:
        struct = self._schemas.struct(name)
        made = self._made.get(name)
        if made is None or made[0] is not struct:
            made = self._made[name] = (struct, self._struct(struct))
        return made[1]

    def _struct(self, struct: Struct) -> Topology:
        return _UNTYPED if struct.name in _ATOMIC else self._plain(struct.definition, _always(struct))

    def _compile(self, schema: Json) -> Topology:
        reference = schema.get("$ref") or next((each.get("$ref") for each in schema.get("allOf") or ()), None)
        if reference is None:
            return self._plain(schema)
        if schema.get("x-kubernetes-map-type") == "atomic":
            return _ATOMIC_MAP
        return self._named(str(reference).removeprefix(_REF))

    def _plain(self, schema: Json, always: frozenset[str] = frozenset()) -> Topology:
        if schema.get("x-kubernetes-int-or-string"):
            return _UNTYPED
        kind = _type_of(schema)
        if kind == "array":
            return self._list(schema)
        if kind in _SCALARS:
            return _SCALARS[kind]
        if "oneOf" in schema:  # a string or a number
            return _UNTYPED
        return self._object(schema, always) if kind == "object" or "properties" in schema else DEDUCED

    def _object(self, schema: Json, always: frozenset[str]) -> Topology:
        if schema.get("x-kubernetes-map-type") == "atomic":
            return _ATOMIC_MAP
        more = schema.get("additionalProperties")
        properties = self._properties(schema)
        rest: Topology | None = None
        if isinstance(more, dict):
            rest = self._compile(more) if more else DEDUCED
        elif more or schema.get("x-kubernetes-preserve-unknown-fields") or not properties:
            rest = DEDUCED
        return Granular(
            lambda: {name: self._compile(each) for name, each in properties.items()}, rest=rest, always=always
        )

    @staticmethod
    def _properties(schema: Json) -> Json:
        properties: Json = schema.get("properties") or {}
        if not schema.get("x-kubernetes-embedded-resource"):
            return properties
        known = {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": _REF + _META},
        }
        return {**properties, **known}

    def _list(self, schema: Json) -> Topology:
        items = schema.get("items") or {}
        keys = _merge_keys(schema)
        if keys is None:
            return _ATOMIC_LIST
        return Items(self._compile(items), keys, self._key_defaults(items, keys))

    def _key_defaults(self, items: Json, keys: tuple[str, ...]) -> Json:
        name = str(items.get("$ref", "")).removeprefix(_REF)
        definition = self._schemas.struct(name).definition if name else items
        properties = definition.get("properties") or {}
        said = {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
        known = KEY_DEFAULTS.get(name.rpartition(".")[2], {}) if name.startswith("io.k8s.") else {}
        return {**{key: each for key, each in known.items() if key in keys}, **said}


def _merge_keys(schema: Json) -> tuple[str, ...] | None:
    """Return the keys of a list's elements, in order; () of a set, None where the list is atomic."""
    match schema.get("x-kubernetes-list-type"):
        case "map":
            return tuple(sorted(schema.get("x-kubernetes-list-map-keys") or ())) or None
        case "set":
            return ()
        case None if "merge" in schema.get("x-kubernetes-patch-strategy", "").split(","):
            key = schema.get("x-kubernetes-patch-merge-key")
            return (key,) if key else ()
    return None


def _always(struct: Struct) -> frozenset[str]:
    """Return the fields of a published definition that its objects always have."""
    if not struct.name.startswith("io.k8s."):
        return frozenset()
    known = ALWAYS_THERE.get(struct.title, frozenset())
    properties = struct.definition.get("properties") or {}
    has_metadata = (properties.get("metadata") or {}).get("$ref") == _REF + _META
    return known | (frozenset({"metadata", "spec", "status"}) if has_metadata else frozenset())


def _type_of(schema: Json) -> str:
    """Return the type; the package writes optional ones as ["string", "null"]."""
    found = schema.get("type", "")
    return next((name for name in found if name != "null"), "") if isinstance(found, list) else str(found)

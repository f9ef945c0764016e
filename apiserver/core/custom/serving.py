"""A definition as entries of the catalogue: one `Kind` for each version that is served, the stored one first.

    definition → custom_kinds → Catalogue.add for each
    a client's JSON → CustomSchema.read → prepare and validate (`Rules`) → stored
    stored bytes → CustomSchema.restore (what the schema has come to since) → answered

What costs much is made when it is first used: 500 idle definitions are 500 small objects and their schemas' packed bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from apiserver.core import deletion
from apiserver.core.custom import expressions, jsonpath, structural
from apiserver.core.custom.columns import table_of
from apiserver.core.custom.defaulting import drop_nulls, fill_defaults
from apiserver.core.custom.embedded import ReadMetadata, check_embedded
from apiserver.core.custom.lists import check_lists
from apiserver.core.custom.problems import NOWHERE, UNCHECKED, blocks_rules
from apiserver.core.custom.pruning import prune, unknown_fields
from apiserver.core.custom.publishing import definition_name, published_schema
from apiserver.core.custom.selectable import fields_of
from apiserver.core.custom.structural import META_FIELDS, Schema
from apiserver.core.custom.values import MISSING, check_value
from apiserver.core.kind import Kind, make_kind
from apiserver.core.rules import (
    Prepare,
    Rules,
    ScaleMapping,
    Validate,
    WriteContext,
    same_schema,
    with_old_status,
    without_status,
)
from apiserver.core.strictness import MOST
from apiserver.core.values import Json, kept, metadata, spec
from machinery.model.errors import Cause
from machinery.model.kinds import EVERY_VERB, STATUS_VERBS, KindNames, Subresource

_NOT_CREATED: Final = "create not allowed while custom resource definition is terminating"
_RULES_WEIGHT: Final = 1_000_000  # a spent budget is some seconds
_OF_THE_COLLECTOR: Final = frozenset({deletion.ORPHAN, deletion.FOREGROUND})
_SCALE: Final = "io.k8s.api.autoscaling.v1.Scale"


class Converter(Protocol):
    """Converts the objects of a definition whose versions differ in more than their name."""

    def convert(self, obj: Json, api_version: str) -> Json:
        """Return an object in another version. Raise `ConversionNeeded` where that has to be asked for first."""
        ...

    async def convert_all(self, objs: Sequence[Json], api_version: str) -> list[Json]:
        """Return objects in another version, in their order."""
        ...


def _no_converter(_definition: Json) -> None:
    """Know of versions only that differ in their name."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What custom resources need of others."""

    read_metadata: ReadMetadata
    compile_rule: expressions.CompileRule | None = None  # None: definitions with rules have been refused
    converter_of: Callable[[Json], Converter | None] = _no_converter


class CustomSchema:
    """What one version does with objects."""

    def __init__(self, raw: Json | None, seams: Seams, *, preserves: bool = False) -> None:
        root: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        self.schema = Schema(raw or root)
        self._preserves = preserves or not raw  # nothing is pruned
        self._seams = seams

    def read(self, raw: Json) -> tuple[Json, tuple[str, ...]]:
        """Bring a client's object into the form that is stored, except for its metadata; and name unknown fields.

        The object is a new one as far as the schema reaches.
        """
        unknown = () if self._preserves else tuple(_first(unknown_fields(raw, self.schema.root), MOST))
        return self.restore(raw), tuple(f'unknown field "{each}"' for each in unknown)

    def restore(self, obj: Json) -> Json:
        """Bring a stored object, or one of another version, into the form of this schema: another object.

        The schema may have changed since it was written.
        """
        return self.complete({**obj} if self._preserves else prune(obj, self.schema.root))

    def complete(self, obj: Json) -> Json:
        """Fill in defaults, in place."""
        drop_nulls(obj, self.schema.root)
        if self.schema.has_defaults:
            fill_defaults(obj, self.schema.root)
        return obj

    def check(self, obj: Json, old: Json | None = None) -> list[Cause]:
        """Find what is wrong with an object; what has not changed since `old` is not checked again."""
        try:
            return self._check(obj, old)
        except (
            RecursionError
        ):  # deep in a part that the schema leaves free: the schema itself is not that deep
            return [Cause(NOWHERE, 'Invalid value: "": it is nested too deeply')]

    def _check(self, obj: Json, old: Json | None) -> list[Cause]:
        root = self.schema.root
        before: Any = MISSING if old is None else _content(old)
        content = _content(obj)
        found = check_value(content, _without_metadata(root), "", before)
        found += check_embedded(content, root, self._seams.read_metadata)
        if old is None or not check_lists(before, root):
            found += check_lists(content, root)
        if self.schema.has_rules and self._seams.compile_rule is not None:
            if blocks_rules(found):
                return [*found, UNCHECKED]
            found += expressions.check_rules(
                obj, root, self._seams.compile_rule, MISSING if old is None else old
            )
        return found


def _content(obj: Json) -> Json:
    return {name: value for name, value in obj.items() if name not in META_FIELDS}


def _without_metadata(root: structural.Structural) -> structural.Structural:
    """Return the root without what it says of apiVersion, kind and metadata, which others check."""
    required = [name for name in root.required if name not in META_FIELDS]
    if len(required) == len(root.required):
        return root
    return structural.Structural({**root.raw, "required": required}, resource=True)


def _first(found: Iterator[str], most: int) -> Iterator[str]:
    for each, _ in zip(found, range(most), strict=False):
        yield each


class _Definitions(Mapping[str, Json]):
    """The published definition of one version, made when somebody asks for it."""

    def __init__(self, name: str, make: Callable[[], Json]) -> None:
        self._name = name
        self._make = make

    def __getitem__(self, name: str) -> Json:
        if name != self._name:
            raise KeyError(name)
        return self._make()

    def __iter__(self) -> Iterator[str]:
        yield self._name

    def __len__(self) -> int:
        return 1

    def __contains__(self, name: object) -> bool:
        return name == self._name


def custom_kinds(definition: Json, seams: Seams) -> tuple[Kind, ...]:
    """Return the kinds that a definition serves, the version that is stored first.

    A stored version that is not served has no verbs: it stands there for the others. Names are the accepted ones.
    """
    wanted = spec(definition)
    versions = sorted(wanted.get("versions") or (), key=lambda each: not each.get("storage"))
    made: list[Kind] = []
    converter = seams.converter_of(definition)
    for version in versions:
        if version.get("served") or version.get("storage"):
            made.append(_kind(definition, version, seams, converter, made[0] if made else None))
    return tuple(made) if any(kind.verbs for kind in made) else ()


def _kind(
    definition: Json, version: Json, seams: Seams, converter: Converter | None, stored: Kind | None
) -> Kind:
    wanted = spec(definition)
    group, name = wanted["group"], version["name"]
    names = (definition.get("status") or {}).get("acceptedNames") or wanted["names"]
    raw = (version.get("schema") or {}).get("openAPIV3Schema")
    custom = CustomSchema(raw, seams, preserves=bool(wanted.get("preserveUnknownFields")))
    called = definition_name(group, name, names["kind"])
    schema = custom.schema if raw else None
    made = KindNames(
        group, name, names["kind"], names["plural"], names.get("singular") or names["kind"].lower(), called,
        namespaced=wanted.get("scope") == "Namespaced",
        verbs=EVERY_VERB if version.get("served") else (),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=_subresources(version, group, name, names["kind"], called),
    )  # fmt: skip

    def publish(*, v2: bool) -> _Definitions:
        return _Definitions(
            called,
            lambda: published_schema(schema.raw if schema else None, group, name, names["kind"], v2=v2),
        )

    return make_kind(
        made,
        _rules(
            version,
            custom,
            converter,
            namespaced=made.namespaced,
            refuses_new=_NOT_CREATED if is_terminating(definition) else "",
        ),
        stored=stored,
        storage_prefix=f"/registry/{group}/{names['plural']}",
        definitions=publish(v2=False),
        definitions_v2=publish(v2=True),
        schema_hash=custom.schema.digest if raw else "",
        warning=_deprecation(version, f"{group}/{name} {names['kind']}"),
    )


def _deprecation(version: Json, called: str) -> str:
    """Return what users of a version are warned of."""
    if not version.get("deprecated"):
        return ""
    return str(version.get("deprecationWarning") or f"{called} is deprecated")


def _subresources(version: Json, group: str, name: str, kind: str, called: str) -> dict[str, Subresource]:
    given = version.get("subresources") or {}
    found = {}
    if given.get("status") is not None:
        found["status"] = Subresource(kind, group, name, STATUS_VERBS, called)
    if given.get("scale") is not None:
        found["scale"] = Subresource("Scale", "autoscaling", "v1", STATUS_VERBS, _SCALE)
    return found


def _rules(
    version: Json, custom: CustomSchema, converter: Converter | None, *, namespaced: bool, refuses_new: str
) -> Rules:
    subresources = version.get("subresources") or {}
    has_status, scale = subresources.get("status") is not None, subresources.get("scale")

    to_version = converter.convert if converter is not None else same_schema

    def convert(obj: Json, api_version: str) -> Json:
        return custom.restore(to_version(obj, api_version))

    return Rules(
        read=custom.read,
        any_finalizer=True,
        weight=_RULES_WEIGHT if custom.schema.has_rules else 0,
        warnings=finalizer_warnings,
        refuses_new=refuses_new,
        prepare=_with_status(custom) if has_status else Prepare(),
        reset=_RESET if has_status else {},
        validate=Validate(create=custom.check, update=custom.check, status=custom.check),
        counts_generation=True,
        is_next_generation=_all_but_metadata_changed,
        unconditional_update=False,
        scale=scale_mapping(scale) if scale is not None else None,
        complete=custom.restore,
        convert=convert,
        convert_all=converter.convert_all if converter is not None else None,
        fields=fields_of(version.get("selectableFields") or [], namespaced=namespaced),
        unknown_field="field label not supported: {label}",
        table=table_of(version.get("additionalPrinterColumns") or []),
    )


def finalizer_warnings(obj: Json, old: Json | None) -> tuple[str, ...]:
    """Return what to warn of: finalizers that are new, and that might be those of somebody else, too."""
    known = set(metadata(old or {}).get("finalizers") or ())
    told = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"
    return tuple(
        f'metadata.finalizers: "{name}": {told}'
        for name in sorted(set(metadata(obj).get("finalizers") or ()) - known)
        if "/" not in name and name not in _OF_THE_COLLECTOR
    )


def _with_status(custom: CustomSchema) -> Prepare:
    """Return what keeps the status apart: of a new object, what the client says of it goes, what the schema says stays."""

    def create(new: Json, context: WriteContext) -> Json:
        found = without_status(new, context)
        return custom.complete(found) if custom.schema.has_defaults else found

    return Prepare(create=create, update=_with_old_status, status=_status_alone)


def _with_old_status(new: Json, old: Json, context: WriteContext) -> Json:
    return with_old_status(new, old, context)


def _status_alone(new: Json, old: Json, _context: WriteContext) -> Json:
    """Combine the status of `new` with all else of `old`, its metadata included, except for the owners of fields."""
    meta = {name: item for name, item in metadata(old).items() if name != "managedFields"}
    if owners := metadata(new).get("managedFields"):
        meta["managedFields"] = owners
    return {**kept(new, old, *(name for name in {*new, *old} if name != "status")), "metadata": meta}


_RESET: Final[dict[str, Json]] = {"": {"f:status": {}}, "status": {"f:metadata": {}, "f:spec": {}}}


def _all_but_metadata_changed(new: Json, old: Json) -> bool:
    apart = {"metadata": None}
    return {**new, **apart} != {**old, **apart}


def scale_mapping(scale: Json) -> ScaleMapping:
    """Return where the numbers of a Scale lie, by the paths of a definition."""
    wanted, current = scale["specReplicasPath"], scale["statusReplicasPath"]
    selector = scale.get("labelSelectorPath") or ""
    return ScaleMapping(
        replicas=lambda obj: _whole(_at(obj, wanted)),
        current_replicas=lambda obj: _whole(_at(obj, current)),
        selector=lambda obj: str(_at(obj, selector) or "") if selector else "",
        scaled=lambda obj, replicas: _with(obj, wanted.split(".")[1:], replicas),
        path=tuple(f"f:{name}" for name in wanted.split(".")[1:]),
    )


def _at(obj: Json, path: str) -> Any:
    found = jsonpath.find(jsonpath.compile_path(path), obj)
    return found[0] if found else None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _with(obj: Any, names: list[str], value: Any) -> Any:
    """Return an object with one field set; what is on the way is copied, the rest shared."""
    if not names:
        return value
    inner = obj.get(names[0]) if isinstance(obj, dict) else None
    return {**(obj if isinstance(obj, dict) else {}), names[0]: _with(inner, names[1:], value)}


def is_terminating(definition: Json) -> bool:
    """Whether a definition is being deleted: new objects of its kind are refused."""
    return bool(metadata(definition).get("deletionTimestamp"))

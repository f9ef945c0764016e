"""Every operation that a group's version serves, as plain values that both OpenAPI versions are written from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from apiserver.core.kind import Kind
from machinery.model.kinds import KindNames, Subresource

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
STATUS: Final = f"{_META}.Status"
_DELETE_OPTIONS: Final = f"{_META}.DeleteOptions"
_PATCH: Final = f"{_META}.Patch"
JSON_TYPES: Final = ("application/json", "application/yaml")
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_WATCH: Final = ";stream=watch"
PATCH_TYPES: Final = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)

_PRETTY: Final = ("pretty", "string", "If 'true', the answer is indented.")
_DRY_RUN: Final = ("dryRun", "string", "With 'All' everything is done but the storing.")
_MANAGER: Final = ("fieldManager", "string", "The name of who makes this change.")
_VALIDATION: Final = (
    "fieldValidation",
    "string",
    "What happens to unknown and repeated fields: Ignore, Warn (the default) or Strict.",
)
_SELECTION: Final = (
    ("continue", "string", "The token that the page before this one ended with."),
    ("fieldSelector", "string", "Select objects by their fields."),
    ("labelSelector", "string", "Select objects by their labels."),
    ("limit", "integer", "The most objects that a page has."),
    ("resourceVersion", "string", "How fresh the answer has to be."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    ("timeoutSeconds", "integer", "How long a watch lasts, at most."),
)
_WATCHING: Final = (
    ("allowWatchBookmarks", "boolean", "Send events of type BOOKMARK."),
    ("sendInitialEvents", "boolean", "Begin a watch with the objects that are there."),
    ("watch", "boolean", "Watch for changes instead of listing."),
)
_DELETION: Final = (
    _DRY_RUN,
    ("gracePeriodSeconds", "integer", "How long the object may take to end; 0 means at once."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
_WRITING: Final = (_DRY_RUN, _MANAGER, _VALIDATION)
_FORCE: Final = ("force", "boolean", "Take over fields that others own (apply patches only).")
Parameter = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    path: str
    method: str  # get, put, post, patch, delete
    action: str  # x-kubernetes-action
    operation_id: str
    description: str
    kind: tuple[str, str, str]  # group, version, kind of what is read or written
    parameters: tuple[Parameter, ...] = (_PRETTY,)  # in the query
    in_path: tuple[str, ...] = ()
    body: str = ""  # a definition
    consumes: tuple[str, ...] = JSON_TYPES
    answer: str = ""  # a definition; "" for a text
    produces: tuple[str, ...] = JSON_TYPES
    created: bool = False  # answers 201 as well


def operations(resources: Iterable[KindNames]) -> list[Operation]:
    """List what resources serve."""
    return [each for resource in resources for each in _of(resource)]


def definitions(resources: Iterable[KindNames]) -> set[str]:
    """Return the names of the definitions that the operations of resources speak of."""
    spoken = operations(resources)
    return {name for each in spoken for name in (each.body, each.answer) if name} | {STATUS}


def _produced(resource: KindNames) -> tuple[str, ...]:
    """Return in which media types objects are answered; only Kubernetes' own kinds have protobuf messages."""
    return (*JSON_TYPES, PROTOBUF) if resource.definition.startswith("io.k8s.") else JSON_TYPES


@dataclass(frozen=True, slots=True)
class _Place:
    """A resource, and the words for it in paths and operation ids."""

    resource: KindNames

    @property
    def root(self) -> str:
        each = self.resource
        return f"/apis/{each.group}/{each.version}" if each.group else f"/api/{each.version}"

    @property
    def collection(self) -> str:
        scope = "/namespaces/{namespace}" if self.resource.namespaced else ""
        return f"{self.root}{scope}/{self.resource.plural}"

    @property
    def in_collection(self) -> tuple[str, ...]:
        return ("namespace",) if self.resource.namespaced else ()

    def named(self, verb: str, tail: str = "") -> str:
        each = self.resource
        group = (each.group or "core").removesuffix(".k8s.io").split(".")
        title = "".join(part.title() for part in group) + each.version.title()
        scope = "Namespaced" if each.namespaced else ""
        return f"{verb}{title}{scope}{each.kind}{tail}"

    @property
    def gvk(self) -> tuple[str, str, str]:
        return self.resource.group, self.resource.version, self.resource.kind


def _of(resource: KindNames) -> Iterator[Operation]:
    place = _Place(resource)
    yield from _collection(place, resource)
    yield from _object(place, resource)
    for name, sub in sorted(resource.subresources.items()):
        yield from _subresource(place, resource, name, sub)


def _collection(place: _Place, kind: KindNames) -> Iterator[Operation]:
    if "list" in kind.verbs:
        yield _list(place, kind, place.collection, place.named("list"), place.in_collection)
        if kind.namespaced:
            everywhere = f"{place.named('list').replace('Namespaced', '', 1)}ForAllNamespaces"
            yield _list(place, kind, f"{place.root}/{kind.plural}", everywhere, ())
    if "create" in kind.verbs:
        yield _create(place, kind.definition)
    if "deletecollection" in kind.verbs:
        yield Operation(
            path=place.collection,
            method="delete",
            action="deletecollection",
            operation_id=place.named("delete").replace("delete", "deleteCollection", 1),
            description=f"delete a collection of {kind.kind}",
            kind=place.gvk,
            parameters=(_PRETTY, *_SELECTION, *_DELETION),
            in_path=place.in_collection,
            body=_DELETE_OPTIONS,
            answer=STATUS,
            produces=_produced(kind),
        )


def _list(
    place: _Place, kind: KindNames, path: str, operation_id: str, in_path: tuple[str, ...]
) -> Operation:
    produced = _produced(kind)
    return Operation(
        path=path,
        method="get",
        action="list",
        operation_id=operation_id,
        description=f"list or watch objects of kind {kind.kind}",
        kind=place.gvk,
        parameters=(_PRETTY, *_SELECTION, *_WATCHING),
        in_path=in_path,
        answer=f"{kind.definition}List",
        produces=(*produced, *(each + _WATCH for each in produced if each != "application/yaml")),
    )


def _create(place: _Place, definition: str) -> Operation:
    return Operation(
        path=place.collection,
        method="post",
        action="post",
        operation_id=place.named("create"),
        description=f"create a {place.resource.kind}",
        kind=place.gvk,
        parameters=(_PRETTY, *_WRITING),
        in_path=place.in_collection,
        body=definition,
        answer=definition,
        produces=_produced(place.resource),
        created=True,
    )


def _object(place: _Place, kind: KindNames) -> Iterator[Operation]:
    path = f"{place.collection}/{{name}}"
    for verb in ("get", "update", "patch", "delete"):
        if verb in kind.verbs:
            deleted = STATUS if verb == "delete" else kind.definition
            yield _one(place, path, verb, kind.kind, deleted, kind.definition, place.gvk, "")


def _subresource(place: _Place, kind: KindNames, name: str, sub: Subresource) -> Iterator[Operation]:
    path = f"{place.collection}/{{name}}/{name}"
    gvk = (sub.group, sub.version, sub.kind)
    what = f"{name} of the specified {kind.kind}"
    for verb in sub.verbs:
        yield _one(
            place,
            path,
            verb,
            what,
            "" if name == "log" else sub.definition,
            sub.definition,
            gvk,
            name.title(),
        )


_METHODS: Final = {
    "get": ("get", "get", "read", (_PRETTY,)),
    "create": ("post", "post", "create", (_PRETTY, *_WRITING)),
    "update": ("put", "put", "replace", (_PRETTY, *_WRITING)),
    "patch": ("patch", "patch", "patch", (_PRETTY, *_WRITING, _FORCE)),
    "delete": ("delete", "delete", "delete", (_PRETTY, *_DELETION)),
}


def _patches(place: _Place) -> tuple[str, ...]:
    """Return the types of patches that a resource takes: strategic ones need a published schema."""
    own = isinstance(place.resource, Kind) and place.resource.rules.read is not None
    return tuple(each for each in PATCH_TYPES if not own or "strategic" not in each)


def _one(
    place: _Place,
    path: str,
    verb: str,
    what: str,
    answer: str,
    definition: str,
    gvk: tuple[str, str, str],
    tail: str,
) -> Operation:
    method, action, word, parameters = _METHODS[verb]
    bodies = {"patch": _PATCH, "delete": _DELETE_OPTIONS, "get": ""}
    return Operation(
        path=path,
        method=method,
        action=action,
        operation_id=place.named(word, tail),
        description=f"{word} {what}",
        kind=gvk,
        parameters=parameters,
        in_path=(*place.in_collection, "name"),
        body=bodies.get(verb, definition),
        consumes=_patches(place) if verb == "patch" else JSON_TYPES,
        answer=answer,
        produces=_produced(place.resource),
        created=verb in {"create", "update", "patch"},
    )

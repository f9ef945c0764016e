"""Every operation that a group's version serves, as plain values that both OpenAPI versions are written from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from apiserver.core.kind import ComputedKind, Kind
from machinery.model.kinds import KindNames, Subresource

META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
STATUS: Final = f"{META}.Status"
_DELETE_OPTIONS: Final = f"{META}.DeleteOptions"
_PATCH: Final = f"{META}.Patch"
JSON_TYPES: Final = ("application/json", "application/yaml")
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_WATCH: Final = ";stream=watch"
PATCH_TYPES: Final = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)

_NO_WORD: Final = re.compile(r"[^A-Za-z0-9]+")
_EVENT: Final = f"{META}.WatchEvent"
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
_INITIAL: Final = ("sendInitialEvents", "boolean", "Begin a watch with the objects that are there.")
_WATCHING: Final = (
    ("allowWatchBookmarks", "boolean", "Send events of type BOOKMARK."),
    _INITIAL,
    ("watch", "boolean", "Watch for changes instead of listing."),
)
_DELETION: Final = (
    _DRY_RUN,
    ("gracePeriodSeconds", "integer", "How long the object may take to end; 0 means at once."),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
        "Delete what cannot be read; refused where it can be.",
    ),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
_WRITING: Final = (_DRY_RUN, _MANAGER, _VALIDATION)
_FORCE: Final = ("force", "boolean", "Take over fields that others own (apply patches only).")
_STREAMS: Final = (
    ("container", "string", "The container; where the pod has one, that one."),
    ("stderr", "boolean", "Forward what it writes to its standard error."),
    ("stdin", "boolean", "Forward what the client sends to its standard input."),
    ("stdout", "boolean", "Forward what it writes to its standard output."),
    ("tty", "boolean", "Use a terminal."),
)
_CONNECTION: Final = {
    "PodAttachOptions": _STREAMS,
    "PodExecOptions": (("command", "string", "The command and its arguments, one each."), *_STREAMS),
    "PodPortForwardOptions": (("ports", "integer", "The ports that are forwarded, over a WebSocket."),),
}
_PROXY: Final = (("path", "string", "The path that is asked for behind the proxy."),)
_LOG: Final = (
    ("container", "string", "The container; where the pod has one, that one."),
    ("follow", "boolean", "Send what is logged from now on, too."),
    ("insecureSkipTLSVerifyBackend", "boolean", "Do not verify the certificate of the kubelet."),
    ("limitBytes", "integer", "The most bytes that are sent."),
    _PRETTY,
    ("previous", "boolean", "The log of the container before this one."),
    ("sinceSeconds", "integer", "How old what is sent may be."),
    ("stream", "string", "All, Stdout or Stderr."),
    ("tailLines", "integer", "How many lines from the end are sent."),
    ("timestamps", "boolean", "Begin each line with its time."),
)
Parameter = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    path: str
    method: str  # get, put, post, patch, delete, options, head
    action: str  # x-kubernetes-action
    operation_id: str
    description: str
    kind: (
        tuple[str, str, str] | None
    )  # group, version, kind of what is read or written; None: it is no resource
    tag: str  # under which clients put it: "apps_v1"
    parameters: tuple[Parameter, ...] = (_PRETTY,)  # in the query
    in_path: tuple[str, ...] = ()
    body: str = ""  # a definition
    consumes: tuple[str, ...] = JSON_TYPES
    answer: str = ""  # a definition; "" for a text
    produces: tuple[str, ...] = JSON_TYPES
    created: bool = False  # answers 201 as well
    accepted: bool = False  # answers 202 as well


def operations(resources: Iterable[KindNames]) -> list[Operation]:
    """List what resources serve."""
    return [each for resource in resources for each in _of(resource)]


def definitions(spoken: Iterable[Operation]) -> set[str]:
    """Return the names of the definitions that operations speak of."""
    return {name for each in spoken for name in (each.body, each.answer) if name} | {STATUS}


def _produced(resource: KindNames) -> tuple[str, ...]:
    """Return in which media types objects are answered; only Kubernetes' own kinds have protobuf messages."""
    return (*JSON_TYPES, PROTOBUF) if is_published(resource) else JSON_TYPES


def is_published(resource: KindNames) -> bool:
    """Whether a kind is one of Kubernetes' own, with a published schema."""
    return resource.definition.startswith("io.k8s.") and not isinstance(resource, ComputedKind)


def titled(group: str, version: str = "") -> str:
    """Return a group, or a version of it, as operation ids have it: RbacAuthorizationV1."""
    words = _NO_WORD.split((group or "core").removesuffix(".k8s.io"))
    return "".join(word[:1].upper() + word[1:] for word in (*words, version))


def tag_of(group: str, version: str = "") -> str:
    """Return the tag of a group, or of a version of it: rbacAuthorization_v1."""
    title = titled(group)
    return f"{title[:1].lower()}{title[1:]}{version and f'_{version}'}"


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

    def named(self, verb: str, tail: str = "", *, within: str = "") -> str:
        each = self.resource
        scope = "Namespaced" if each.namespaced else ""
        return f"{verb}{titled(each.group, each.version)}{within}{scope}{each.kind}{tail}"

    @property
    def tag(self) -> str:
        return tag_of(self.resource.group, self.resource.version)

    @property
    def gvk(self) -> tuple[str, str, str]:
        return self.resource.group, self.resource.version, self.resource.kind


def _of(resource: KindNames) -> Iterator[Operation]:
    place = _Place(resource)
    yield from _collection(place, resource)
    yield from _object(place, resource)
    if "watch" in resource.verbs and is_published(resource):
        yield from _watches(place, resource)
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
            operation_id=place.named("delete", within="Collection"),
            description=f"delete a collection of {kind.kind}",
            kind=place.gvk,
            tag=place.tag,
            parameters=(_PRETTY, *_SELECTION, _INITIAL, *_DELETION),
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
        tag=place.tag,
        parameters=(_PRETTY, *_SELECTION, *_WATCHING),
        in_path=in_path,
        answer=f"{kind.definition}List",
        produces=(*produced, *(each + _WATCH for each in produced if each != "application/yaml")),
    )


def _watches(place: _Place, kind: KindNames) -> Iterator[Operation]:
    """List the older form of watches, at paths of their own."""
    root = f"{place.root}/watch"
    collection = place.collection.replace(place.root, root, 1)
    lists = [(collection, place.named("watch", "List"), place.in_collection)]
    if kind.namespaced:
        everywhere = f"{place.named('watch').replace('Namespaced', '', 1)}ListForAllNamespaces"
        lists.append((f"{root}/{kind.plural}", everywhere, ()))
    for path, operation_id, in_path in lists:
        yield _watch(place, path, "watchlist", operation_id, in_path)
    one = (*place.in_collection, "name")
    yield _watch(place, f"{collection}/{{name}}", "watch", place.named("watch"), one)


def _watch(place: _Place, path: str, action: str, operation_id: str, in_path: tuple[str, ...]) -> Operation:
    produced = _produced(place.resource)
    return Operation(
        path=path,
        method="get",
        action=action,
        operation_id=operation_id,
        description=f"watch changes of {place.resource.kind}; deprecated: use the parameter watch of a list",
        kind=place.gvk,
        tag=place.tag,
        parameters=(_PRETTY, *_SELECTION, *_WATCHING),
        in_path=in_path,
        answer=_EVENT,
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
        tag=place.tag,
        parameters=(_PRETTY, *_WRITING),
        in_path=place.in_collection,
        body=definition,
        answer=definition,
        produces=_produced(place.resource),
        created=True,
        accepted=True,
    )


def _object(place: _Place, kind: KindNames) -> Iterator[Operation]:
    path = f"{place.collection}/{{name}}"
    for verb in ("get", "update", "patch", "delete"):
        if verb in kind.verbs:
            deleted = _deleted(kind) if verb == "delete" else kind.definition
            yield _one(place, path, verb, kind.kind, deleted, kind.definition, place.gvk, "")


def _deleted(kind: KindNames) -> str:
    """Return what a delete answers with: the object that is gone, of some kinds, else how it went."""
    returns_object = isinstance(kind, Kind) and kind.rules.deletion_returns_object
    return kind.definition if returns_object else STATUS


def _subresource(place: _Place, kind: KindNames, name: str, sub: Subresource) -> Iterator[Operation]:
    if sub.kind.endswith("Options"):
        yield from _connections(place, name, sub)
        return
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


def _connections(place: _Place, name: str, sub: Subresource) -> Iterator[Operation]:
    """List the operations of a subresource by which a client comes to a container, a pod, a service or a node."""
    path, passes_paths = f"{place.collection}/{{name}}/{name}", sub.kind.endswith("ProxyOptions")
    tails = (
        ((path, "", ()), (f"{path}/{{path}}", "WithPath", ("path",))) if passes_paths else ((path, "", ()),)
    )
    for verb in sub.verbs:
        for method in _CONNECTING[verb] if passes_paths else _CONNECTING[verb][:1]:
            for at, tail, more in tails:
                yield Operation(
                    path=at,
                    method=method,
                    action="connect",
                    operation_id=place.named("connect", f"{name.title()}{tail}", within=method.title()),
                    description=f"connect {method.upper()} requests to {name} of {place.resource.kind}",
                    kind=(sub.group, sub.version, sub.kind),
                    tag=place.tag,
                    parameters=_CONNECTION.get(sub.kind, _PROXY),
                    in_path=(*place.in_collection, "name", *more),
                    produces=("*/*",),
                )


_CONNECTING: Final = {
    "get": ("get", "head", "options"),
    "create": ("post",),
    "update": ("put",),
    "patch": ("patch",),
    "delete": ("delete",),
}
"""The methods that a verb of discovery stands for; all of them where whole requests are passed on."""

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
        tag=place.tag,
        parameters=_LOG if tail == "Log" else parameters,
        in_path=(*place.in_collection, "name"),
        body=bodies.get(verb, definition),
        consumes=_patches(place) if verb == "patch" else JSON_TYPES,
        answer=answer,
        produces=_produced(place.resource),
        created=verb in {"create", "update", "patch"},
        accepted=verb in {"create", "delete"},
    )

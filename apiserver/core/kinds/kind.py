"""What the one write path has to know of a kind: its names, its place, and its rules as plain functions.

A rule that a kind does not have is the neutral function, so that nobody asks whether it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apiserver.core.values import Json, kept, metadata
from machinery.model.errors import Cause

EVERY_VERB = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS_VERBS = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class WriteContext:
    """The facts of one write that only the shell knows."""

    now: str  # metav1.Time: RFC 3339, UTC, whole seconds
    uid: str = ""  # a fresh UUID, for a create
    suffix: str = ""  # five letters of machinery.model.names.suffix, for a generateName


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object: the kind that is read and written there, and how discovery lists it."""

    kind: str
    group: str
    version: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScaleMapping:
    """Where the numbers of an autoscaling/v1 Scale live; `selector` is the text of status.selector."""

    replicas: Callable[[Json], int]
    current_replicas: Callable[[Json], int]
    selector: Callable[[Json], str]


def unchanged(obj: Json) -> Json:
    """Default nothing."""
    return obj


def spec_changed(new: Json, old: Json) -> bool:
    """Tell whether the spec of an object has changed."""
    return bool(new.get("spec") != old.get("spec"))


def as_created(obj: Json, _context: WriteContext) -> Json:
    """Take a new object as it is."""
    return obj


def as_updated(new: Json, _old: Json, _context: WriteContext) -> Json:
    """Take an update as it is (a kind without status)."""
    return new


def status_only(new: Json, old: Json, _context: WriteContext) -> Json:
    """Take the status of `new` and everything else of `old`, but for metadata, which the caller merges."""
    return kept(new, old, *(name for name in {*new, *old} if name not in {"status", "metadata"}))


def nothing_wrong(_obj: Json) -> list[Cause]:
    """Find no fault in a new object."""
    return []


def no_change_wrong(_new: Json, _old: Json) -> list[Cause]:
    """Find no fault in a change."""
    return []


def nothing_unenforced(_obj: Json) -> tuple[str, ...]:
    """Act on all of it."""
    return ()


def nothing_unbuilt(_obj: Json) -> str:
    """Know of no part of the object that Kubarium has not built."""
    return ""


def metadata_fields(obj: Json) -> dict[str, str]:
    """Give the field labels that every kind has."""
    meta = metadata(obj)
    return {"metadata.name": meta.get("name", ""), "metadata.namespace": meta.get("namespace", "")}


def any_name(_name: str) -> list[str]:
    """Accept every name."""
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind that is stored, and its rules.

    `default` owns what it is given: it fills it in place and returns it; it is idempotent. The `prepare_*`
    functions return the object that goes on, and never change `old`. The `validate_*` functions find every
    fault, in the order of the fields, and change nothing.
    """

    group: str  # "" for the core group
    version: str
    plural: str
    singular: str
    kind: str
    definition: str  # the schema's name
    namespaced: bool
    storage_prefix: str  # "/registry/pods"; a key is prefix[/namespace]/name
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = EVERY_VERB
    subresources: Mapping[str, Subresource] = field(default_factory=dict)

    name_errors: Callable[[str], list[str]] = any_name
    default: Callable[[Json], Json] = unchanged
    unbuilt: Callable[[Json], str] = nothing_unbuilt  # "" or the sentence of a 501
    unenforced: Callable[[Json], tuple[str, ...]] = (
        nothing_unenforced  # what is stored and not acted on: warnings
    )
    prepare_create: Callable[[Json, WriteContext], Json] = as_created
    prepare_update: Callable[[Json, Json, WriteContext], Json] = as_updated
    prepare_status: Callable[[Json, Json, WriteContext], Json] = status_only
    validate_create: Callable[[Json], list[Cause]] = nothing_wrong
    validate_update: Callable[[Json, Json], list[Cause]] = no_change_wrong
    validate_status: Callable[[Json, Json], list[Cause]] = no_change_wrong

    fields: Callable[[Json], dict[str, str]] = metadata_fields  # every field label and its value
    field_labels: frozenset[str] = frozenset({"metadata.name", "metadata.namespace"})
    counts_generation: bool = False  # whether objects have a metadata.generation
    is_next_generation: Callable[[Json, Json], bool] = spec_changed  # of an update; the status never counts
    create_on_update: bool = False  # a PUT to a free name creates
    unconditional_update: bool = True  # a PUT without resourceVersion overwrites
    graceful: bool = False  # deleting takes a grace period (pods)
    scale: ScaleMapping | None = None

    @property
    def api_version(self) -> str:
        """Give what objects carry as apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """Name the resource as messages do: deployments.apps, pods."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def group_kind(self) -> str:
        """Name the kind as messages do: Deployment.apps, Pod."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def key(self, namespace: str, name: str) -> str:
        """Give the storage key of an object."""
        parts = (self.storage_prefix, namespace, name) if self.namespaced else (self.storage_prefix, name)
        return "/".join(parts)


def own_status(kind: str, group: str, version: str = "v1") -> Subresource:
    """Describe the status subresource of a kind."""
    return Subresource(kind, group, version, STATUS_VERBS)

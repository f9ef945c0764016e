"""What is special about a kind, as plain functions: its `Rules`. What it is called is in `machinery.model.kinds`.

Each rule has a neutral default, so that nobody asks whether it is there, and a kind without rules is a correct one:
its metadata is checked, its schema holds, it is printed with name and age. The files in `apiserver.core.kinds` have
the rules of one kind each; who stores, prints or deletes knows no kind by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

import msgspec

from apiserver.core import deletion
from apiserver.core.authz.escalation import Grant
from apiserver.core.conversion import ConvertAll
from apiserver.core.table.table import NAME_AND_AGE, Table
from apiserver.core.values import Json, kept, metadata
from machinery.model import names
from machinery.model.clock import Timescale
from machinery.model.errors import Cause


class User(Protocol):
    """Who writes (apiserver.request.UserInfo fits)."""

    @property
    def name(self) -> str:
        """The user's name."""
        ...

    @property
    def uid(self) -> str:
        """What tells the user from an earlier one of the same name; "" where that is not known."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the user is in."""
        ...

    @property
    def extra(self) -> Mapping[str, tuple[str, ...]]:
        """What else is known of the user."""
        ...


class WriteContext(msgspec.Struct, frozen=True, gc=False):
    """The facts of one write that only the shell knows."""

    now: str  # metav1.Time: RFC 3339, UTC, whole seconds
    uid: str = ""  # a fresh UUID, for a create
    suffix: str = ""  # five letters of machinery.model.names.suffix, for a generateName
    user: User | None = None  # who writes


def spec_scaled(obj: Json, replicas: int) -> Json:
    """Return an object with another number of replicas in `spec.replicas`."""
    return {**obj, "spec": {**(obj.get("spec") or {}), "replicas": replicas}}


@dataclass(frozen=True, slots=True)
class ScaleMapping:
    """Where the numbers of an autoscaling/v1 Scale live; `selector` is the text of status.selector."""

    replicas: Callable[[Json], int]
    current_replicas: Callable[[Json], int]
    selector: Callable[[Json], str]
    scaled: Callable[[Json, int], Json] = spec_scaled  # the object with another number
    path: tuple[str, ...] = ("f:spec", "f:replicas")  # where the number is, in the words of managedFields


DeletionPlan: TypeAlias = Callable[[Json, deletion.Wanted, float, Timescale], deletion.Deletion]
"""Decides what a delete does: the object, how it is to be deleted, cluster seconds, and their scale."""

SubresourceWrite: TypeAlias = Callable[[Json, Json, str], Json]
"""What a write to a subresource makes of the object: the stored object, what was sent, and the time."""


Reader: TypeAlias = Callable[[Json], tuple[Json, tuple[str, ...]]]
"""Brings a client's object, except for its metadata, into stored form; with what to warn the client of."""


def unchanged(obj: Json) -> Json:
    """Default nothing."""
    return obj


def spec_changed(new: Json, old: Json) -> bool:
    """Whether the spec of an object has changed."""
    return bool(new.get("spec") != old.get("spec"))


def content_changed(new: Json, old: Json) -> bool:
    """Whether anything but metadata and status has changed."""
    apart = {"metadata": None, "status": None}
    return {**new, **apart} != {**old, **apart}


def as_created(obj: Json, _context: WriteContext) -> Json:
    """Accept a new object as it is."""
    return obj


def without_status(obj: Json, _context: WriteContext) -> Json:
    """Drop the status of a new object: nothing has happened yet."""
    return {key: value for key, value in obj.items() if key != "status"}


def with_empty_status(obj: Json, _context: WriteContext) -> Json:
    """Return a new object with a status that says nothing yet: Kubernetes' own kinds always show theirs."""
    return {**obj, "status": {}}


def as_updated(new: Json, _old: Json, _context: WriteContext) -> Json:
    """Accept an update as it is (a kind without status)."""
    return new


def with_old_status(new: Json, old: Json, _context: WriteContext) -> Json:
    """Keep the status, which has a path of its own."""
    return kept(new, old, "status")


def status_only(new: Json, old: Json, _context: WriteContext) -> Json:
    """Combine the status of `new` with everything else of `old`, except for metadata, which the caller merges."""
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


def nothing_granted(_new: Json, _old: Json | None) -> Grant | None:
    """Return no permissions: most kinds are no roles."""
    return None


def nothing_holds(_obj: Json) -> bool:
    """Know of nothing but finalizers that keeps an object."""
    return False


def same_schema(obj: Json, api_version: str) -> Json:
    """Convert between versions of one schema: only the name of the version differs."""
    return {**obj, "apiVersion": api_version}


def metadata_fields(obj: Json) -> dict[str, str]:
    """Return the field labels that every kind has."""
    meta = metadata(obj)
    return {"metadata.name": meta.get("name", ""), "metadata.namespace": meta.get("namespace", "")}


def name_field(obj: Json) -> dict[str, str]:
    """Return the field label that kinds have beside their own whose objects lie in no namespace."""
    return {"metadata.name": metadata(obj).get("name", "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """What the server sets or keeps in an object. Each returns the object that goes on, and never changes `old`."""

    create: Callable[[Json, WriteContext], Json] = as_created
    update: Callable[[Json, Json, WriteContext], Json] = as_updated  # new, old
    status: Callable[[Json, Json, WriteContext], Json] = status_only


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """What may be stored. Each finds every fault, in the order of the fields, and changes nothing."""

    create: Callable[[Json], list[Cause]] = nothing_wrong
    update: Callable[[Json, Json], list[Cause]] = no_change_wrong  # new, old
    status: Callable[[Json, Json], list[Cause]] = no_change_wrong


@dataclass(frozen=True, slots=True)
class PartUpdate:
    """How a part of an object is written that has a subresource of its own, whose body is the whole object."""

    prepare: Callable[[Json, Json, WriteContext], Json]  # new, old: the object with only that part changed
    validate: Callable[[Json, Json], list[Cause]]  # new, old


OWN_METADATA: Final = ("labels", "annotations", "finalizers", "ownerReferences")
"""What of an object's metadata is its users'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one kind.

    `default` owns what it is given: it fills it in place and returns it; it is idempotent.
    """

    # Reading a client's object
    name_errors: Callable[[str], list[str]] = names.dns_subdomain_errors
    read: Reader | None = None  # in place of the published schema, which the kind has none of
    any_finalizer: bool = False  # finalizers without a prefix need not be those of Kubernetes
    default: Callable[[Json], Json] = unchanged
    unbuilt: Callable[[Json], str] = nothing_unbuilt  # "" or the sentence of a 501
    unenforced: Callable[[Json], tuple[str, ...]] = nothing_unenforced  # warnings: stored, and not acted on

    # Writing it
    weight: int = 0  # bytes of JSON that take as long to read as its rules may take to be tried
    refuses_new: str = ""  # why no object may be created at the moment: the sentence of a 405
    prepare: Prepare = Prepare()
    validate: Validate = Validate()
    canonical: Callable[[Json], Json] | None = (
        None  # the one form of several that are valid and mean the same
    )
    grants: Callable[[Json, Json | None], Grant | None] = (
        nothing_granted  # permissions that a write gives away
    )
    counts_generation: bool = False  # whether objects have a metadata.generation
    is_next_generation: Callable[[Json, Json], bool] = spec_changed  # of an update; the status never counts
    create_on_update: bool = False  # a PUT to a free name creates
    unconditional_update: bool = True  # a PUT without resourceVersion overwrites
    needs_suffix: bool = False  # admission makes up a name in a new object
    subresources: Mapping[str, SubresourceWrite] = field(default_factory=dict)  # those that change the object
    parts: Mapping[str, PartUpdate] = field(default_factory=dict)  # by subresource
    scale: ScaleMapping | None = None
    status_keeps: tuple[str, ...] = ()  # of the metadata: what a write of the status cannot change
    warnings: Callable[[Json, Json | None], tuple[str, ...]] | None = None
    """What a client may want to know of an object that is valid: new, and the one before where there is one."""
    reset: Mapping[str, Json] = field(default_factory=dict)
    """By subresource ("": of the object itself), as a set of fields: what a write cannot change, so that nobody owns it
    by that. Where nothing is said it is the status, or in a write of the status the spec."""

    # Storing and converting it
    complete: Callable[[Json], Json] | None = None  # what a stored object has become; its schema changes
    storage_prefix: str = ""  # "": "/registry/<plural>"; a key is prefix[/namespace]/name
    ttl_s: float = 0.0  # cluster seconds for which an object is kept; 0: until it is deleted
    convert: Callable[[Json, str], Json] = same_schema  # an object of any version, to the one that is named
    convert_all: ConvertAll | None = None  # where a server outside converts: `convert` may need it first
    contains_objects: bool = False  # its objects are namespaces: others lie in them, and each in itself

    may_own: bool = True  # owner references may name its objects

    # Deleting it
    plan_deletion: DeletionPlan = deletion.by_finalizers
    is_held: Callable[[Json], bool] = (
        nothing_holds  # whether more than finalizers keeps an object being deleted
    )
    deletion_returns_object: bool = False  # a delete answers with what is gone, else with a Status

    # Showing it
    fields: Callable[[Json], dict[str, str]] = metadata_fields  # every field label and its value
    field_labels: frozenset[str] = field(init=False)  # those of `fields`
    field_aliases: Mapping[str, str] = field(
        default_factory=dict
    )  # older labels, and those that nothing has a value of
    unknown_field: str = ""  # what is said of any other `{label}`; "": as Kubernetes says it of most kinds
    table: Table = NAME_AND_AGE

    def __post_init__(self) -> None:
        object.__setattr__(self, "field_labels", frozenset(self.fields({})))


PLAIN: Final = Rules()
"""The rules of a kind that has none of its own."""

WITH_STATUS: Final = Rules(
    prepare=Prepare(create=with_empty_status, update=with_old_status),
    counts_generation=True,
    is_next_generation=content_changed,
)
"""The same where there is a status."""

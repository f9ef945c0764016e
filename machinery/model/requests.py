"""The words of requests to the apiserver, which its clients and its own core share.

Clients (`machinery.client`) take and return these values; the apiserver's core uses the same names for the same
things, so that neither imports the other. How they are written on a wire is the affair of the transports.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from machinery.model.k8s.core_v1 import ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import KubeObject, Resource

T = TypeVar("T", bound=KubeObject)


class PatchType(Enum):
    """How a patch is written, by its media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC_MERGE = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class EventType(Enum):
    """What happened to an object, as a watch says it."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One event. `object` is None for a bookmark, the last state for DELETED."""

    type: EventType
    revision: int  # resume a watch from here
    object: T | None


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A page of a collection at one revision."""

    items: list[T]
    revision: int  # watch from here
    continue_: str = ""  # "" on the last page


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a collection."""

    namespace: str = ""  # "" for all
    label_selector: str = ""
    field_selector: str = ""


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete."""

    grace_period_s: int | None = None  # None: the object's own
    propagation_policy: str = ""  # "", "Orphan", "Background", "Foreground"
    uid: str = ""  # precondition
    resource_version: str = ""  # precondition


@dataclass(frozen=True, slots=True)
class Fence:
    """The leadership that a write is made under: the store refuses the write once the lease says otherwise.

    A renewal changes none of these; whoever takes the lease over changes at least `transitions`, and a lease that was
    deleted and made anew has another `uid`.
    """

    namespace: str  # of the Lease
    name: str
    uid: str
    holder: str  # its holderIdentity
    transitions: int  # its leaseTransitions


def revision_of(meta: ObjectMeta) -> int:
    """Return the revision at which an object was read, 0 for one that was never stored."""
    return read_revision(meta.resourceVersion)


def read_revision(text: str) -> int:
    """Read a resourceVersion that a server wrote; 0 where it is not a number.

    Kubernetes promises since v1.35 that it is a decimal number that grows (KEP-5504).
    """
    return int(text) if text.isascii() and text.isdigit() else 0


def reference_to(obj: KubeObject) -> ObjectReference:
    """Return a reference to an object, at the revision at which it was read."""
    return reference_by_kind(obj.apiVersion, obj.kind, obj.metadata)


def reference_in(resource: Resource[Any], meta: ObjectMeta) -> ObjectReference:
    """Return a reference to an object that does not say its kind: items of a list may leave it out."""
    return reference_by_kind(resource.api_version, resource.kind, meta)


def reference_by_kind(
    api_version: str, kind: str, meta: ObjectMeta, *, field_path: str = ""
) -> ObjectReference:
    """Return a reference to an object, or to the part of it that `field_path` names."""
    return ObjectReference(
        apiVersion=api_version,
        kind=kind,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resourceVersion=meta.resourceVersion,
        fieldPath=field_path,
    )

"""What the tracking of fields needs to know of a kind and of the part of it that a request writes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from apiserver.core.apply.field_set import FieldSet
from apiserver.core.apply.topology import Granular
from apiserver.core.values import Json

NEVER_OWNED: Final[FieldSet] = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        "f:clusterName": {},
        "f:creationTimestamp": {},
        "f:generation": {},
        "f:managedFields": {},
        "f:name": {},
        "f:namespace": {},
        "f:resourceVersion": {},
        "f:selfLink": {},
        "f:uid": {},
    },
}
"""What says which object it is, and what the server keeps: nobody owns that."""


class UnknownVersion(Exception):  # noqa: N818 - it names what is not there
    """A version of a kind is not served (any more): what managers own of it is forgotten."""


@dataclass(frozen=True)
class Tracker:
    """One for each version of a kind and each subresource of it, made once."""

    api_version: str  # the version that requests of this tracker speak: apps/v1
    topology: Callable[[str], Granular]  # of a version of the kind; raises UnknownVersion
    convert: Callable[[Json, str], Json] | None = (
        None  # to a version; None: there is one; raises UnknownVersion
    )
    subresource: str = ""  # "status"; "" of the object itself
    reset: Mapping[str, FieldSet] = field(default_factory=dict)  # by version: what a write cannot change

    @cached_property
    def own_topology(self) -> Granular:
        """The topology of the version that requests speak."""
        return self.topology(self.api_version)

    def at(self, obj: Json, version: str) -> Json:
        """Return an object of this tracker's version in another one.

        Raises:
            UnknownVersion: it is not served.
        """
        return self.between(obj, self.api_version, version)

    def between(self, obj: Json, version: str, target: str) -> Json:
        """Return an object of one version in another one.

        Raises:
            UnknownVersion: it is not served.
        """
        if version == target:
            return obj
        if self.convert is None:
            raise UnknownVersion(target)
        return self.convert(obj, target)

    def never_owned(self, version: str) -> FieldSet:
        """Return what a write of this kind of request leaves as it is, whatever it says."""
        return self.reset.get(version) or {}

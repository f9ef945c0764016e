"""Every kind that the cluster keeps, from the table that the apiserver and its clients share.

Garbage collection and namespace deletion look at all of them, and at nothing but their metadata: a kind that is added
to the table is covered. Where a kind has several versions, its objects are looked at in the one that is stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.core.metadata_only import MetadataOnly
from machinery.model.k8s import served
from machinery.model.resources import Resource, resource_of

KINDS: Final[tuple[Resource[MetadataOnly], ...]] = tuple(
    resource_of(names, MetadataOnly) for names in served.STORED if names not in served.STORED_AS
)
_NEVER_OWNED: Final = frozenset({"events", "events.events.k8s.io"})  # many, and short-lived


def watched_kinds(kinds: Iterable[Resource[Any]]) -> list[Resource[Any]]:
    """Return the kinds whose objects may own others or be owned: those that are worth being watched for it."""
    return [kind for kind in kinds if str(kind) not in _NEVER_OWNED]

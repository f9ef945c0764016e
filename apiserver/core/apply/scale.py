"""The owners of a scale's replicas, which are those of the replicas of what it scales.

A request to the scale of a Deployment is tracked as one to an autoscaling/v1 Scale: before it the owners of the
Deployment's replicas become those of the scale's, after it they are written back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apiserver.core.apply.field_set import FieldSet, Path, contains, difference, of_path
from apiserver.core.apply.managers import Entry, Managed, Manager

SCALE_VERSION: Final = "autoscaling/v1"
REPLICAS: Final[Path] = ("f:spec", "f:replicas")  # of a Scale, and of all kinds of ours that have one

Replicas = Mapping[str, Path | None]
"""By version of the scaled kind, where its replicas are; None: that version has no scale. Other versions are unknown."""


def to_scale(managed: Managed, replicas: Replicas) -> Managed:
    """Return the owners of an object's replicas, as owners of those of its scale."""
    result: Managed = {}
    for manager, entry in managed.items():
        path = replicas.get(entry.api_version)
        if path and contains(entry.fields, path):
            result[manager] = Entry(of_path(*REPLICAS), SCALE_VERSION, entry.time)
    return result


def to_parent(managed: Managed, scaled: Managed, api_version: str, replicas: Replicas) -> Managed:
    """Return the owners of an object's fields, of which those of the replicas are the ones of its scale.

    `scaled` are the managers after the request to the scale; `api_version` is the version of the object that new
    entries speak of. Entries of unknown versions are left out.
    """
    result: Managed = {}
    for manager, entry in managed.items():
        if entry.api_version not in replicas:
            continue
        path = replicas[entry.api_version]
        lost = path is not None and contains(entry.fields, path) and manager not in scaled
        fields = difference(entry.fields, of_path(*path)) if lost and path else entry.fields
        if fields:
            result[manager] = entry.with_fields(fields)
    result.update(_new_owners(managed, scaled, api_version, replicas))
    return result


def _new_owners(
    managed: Managed, scaled: Managed, api_version: str, replicas: Replicas
) -> dict[Manager, Entry]:
    """Return the entries of those who own the replicas since the request."""
    path = replicas.get(api_version)
    fields: FieldSet = of_path(*path) if path else {}
    return {
        manager: Entry(fields, api_version, entry.time)
        for manager, entry in scaled.items()
        if fields and contains(entry.fields, REPLICAS) and not _had(managed, manager, replicas)
    }


def _had(managed: Managed, manager: Manager, replicas: Replicas) -> bool:
    entry = managed.get(manager)
    path = replicas.get(entry.api_version) if entry else None
    return bool(entry and path and contains(entry.fields, path))

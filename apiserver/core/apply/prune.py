"""Remove what a manager applied last time and does not say this time, unless somebody else owns it too."""

from __future__ import annotations

from apiserver.core.apply.field_set import FieldSet, difference, intersection, union
from apiserver.core.apply.managers import Entry, Managed, Manager
from apiserver.core.apply.owned import all_fields
from apiserver.core.apply.remove import remove, with_structs
from apiserver.core.apply.tracker import Tracker, UnknownVersion
from apiserver.core.values import Json


def prune(tracker: Tracker, merged: Json, managed: Managed, who: Manager, last: Entry) -> Json:
    """Return the merged object without what only `last` claimed; `managed` has the manager's new entry.

    Where the last configuration was of a version that is not served, nothing is removed.
    """
    version = last.api_version
    if version == managed[who].api_version and not difference(last.fields, managed[who].fields):
        return merged
    try:
        at_last = tracker.at(merged, version)
        topology = tracker.topology(version)
    except UnknownVersion:
        return merged
    claimed = with_structs(topology, last.fields)
    pruned = remove(topology, at_last, claimed) or {}
    pruned = _with_claimed(tracker, at_last, pruned, managed, version)
    gone = difference(_all(tracker, at_last, version), _all(tracker, pruned, version))
    left = remove(topology, at_last, intersection(gone, claimed)) or {}
    return tracker.between(left, version, tracker.api_version)


def _with_claimed(tracker: Tracker, merged: Json, pruned: Json, managed: Managed, version: str) -> Json:
    """Put back what somebody owns, each in its version, that of the pruned object first; both are of `version`."""
    claims: dict[str, FieldSet] = {}
    for entry in managed.values():
        claims[entry.api_version] = union(claims.get(entry.api_version, {}), entry.fields)
    for other in sorted(claims, key=lambda each: each != version):
        try:
            pruned = _with_claims(tracker, merged, pruned, claims[other], version, other)
        except UnknownVersion:
            continue
    return pruned


def _with_claims(
    tracker: Tracker, merged: Json, pruned: Json, claims: FieldSet, version: str, other: str
) -> Json:
    here = tracker.between(merged, version, other)
    topology = tracker.topology(other)
    left = _all(tracker, tracker.between(pruned, version, other), other)
    kept = union(left, with_structs(topology, claims))
    gone = difference(_all(tracker, here, other), kept)
    return tracker.between(remove(topology, here, gone) or {}, other, version)


def _all(tracker: Tracker, obj: Json, version: str) -> FieldSet:
    return all_fields(tracker.topology(version), obj)

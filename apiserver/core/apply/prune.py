"""Remove what a manager applied last time and does not say this time, unless somebody else owns it too."""

from __future__ import annotations

from contextlib import suppress

from apiserver.core.apply.field_set import SELF, FieldSet, difference, intersection, is_member, union
from apiserver.core.apply.managers import Entry, Managed, Manager
from apiserver.core.apply.owned import all_fields
from apiserver.core.apply.remove import below_element, is_struct_field, remove, with_structs
from apiserver.core.apply.topology import Granular, Topology
from apiserver.core.apply.tracker import Tracker, UnknownVersion
from apiserver.core.values import Json


def prune(tracker: Tracker, merged: Json, managed: Managed, who: Manager, last: Entry) -> Json:
    """Return the merged object without what only `last` claimed; `managed` has the manager's new entry.

    Where the last configuration was of a version that is not served, nothing is removed.
    """
    version = last.api_version
    versions = {entry.api_version for entry in managed.values()}
    if versions == {version}:
        return _pruned_in_one_version(tracker.topology(version), merged, managed, who, last)
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
    before = None
    while pruned != before:  # what one version puts back may hold what another one claims; it only grows
        before = pruned
        for other in sorted(claims, key=lambda each: each != version):
            with suppress(UnknownVersion):
                pruned = _with_claims(tracker, merged, pruned, claims[other], version, other)
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


def _pruned_in_one_version(
    topology: Granular, merged: Json, managed: Managed, who: Manager, last: Entry
) -> Json:
    """Prune where all speak of one version, as almost always: along what the manager lost, and nowhere else."""
    lost = difference(last.fields, managed[who].fields)
    if not lost:
        return merged
    claims: FieldSet = {}
    for entry in managed.values():
        claims = union(claims, entry.fields)
    return remove(topology, merged, _going(topology, lost, claims)) or {}


def _going(
    topology: Topology, lost: FieldSet, claims: FieldSet, *, inside: bool = False, cut: bool = False
) -> FieldSet:
    """Return what of `lost` is to be removed: what nobody claims, with the structs that nobody needs for anything else.

    `inside`: something above was lost; `cut`: something above was, and goes.
    """
    result: FieldSet = {}
    for element, node in lost.items():
        if element == SELF:
            continue
        theirs, named = claims.get(element), is_struct_field(topology, element)
        is_lost = named or is_member(node)
        goes = cut or ((inside or is_lost) and not (theirs is not None and (named or is_member(theirs))))
        if goes and is_lost:
            result[element] = {}
            continue
        below = _going(
            below_element(topology, element), node, theirs or {}, inside=inside or is_lost, cut=goes
        )
        if below:
            result[element] = below
    return result

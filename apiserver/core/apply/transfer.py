"""How a change moves the ownership of fields: the step that updates and applies share."""

from __future__ import annotations

from apiserver.core.apply.compare import Comparison, compare
from apiserver.core.apply.conflicts import ConflictsFound, FieldConflict
from apiserver.core.apply.field_set import FieldSet, difference, intersection, meets, paths
from apiserver.core.apply.managers import Managed, Manager
from apiserver.core.apply.remove import coarsened
from apiserver.core.apply.tracker import Tracker, UnknownVersion
from apiserver.core.values import Json


def transfer(
    tracker: Tracker,
    old: Json,
    new: Json,
    managed: Managed,
    *,
    by: Manager | None = None,
    updater: Manager | None = None,
    force: bool,
) -> tuple[Managed, Comparison]:
    """Return the managers after a change, and what changed in the tracker's own version.

    Who owned what has another value now, or is gone, owns it no more; `by`, whose configuration it is, is left alone,
    and the `updater` whose change it is loses only what is gone.
    Entries of versions that are not served, and those that own nothing any more, are left out.

    Raises:
        ConflictsFound: without `force`, somebody else owns what has another value.
    """
    comparisons = _Comparisons(tracker, old, new)
    result: Managed = {}
    conflicts: list[tuple[Manager, FieldSet]] = []
    for manager, entry in managed.items():
        if manager == by:
            result[manager] = entry
            continue
        try:
            comparison = comparisons.at(entry.api_version)
            topology = tracker.topology(entry.api_version)
        except UnknownVersion:
            continue
        if entry.fields and not meets(entry.fields, comparison.touched):
            result[manager] = entry
            continue
        if manager == updater:
            if left := difference(entry.fields, comparison.removed):
                result[manager] = entry.with_fields(left)
            continue
        fields = coarsened(topology, entry.fields, comparison.touched)
        taken = intersection(fields, comparison.changed)
        if taken:
            conflicts.append((manager, taken))
        left = difference(difference(fields, taken), comparison.removed)
        if left:
            result[manager] = entry.with_fields(left)
    if conflicts and not force:
        raise ConflictsFound(
            [FieldConflict(who, path) for who, taken in sorted(conflicts, key=_name) for path in paths(taken)]
        )
    return result, comparisons.at(tracker.api_version)


def _name(conflict: tuple[Manager, FieldSet]) -> tuple[str, Manager]:
    """Order conflicts as Kubernetes lists them, by the managers' names."""
    return conflict[0].name, conflict[0]


class _Comparisons:
    """The change as each version of the kind sees it, compared once a version."""

    def __init__(self, tracker: Tracker, old: Json, new: Json) -> None:
        self._tracker, self._old, self._new = tracker, old, new
        self._made: dict[str, Comparison | None] = {}

    def at(self, version: str) -> Comparison:
        """Return the change in a version.

        Raises:
            UnknownVersion: it is not served.
        """
        if version not in self._made:
            self._made[version] = self._compared(version)
        made = self._made[version]
        if made is None:
            raise UnknownVersion(version)
        return made

    def _compared(self, version: str) -> Comparison | None:
        tracker = self._tracker
        try:
            old, new = tracker.at(self._old, version), tracker.at(self._new, version)
            topology = tracker.topology(version)
        except UnknownVersion:
            return None
        return compare(topology, old, new).without(tracker.never_owned(version))


def fitting(tracker: Tracker, managed: Managed) -> Managed:
    """Return the managers with sets that fit the schema as it is now, where lists or maps have become atomic."""
    result: Managed = {}
    for manager, entry in managed.items():
        try:
            topology = tracker.topology(entry.api_version)
        except UnknownVersion:
            result[manager] = entry
            continue
        result[manager] = entry.with_fields(coarsened(topology, entry.fields))
    return result

"""What an update, a patch or a create does to managedFields: whoever changes a field owns it from then on."""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.apply import managers
from apiserver.core.apply.compare import equality
from apiserver.core.apply.elements import name_of
from apiserver.core.apply.field_set import FieldSet, difference, difference_below, includes, ordered, union
from apiserver.core.apply.managers import Entry, Managed
from apiserver.core.apply.owned import new_fields
from apiserver.core.apply.remove import coarsened
from apiserver.core.apply.renewal import renewed
from apiserver.core.apply.tracker import NEVER_OWNED, Tracker
from apiserver.core.apply.transfer import transfer
from apiserver.core.values import Json, metadata
from machinery.model.errors import BadRequest

ABSENT: Final = None
_NOBODYS: Final = frozenset({"apiVersion", "kind", "metadata"})
_NOBODYS_METADATA: Final = frozenset(map(name_of, NEVER_OWNED["f:metadata"]))


def track_update(
    tracker: Tracker, live: Json | None, new: Json, *, manager: str, now: str, given: Any = ABSENT
) -> list[Json]:
    """Return the managedFields that `new` is stored with; [] for none.

    `live` is what is stored now, None at a create; `given` are the managedFields that the request has, as it has
    them. Without any the stored ones go on; `[]` and `[{}]` forget them, and an object without any gets none until
    somebody applies to it; what cannot be read is ignored. A subresource keeps the stored ones, whatever it is
    given. Neither object is changed.

    `now` (metav1.Time) is noted where the manager changes a value.

    Raises:
        BadRequest: `new` is nested too deeply.
    """
    stored = metadata(live or {}).get("managedFields") or []
    if tracker.subresource or given == stored:
        given = ABSENT
    try:
        return _tracked(tracker, live, new, stored, manager, now, given)
    except RecursionError as error:
        raise BadRequest("the object is nested too deeply") from error


def _tracked(
    tracker: Tracker, live: Json | None, new: Json, stored: list[Json], manager: str, now: str, given: Any
) -> list[Json]:
    if live is not None and given is ABSENT:
        if not stored:
            return stored
        updater = managers.updater(manager, tracker.api_version, tracker.subresource)
        entries = renewed(tracker, stored, live, new, updater=updater, now=now)
        if entries is not None:
            return entries
    old, after = without_managed(live or {}), without_managed(new)
    if live is not None and given is ABSENT and equality(tracker.own_topology)(old, after):
        return stored
    managed = _known(stored, given)
    if live is not None and not managed:
        return []
    if live is None and not managed:
        result = _created(tracker, after, manager, now)
    else:
        result = take_over(tracker, old, after, managed, manager=manager, now=now)
    return managers.write(managers.capped(result))


def _created(tracker: Tracker, new: Json, manager: str, now: str) -> Managed:
    """Return the one manager of a new object."""
    version = tracker.api_version
    taken = difference_below(new_fields(tracker.own_topology, _ownable(new)), tracker.never_owned(version))
    return (
        {managers.updater(manager, version, tracker.subresource): Entry(taken, version, now)} if taken else {}
    )


def _ownable(new: Json) -> Json:
    """Return a new object without what nobody owns."""
    meta = {name: item for name, item in metadata(new).items() if name not in _NOBODYS_METADATA}
    own = {name: item for name, item in new.items() if name not in _NOBODYS}
    return own | {"metadata": meta} if meta else own


def take_over(tracker: Tracker, old: Json, new: Json, managed: Managed, *, manager: str, now: str) -> Managed:
    """Return the managers after `manager` made `new` out of `old`, both without managedFields."""
    who = managers.updater(manager, tracker.api_version, tracker.subresource)
    result, comparison = transfer(tracker, old, new, managed, updater=who, force=True)
    taken = difference(difference(comparison.changed, comparison.removed), NEVER_OWNED)
    if taken:
        result[who] = Entry(_with(tracker, result.get(who), taken), tracker.api_version, now)
    return result


def _with(tracker: Tracker, entry: Entry | None, taken: FieldSet) -> FieldSet:
    """Return what an updater owns after it has changed these fields: mostly what it owned before."""
    if entry is None:
        return ordered(taken)
    if includes(entry.fields, taken):
        return entry.fields
    return union(coarsened(tracker.own_topology, entry.fields, taken), ordered(taken))


def trackable(fields: FieldSet) -> FieldSet:
    """Return the fields that somebody can own, in order."""
    return ordered(difference(fields, NEVER_OWNED))


def _known(stored: list[Json], given: Any) -> Managed:
    """Return the managers that a request starts from: those that it says, if they make sense, or those that are stored."""
    if given is ABSENT:
        return known(stored)
    if managers.is_reset(given):
        return {}
    try:
        return managers.given(given if isinstance(given, list) else []) or known(stored)
    except ValueError:
        return known(stored)


def known(entries: list[Json]) -> Managed:
    """Return the managers of a stored object; none where its entries make no sense, as upstream has it."""
    try:
        return managers.stored(entries)
    except ValueError:
        return {}


def without_managed(obj: Json) -> Json:
    """Return the object without its managedFields: a shallow copy where it has any."""
    meta = metadata(obj)
    if "managedFields" not in meta:
        return obj
    return {**obj, "metadata": {name: item for name, item in meta.items() if name != "managedFields"}}


def with_managed(obj: Json, entries: list[Json]) -> Json:
    """Return the object with these managedFields: a shallow copy, without the field where there are none."""
    meta = dict(metadata(obj))
    if entries:
        meta["managedFields"] = entries
    else:
        meta.pop("managedFields", None)
    return {**obj, "metadata": meta}

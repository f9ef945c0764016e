"""Server-side apply: merge a configuration, remove what its manager no longer says, and find conflicts.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apiserver.core.apply import last_applied, managers
from apiserver.core.apply.check import problems
from apiserver.core.apply.compare import equality
from apiserver.core.apply.conflicts import ConflictsFound
from apiserver.core.apply.field_set import FieldSet, contains, difference_below
from apiserver.core.apply.managers import Entry, Managed, Manager
from apiserver.core.apply.merge import merge
from apiserver.core.apply.owned import said_fields
from apiserver.core.apply.prune import prune
from apiserver.core.apply.tracker import Tracker
from apiserver.core.apply.transfer import fitting, transfer
from apiserver.core.apply.update import known, take_over, trackable, without_managed
from apiserver.core.values import Json, metadata
from machinery.model.errors import BadRequest

BEFORE_FIRST_APPLY: Final = "before-first-apply"
KUBECTL: Final = "kubectl"
"""The manager that `kubectl apply --server-side` has: it takes over what client-side apply left."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply comes to."""

    obj: Json  # without managedFields, not normalized: fields may be null, defaults are missing
    managed_fields: list[Json]
    changed: bool  # whether a value changed, not only who owns it


def apply_configuration(
    tracker: Tracker, live: Json | None, config: Json, *, manager: str, force: bool = False, now: str
) -> Applied:
    """Apply a configuration, as its client wrote it, to what is stored; None: nothing, it is a create.

    Raises:
        BadRequest: the configuration does not fit the schema, is of another version, has managedFields, or is nested
            too deeply.
        Conflict: without `force`, somebody else owns a field to which it gives another value.
    """
    try:
        return _checked(tracker, live, config, manager, force=force, now=now)
    except RecursionError as error:
        raise BadRequest("the configuration is nested too deeply") from error


def _checked(
    tracker: Tracker, live: Json | None, config: Json, manager: str, *, force: bool, now: str
) -> Applied:
    _check(tracker, config)
    config = without_managed(config)  # they may be there as null
    before = without_managed(live or {})
    managed = _managed(tracker, live, before, now)
    who = managers.applier(manager, tracker.subresource)
    try:
        applied = _apply(tracker, before, config, managed, who, force=force, now=now)
    except ConflictsFound as found:
        applied = _apply_as_client_side(tracker, before, config, managed, who, found, now)
    if manager == KUBECTL:
        return Applied(last_applied.refreshed(applied.obj, config), applied.managed_fields, applied.changed)
    return applied


def _managed(tracker: Tracker, live: Json | None, before: Json, now: str) -> Managed:
    """Return who owns what before the apply. Of an object that nobody tracked, all was there before."""
    managed = fitting(tracker, known(metadata(live or {}).get("managedFields") or []))
    if managed or live is None:
        return managed
    return take_over(tracker, {}, before, {}, manager=BEFORE_FIRST_APPLY, now=now)


def _apply(
    tracker: Tracker, before: Json, config: Json, managed: Managed, who: Manager, *, force: bool, now: str
) -> Applied:
    topology, version = tracker.own_topology, tracker.api_version
    merged = merge(topology, before, config)
    fields = difference_below(said_fields(topology, config), tracker.never_owned(version))
    own = trackable(fields)
    last = managed.get(who)
    claimed = {**managed, who: Entry(fields, version)}
    says_the_same = last is None or (last.api_version == version and last.fields == own)
    after = merged if says_the_same or last is None else prune(tracker, merged, claimed, who, last)
    result, _ = transfer(tracker, before, after, claimed, by=who, force=force)
    changed = not equality(topology)(before, after)
    result.pop(who)
    if own:
        result[who] = _entry(own, version, last, changed=changed, now=now)
    return Applied(after, managers.write(result), changed)


def _entry(own: FieldSet, version: str, last: Entry | None, *, changed: bool, now: str) -> Entry:
    """Return the applier's entry. It is as old as it was, where the apply changed neither a value nor what it says."""
    if last and not changed and last.api_version == version and last.fields == own:
        return last
    return Entry(own, version, now)


def _apply_as_client_side(
    tracker: Tracker,
    before: Json,
    config: Json,
    managed: Managed,
    who: Manager,
    found: ConflictsFound,
    now: str,
) -> Applied:
    """Apply in spite of conflicts over what `kubectl apply` without --server-side applied last, and nobody changed.

    Raises:
        Conflict: there are others, or it is not kubectl that applies.
    """
    allowed = None
    if who.name == KUBECTL:
        allowed = last_applied.unchanged_fields(tracker.own_topology, before, tracker.api_version)
    if allowed is None:
        raise found.to_error() from None
    others = [each for each in found.conflicts if not contains(allowed, each.path)]
    if others:
        raise ConflictsFound(others).to_error() from None
    return _apply(tracker, before, config, managed, who, force=True, now=now)


def _check(tracker: Tracker, config: Json) -> None:
    if config.get("apiVersion") != tracker.api_version:
        raise BadRequest(
            "Incorrect version specified in apply patch. Specified patch version: "
            f"{config.get('apiVersion') or ''}, expected: {tracker.api_version}"
        )
    meta = metadata(config)
    if isinstance(meta, dict) and meta.get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    found = problems(tracker.own_topology, config)
    if found:
        told = found[0] if len(found) == 1 else "\n  ".join(["errors:", *found])
        raise BadRequest(f"failed to create typed patch object ({_identity(config)}): {told}")


def _identity(config: Json) -> str:
    meta = metadata(config)
    names = meta if isinstance(meta, dict) else {}
    place = f"{names.get('namespace') or ''}/{names.get('name') or ''}"
    version = str(config.get("apiVersion"))
    return f"{place}; {version if '/' in version else f'/{version}'}, Kind={config.get('kind') or ''}"

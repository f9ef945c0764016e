"""What a delete does to an object, and when an object that is being deleted goes. Pure; the registry executes.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
An object goes at once, unless it has finalizers, or a grace period (pods). Then it is marked with a
deletionTimestamp, and goes with the write that removes the last reason to stay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from apiserver.core import answers, field_errors
from apiserver.core.values import Json, metadata
from machinery.model.clock import Timescale
from machinery.model.kinds import KindNames

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"

_POLICIES: Final = {"Orphan": ORPHAN, "Foreground": FOREGROUND, "Background": ""}


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to delete: metav1.DeleteOptions, as far as it concerns the object."""

    grace_period_s: int | None = None
    propagation_policy: str = ""
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Remove:
    """The object goes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The object stays for a while, changed like this."""

    obj: Json


@dataclass(frozen=True, slots=True)
class Pending:
    """The object is being deleted already, and nothing changes."""


Deletion: TypeAlias = Remove | Mark | Pending


def check_options(wanted: Wanted) -> None:
    """Check how to delete.

    Raises:
        Invalid: there is no such propagation policy.
    """
    policy = wanted.propagation_policy
    found = field_errors.one_of("propagationPolicy", policy, _POLICIES) if policy else []
    if found:
        raise field_errors.invalid_object("DeleteOptions.meta.k8s.io", "", found)


def is_over(obj: Json, before: Json, *, is_held: bool) -> bool:
    """Whether an object that was marked before, and is now to be stored as `obj`, goes instead.

    `is_held` is what its kind says: something in the object keeps it, as finalizers do.
    """
    meta, marked = metadata(obj), metadata(before)
    if is_held or not marked.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    return not marked.get("deletionGracePeriodSeconds")


def check_preconditions(kind: KindNames, obj: Json, wanted: Wanted) -> None:
    """Check that the object is the one that the preconditions mean.

    Raises:
        Conflict: it is not.
    """
    meta = metadata(obj)
    uid, version = meta.get("uid", ""), meta.get("resourceVersion", "")
    if wanted.uid and wanted.uid != uid:
        text = (
            f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise answers.conflict_of_kind(kind, meta.get("name", ""), text)
    if wanted.resource_version and wanted.resource_version != version:
        text = (
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
        raise answers.conflict_of_kind(kind, meta.get("name", ""), text)


def by_finalizers(obj: Json, wanted: Wanted, now_s: float, timescale: Timescale) -> Deletion:
    """Delete an object at once, unless it has finalizers; `obj` is as stored and is left alone."""
    meta = metadata(obj)
    changed = with_finalizers(meta, wanted.propagation_policy)
    if not changed.get("finalizers"):
        return Remove()
    if meta.get("deletionTimestamp"):
        marked = {**obj, "metadata": {**changed, "deletionGracePeriodSeconds": 0}}
        return Pending() if marked == obj else Mark(marked)
    return Mark(_marked({**obj, "metadata": changed}, timescale.format(now_s), 0))


def by_finalizers_orphaning(obj: Json, wanted: Wanted, now_s: float, timescale: Timescale) -> Deletion:
    """Do the same, and keep the dependents where neither the request nor the object says otherwise.

    Kinds whose clients deleted the dependents themselves before there was a collector still do that.
    """
    says = wanted.propagation_policy or {ORPHAN, FOREGROUND} & set(metadata(obj).get("finalizers") or ())
    return by_finalizers(
        obj, wanted if says else replace(wanted, propagation_policy="Orphan"), now_s, timescale
    )


def gracefully(
    grace_s_of: Callable[[Json, int | None], int],
) -> Callable[[Json, Wanted, float, Timescale], Deletion]:
    """Return the plan of a kind whose objects have time to end: as many seconds as `grace_s_of` says.

    It is asked with the object and the seconds that the request names; 0 is at once.
    """

    def plan(obj: Json, wanted: Wanted, now_s: float, timescale: Timescale) -> Deletion:
        meta = metadata(obj)
        grace_s = meta.get("deletionGracePeriodSeconds")
        if meta.get("deletionTimestamp") and grace_s:
            if wanted.grace_period_s is None or wanted.grace_period_s >= grace_s:
                return Pending()
            return _shortened(obj, max(0, wanted.grace_period_s), timescale)
        grace_s = 0 if meta.get("deletionTimestamp") else grace_s_of(obj, wanted.grace_period_s)
        if not grace_s:
            return by_finalizers(obj, wanted, now_s, timescale)
        changed = with_finalizers(meta, wanted.propagation_policy)
        return Mark(_marked({**obj, "metadata": changed}, timescale.format(now_s + grace_s), grace_s))

    return plan


def _shortened(obj: Json, grace_s: int, timescale: Timescale) -> Deletion:
    """Bring the end forward; counted from when the deletion was asked for first."""
    meta = metadata(obj)
    if not grace_s and not meta.get("finalizers"):
        return Remove()
    ends_s = timescale.parse(meta["deletionTimestamp"]) - meta["deletionGracePeriodSeconds"] + grace_s
    end = {"deletionTimestamp": timescale.format(ends_s), "deletionGracePeriodSeconds": grace_s}
    return Mark({**obj, "metadata": {**meta, **end}})


def _marked(obj: Json, at: str, grace_s: int) -> Json:
    meta = {**metadata(obj), "deletionTimestamp": at, "deletionGracePeriodSeconds": grace_s}
    if meta.get("generation"):
        meta["generation"] += 1
    return {**obj, "metadata": meta}


def with_finalizers(meta: Json, policy: str) -> Json:
    """Set the collector's finalizers as the propagation policy says; without one they stay as they are."""
    if not policy:
        return meta
    others = [name for name in meta.get("finalizers") or [] if name not in {ORPHAN, FOREGROUND}]
    finalizers = [*others, _POLICIES[policy]] if _POLICIES[policy] else others
    rest = {key: value for key, value in meta.items() if key != "finalizers"}
    return {**rest, "finalizers": finalizers} if finalizers else rest

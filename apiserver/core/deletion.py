"""What a delete does to an object, and when an object that is being deleted goes. Pure; the registry executes.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
An object goes at once, unless it has finalizers, or a grace period (pods). Then it is marked with a
deletionTimestamp, and goes with the write that removes the last reason to stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from apiserver.core import answers, field_errors
from apiserver.core.kinds.kind import Kind
from apiserver.core.kinds.pods import deletion_grace_s
from apiserver.core.values import Json, metadata, spec
from machinery.model.clock import Timescale

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"
RETURNS_OBJECT: Final = frozenset({("", "pods"), ("", "services"), ("", "serviceaccounts")})
"""Whose delete answers with the object that is gone; all others answer with a Status."""

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


def plan_deletion(kind: Kind, obj: Json, wanted: Wanted, now_s: float, timescale: Timescale) -> Deletion:
    """Decide what a delete does; `obj` is as stored, with its resourceVersion, and is left alone.

    Raises:
        Conflict: the object is not the one that the preconditions mean.
    """
    check_preconditions(kind, obj, wanted)
    if kind.group_resource == "namespaces":
        return _plan_namespace(obj, wanted, timescale.format(now_s))
    if kind.graceful:
        return _plan_graceful(obj, wanted, now_s, timescale)
    return _plan_finalizers(obj, wanted, timescale.format(now_s))


def is_over(kind: Kind, obj: Json, before: Json) -> bool:
    """Tell whether an object that was marked before, and is now to be stored as `obj`, goes instead."""
    meta, marked = metadata(obj), metadata(before)
    if not marked.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    if kind.group_resource == "namespaces" and spec(obj).get("finalizers"):
        return False
    return not marked.get("deletionGracePeriodSeconds")


def check_preconditions(kind: Kind, obj: Json, wanted: Wanted) -> None:
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
        raise answers.conflict(kind, meta.get("name", ""), text)
    if wanted.resource_version and wanted.resource_version != version:
        text = (
            f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
        raise answers.conflict(kind, meta.get("name", ""), text)


def _plan_graceful(obj: Json, wanted: Wanted, now_s: float, timescale: Timescale) -> Deletion:
    meta = metadata(obj)
    grace_s = meta.get("deletionGracePeriodSeconds")
    if meta.get("deletionTimestamp") and grace_s:
        if wanted.grace_period_s is None or wanted.grace_period_s >= grace_s:
            return Pending()
        return _shortened(obj, max(0, wanted.grace_period_s), timescale)
    if meta.get("deletionTimestamp"):
        return _plan_finalizers(obj, wanted, timescale.format(now_s))
    grace_s = deletion_grace_s(obj, wanted.grace_period_s)
    if not grace_s:
        return _plan_finalizers(obj, wanted, timescale.format(now_s))
    kept = _with_finalizers(meta, wanted.propagation_policy)
    marked = _marked({**obj, "metadata": kept}, timescale.format(now_s + grace_s), grace_s)
    return Mark(marked)


def _shortened(obj: Json, grace_s: int, timescale: Timescale) -> Deletion:
    """Bring the end forward; counted from when the deletion was asked for first."""
    meta = metadata(obj)
    if not grace_s and not meta.get("finalizers"):
        return Remove()
    ends_s = timescale.parse(meta["deletionTimestamp"]) - meta["deletionGracePeriodSeconds"] + grace_s
    end = {"deletionTimestamp": timescale.format(ends_s), "deletionGracePeriodSeconds": grace_s}
    return Mark({**obj, "metadata": {**meta, **end}})


def _plan_finalizers(obj: Json, wanted: Wanted, now: str) -> Deletion:
    meta = metadata(obj)
    changed = _with_finalizers(meta, wanted.propagation_policy)
    if not changed.get("finalizers"):
        return Remove()
    if meta.get("deletionTimestamp"):
        marked = {**obj, "metadata": {**changed, "deletionGracePeriodSeconds": 0}}
        return Pending() if marked == obj else Mark(marked)
    return Mark(_marked({**obj, "metadata": changed}, now, 0))


def _plan_namespace(obj: Json, wanted: Wanted, now: str) -> Deletion:
    meta = metadata(obj)
    if not meta.get("deletionTimestamp"):
        changed = {**_with_finalizers(meta, wanted.propagation_policy), "deletionTimestamp": now}
        status = {**(obj.get("status") or {}), "phase": "Terminating"}
        return Mark({**obj, "metadata": changed, "status": status})
    if spec(obj).get("finalizers"):
        return Pending()
    return _plan_finalizers(obj, wanted, now)


def _marked(obj: Json, at: str, grace_s: int) -> Json:
    meta = {**metadata(obj), "deletionTimestamp": at, "deletionGracePeriodSeconds": grace_s}
    if meta.get("generation"):
        meta["generation"] += 1
    return {**obj, "metadata": meta}


def _with_finalizers(meta: Json, policy: str) -> Json:
    """Let the propagation policy decide about the collector's finalizers; without one they stay as they are."""
    if not policy:
        return meta
    others = [name for name in meta.get("finalizers") or [] if name not in {ORPHAN, FOREGROUND}]
    finalizers = [*others, _POLICIES[policy]] if _POLICIES[policy] else others
    rest = {key: value for key, value in meta.items() if key != "finalizers"}
    return {**rest, "finalizers": finalizers} if finalizers else rest

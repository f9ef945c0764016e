"""Whose object is it? Adoption and release by controller reference.

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#non-template-pod-acquisitions
An object belongs to the owner whose uid its controller reference names. An owner adopts what its selector
matches and nobody controls, and releases what its selector no longer matches. Before it adopts, it asks the
apiserver whether it still exists and is not being deleted: a cache that lags would resurrect orphans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from controllers.core.actions import Facts, Lookup, Patch
from controllers.core.merge_patch import patch_at_revision
from machinery.model.owners import controller_of, owner_reference
from machinery.model.resources import KubeObject, Resource
from machinery.model.selectors import LabelMatcher

T = TypeVar("T", bound=KubeObject)


@dataclass(frozen=True, slots=True)
class Claims(Generic[T]):
    """What an owner has, and how it comes to own what it should."""

    owned: list[T]
    patches: tuple[Patch, ...]
    needs: tuple[Lookup, ...]  # not answered yet: adoption has to wait for it


def claim(
    owner: KubeObject,
    owner_resource: Resource[Any],
    candidates: Iterable[T],
    resource: Resource[T],
    matcher: LabelMatcher,
    facts: Facts,
    *,
    fits: Callable[[T], bool] = lambda _: True,
    finalizer: str = "",
) -> Claims[T]:
    """Sort the candidates of the owner's namespace into owned, to adopt and to release.

    What does not fit is treated as what the selector does not match. Adopted objects count as owned only once the
    cache shows it; releases are no longer owned at once. A `finalizer` comes and goes with the ownership.
    """
    owned, release, adopt = _sort(
        owner, list(candidates), lambda obj: matcher.matches(obj.metadata.labels) and fits(obj)
    )
    question = Lookup(owner_resource, owner.metadata.namespace, owner.metadata.name)
    if adopt and question not in facts.objects:
        return Claims(owned, (), (question,))
    adopting = adopt if adopt and _lives(owner, question, facts) else []
    patches = [_release(owner, resource, obj, finalizer) for obj in release]
    patches += [_adopt(owner, resource, obj, finalizer) for obj in adopting]
    return Claims(owned, tuple(patches), ())


def _sort(
    owner: KubeObject, candidates: list[T], is_its: Callable[[T], bool]
) -> tuple[list[T], list[T], list[T]]:
    owned: list[T] = []
    release: list[T] = []
    adopt: list[T] = []
    owner_is_leaving = owner.metadata.deletionTimestamp is not None
    for obj in candidates:
        controller = controller_of(obj.metadata)
        matches = is_its(obj)
        if controller is None:
            if matches and not owner_is_leaving and obj.metadata.deletionTimestamp is None:
                adopt.append(obj)
        elif controller.uid == owner.metadata.uid:
            if matches:
                owned.append(obj)
            elif not owner_is_leaving:
                release.append(obj)
    return owned, release, adopt


def _lives(owner: KubeObject, question: Lookup, facts: Facts) -> bool:
    meta = facts.objects[question]
    return meta is not None and meta.uid == owner.metadata.uid and meta.deletionTimestamp is None


def _adopt(owner: KubeObject, resource: Resource[Any], obj: KubeObject, finalizer: str) -> Patch:
    owners = [*obj.metadata.ownerReferences, owner_reference(owner)]
    held = obj.metadata.finalizers
    if not finalizer or finalizer in held:
        return _own(resource, obj, owners)
    return _own(resource, obj, owners, finalizers=[*held, finalizer])


def _release(owner: KubeObject, resource: Resource[Any], obj: KubeObject, finalizer: str) -> Patch:
    others = [ref for ref in obj.metadata.ownerReferences if ref.uid != owner.metadata.uid]
    held = obj.metadata.finalizers
    if finalizer not in held:
        return _own(resource, obj, others)
    return _own(resource, obj, others, finalizers=[each for each in held if each != finalizer])


def _own(resource: Resource[Any], obj: KubeObject, owners: list[Any], **beside: list[str]) -> Patch:
    metadata = {"ownerReferences": msgspec.to_builtins(owners), **beside}
    return patch_at_revision(resource, obj, {"metadata": metadata})

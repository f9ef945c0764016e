"""Plan what becomes of one object: whether it may stay, goes with its owners, or lets its own dependents go first.

The graph is made of caches, which lag: nothing is deleted before the apiserver itself has said that the dependent
is still the same and each of its owners is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    AllAtOnce,
    Delete,
    Facts,
    Lookup,
    Patch,
    Plan,
    RecordEvent,
)
from controllers.core.moment import Moment
from controllers.garbage_collector.graph import (
    FOREGROUND,
    ORPHAN,
    Item,
    Owner,
    Seen,
    blockers,
    is_going,
    is_in_reach,
)
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.requests import reference_in


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for one object."""
    meta = seen.item.meta
    if is_going(meta, ORPHAN):
        return _orphan(seen)
    if is_going(meta, FOREGROUND):
        return _foreground(seen)
    if meta.deletionTimestamp or not seen.owners or seen.is_settled:
        return NOTHING_TO_DO
    return _collect(seen, facts)


def _orphan(seen: Seen) -> Plan:
    """Plan to remove the owner from its dependents, and then its finalizer."""
    freed = tuple(_without_owners(dependent, {seen.item.meta.uid}) for dependent in seen.dependents)
    return Plan((*((AllAtOnce(freed),) if freed else ()), _without_finalizer(seen.item, ORPHAN)))


def _foreground(seen: Seen) -> Plan:
    """Plan to remove an owner's finalizer when nobody is left that blocks it; its dependents are looked at, too (see `neighbours`)."""
    if blockers(seen.item.meta.uid, seen.dependents) and not seen.waits_for_itself:
        return NOTHING_TO_DO
    return Plan((_without_finalizer(seen.item, FOREGROUND),))


@dataclass(frozen=True, slots=True)
class _Owners:
    """The owners of an item, by what the apiserver says of them."""

    solid: list[OwnerReference]
    dangling: list[OwnerReference]
    waiting: list[OwnerReference]  # being deleted in the foreground, for this item among others


def _collect(seen: Seen, facts: Facts) -> Plan:
    item = seen.item
    itself = Lookup(item.resource, item.meta.namespace, item.meta.name)
    questions = [itself, *(found for owner in seen.owners if (found := _ask(item, owner)))]
    if missing := tuple(dict.fromkeys(one for one in questions if one not in facts.objects)):
        return Plan(needs=missing)
    live = facts.objects[itself]
    if live is None or live.uid != item.meta.uid:
        return NOTHING_TO_DO
    if live.resourceVersion != item.meta.resourceVersion:
        return NOTHING_TO_DO  # the cache is behind: the change that it will show brings the next plan
    warnings = tuple(_invalid(seen))
    owners = _sort(seen, facts)
    action = _keep(item, owners) if owners.solid else _end(seen, owners)
    return Plan((*warnings, *action))


def _ask(item: Item, owner: Owner) -> Lookup | None:
    """Return the question for an owner; None where there is no way to ask: such an owner is never seen as gone."""
    kind = owner.resource
    if kind is None or (kind.namespaced and not item.resource.namespaced):
        return None
    return Lookup(kind, item.meta.namespace if kind.namespaced else "", owner.reference.name)


def _sort(seen: Seen, facts: Facts) -> _Owners:
    owners = _Owners([], [], [])
    for owner in seen.owners:
        question = _ask(seen.item, owner)
        live = facts.objects[question] if question else None
        if question is None and owner.resource is None and owner.was_deleted:
            owners.dangling.append(owner.reference)  # its kind went with it
        elif question is None:
            owners.solid.append(owner.reference)
        elif live is None or live.uid != owner.reference.uid:
            owners.dangling.append(owner.reference)
        elif is_going(live, FOREGROUND):
            owners.waiting.append(owner.reference)
        else:
            owners.solid.append(owner.reference)
    return owners


def _keep(item: Item, owners: _Owners) -> tuple[Action, ...]:
    """Somebody owns it: forget the owners that are gone, or that wait for it."""
    rest = {owner.uid for owner in (*owners.dangling, *owners.waiting)}
    return (_without_owners(item, rest),) if rest else ()


def _end(seen: Seen, owners: _Owners) -> tuple[Action, ...]:
    item = seen.item
    if not owners.waiting or not seen.dependents:
        return (_delete(item, _policy(item.meta)),)
    if any(
        is_going(dependent.meta, FOREGROUND) for dependent in seen.dependents
    ):  # a circle: nobody may wait for it
        return (_unblocked(item), _delete(item, "Foreground", at_revision=False))
    return (_delete(item, "Foreground"),)


def _policy(meta: ObjectMeta) -> str:
    """Go on as the object's own finalizers say."""
    if ORPHAN in meta.finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in meta.finalizers else "Background"


def _delete(item: Item, policy: str, *, at_revision: bool = True) -> Delete:
    meta = item.meta
    return Delete(
        item.resource,
        meta.namespace,
        meta.name,
        meta.uid,
        resource_version=meta.resourceVersion if at_revision else "",
        propagation_policy=policy,
    )


def _without_owners(item: Item, uids: set[str]) -> Patch:
    return _with_owners(item, [owner for owner in item.meta.ownerReferences if owner.uid not in uids])


def _unblocked(item: Item) -> Patch:
    """Return the patch that withdraws blockOwnerDeletion from every reference of an item."""
    owners = [msgspec.structs.replace(owner, blockOwnerDeletion=False) for owner in item.meta.ownerReferences]
    return _with_owners(item, owners)


def _with_owners(item: Item, owners: list[OwnerReference]) -> Patch:
    return _patch(item, {"ownerReferences": msgspec.to_builtins(owners)})


def _without_finalizer(item: Item, finalizer: str) -> Patch:
    return _patch(item, {"finalizers": [name for name in item.meta.finalizers if name != finalizer]})


def _patch(item: Item, metadata: dict[str, Any]) -> Patch:
    """Change metadata at the revision that was read: lists are replaced whole."""
    meta = item.meta
    document = {"metadata": metadata | {"uid": meta.uid, "resourceVersion": meta.resourceVersion}}
    return Patch(item.resource, meta.namespace, meta.name, document, absent_is_fine=True)


def _invalid(seen: Seen) -> Iterable[RecordEvent]:
    """Warn of owners that are no owners: another namespace's, or a namespace's for an object of the cluster."""
    item = seen.item
    for owner in seen.owners:
        if owner.item is not None and not is_in_reach(item, owner.item):
            where, named = item.meta.namespace or "<cluster-scoped>", owner.reference
            message = (
                f"ownerRef [{named.apiVersion}/{named.kind}, namespace: {item.meta.namespace}, "
                f'name: {named.name}, uid: {named.uid}] does not exist in namespace "{where}"'
            )
            about = reference_in(item.resource, item.meta)
            yield RecordEvent(about, "Warning", "OwnerRefInvalidNamespace", message)

"""Garbage collection by owner: what nobody owns any more goes, in the manner that its deletion asked for.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/
https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/

background  the owner goes at once; dependents are found without an owner, and deleted
foreground  the owner waits (finalizer `foregroundDeletion`) until no dependent with blockOwnerDeletion is left
orphan      the owner waits (finalizer `orphan`) until no dependent refers to it

The graph is made of caches, which lag: nothing is deleted before the apiserver itself has said that the dependent
is still the same and each of its owners is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    Delete,
    Facts,
    Lookup,
    Patch,
    Plan,
    RecordEvent,
    Together,
)
from machinery.model.k8s.meta_v1 import ObjectMeta, OwnerReference
from machinery.model.requests import reference_in
from machinery.model.resources import Resource

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"


@dataclass(frozen=True, slots=True)
class Item:
    """An object in the graph."""

    resource: Resource[Any]
    meta: ObjectMeta


class Graph:
    """Every object that may own or be owned, by uid; and who names whom as an owner."""

    def __init__(self, kinds: Iterable[Resource[Any]] = ()) -> None:
        self._kinds = {
            (kind.api_version.partition("/")[0] if kind.group else "", kind.kind): kind for kind in kinds
        }
        self._items: dict[str, Item] = {}
        self._dependents: dict[str, set[str]] = {}

    def put(self, item: Item) -> None:
        """Add an object, or take its new state."""
        self.drop(item.meta.uid)
        self._items[item.meta.uid] = item
        for owner in item.meta.ownerReferences:
            self._dependents.setdefault(owner.uid, set()).add(item.meta.uid)

    def drop(self, uid: str) -> None:
        """Take an object out; its dependents still name it."""
        item = self._items.pop(uid, None)
        for owner in item.meta.ownerReferences if item else ():
            dependents = self._dependents.get(owner.uid, set())
            dependents.discard(uid)
            if not dependents:
                self._dependents.pop(owner.uid, None)

    def item(self, uid: str) -> Item | None:
        """Give an object."""
        return self._items.get(uid)

    def dependents(self, uid: str) -> list[Item]:
        """Give the objects that name this one as an owner, whether it exists or not."""
        return [self._items[dependent] for dependent in sorted(self._dependents.get(uid, ()))]

    def kind_of(self, owner: OwnerReference) -> Resource[Any] | None:
        """Give the collection that an owner is in, None for a kind that is not known here."""
        group, slash, _ = owner.apiVersion.partition("/")
        return self._kinds.get((group if slash else "", owner.kind))


def is_going(meta: ObjectMeta, finalizer: str) -> bool:
    """Tell whether an object is being deleted in the manner of a finalizer."""
    return meta.deletionTimestamp is not None and finalizer in meta.finalizers


def plan(item: Item, graph: Graph, facts: Facts = NO_FACTS) -> Plan:
    """Plan for one object."""
    if is_going(item.meta, ORPHAN):
        return _orphan(item, graph)
    if is_going(item.meta, FOREGROUND):
        return _foreground(item, graph)
    if item.meta.deletionTimestamp or not item.meta.ownerReferences or _is_sound(item, graph):
        return NOTHING_TO_DO
    return _collect(item, graph, facts)


def _orphan(item: Item, graph: Graph) -> Plan:
    """Take the owner out of its dependents, then let it go."""
    dependents = graph.dependents(item.meta.uid)
    freed = tuple(_without_owners(dependent, {item.meta.uid}) for dependent in dependents)
    return Plan((*((Together(freed),) if freed else ()), _without_finalizer(item, ORPHAN)))


def _foreground(item: Item, graph: Graph) -> Plan:
    """Let an owner go when nobody is left that blocks it; the shell has its dependents looked at, too."""
    blocking = _blockers(item.meta.uid, graph)
    if blocking and not _is_circle(item, graph):
        return NOTHING_TO_DO
    return Plan((_without_finalizer(item, FOREGROUND),))


def _blockers(uid: str, graph: Graph) -> list[Item]:
    return [
        dependent
        for dependent in graph.dependents(uid)
        if any(owner.uid == uid and owner.blockOwnerDeletion for owner in dependent.meta.ownerReferences)
    ]


def _is_circle(item: Item, graph: Graph) -> bool:
    """Tell whether all that an owner waits for, near and far, waits for this owner in turn: it would be for ever."""
    awaited = _awaited(item.meta.uid, graph)
    return all(
        is_going(other.meta, FOREGROUND) and item.meta.uid in _awaited(uid, graph)
        for uid, other in awaited.items()
    )


def _awaited(uid: str, graph: Graph) -> dict[str, Item]:
    """Give all that has to go before an object may: its blockers, theirs, and so on."""
    found: dict[str, Item] = {}
    to_visit = [uid]
    while to_visit:
        for blocker in _blockers(to_visit.pop(), graph):
            if blocker.meta.uid not in found:
                found[blocker.meta.uid] = blocker
                to_visit.append(blocker.meta.uid)
    return found


def _is_sound(item: Item, graph: Graph) -> bool:
    """Tell whether the caches show every owner where it should be: then there is no need to ask."""
    owners = (graph.item(owner.uid) for owner in item.meta.ownerReferences)
    return all(
        owner is not None and _is_in_reach(item, owner) and not is_going(owner.meta, FOREGROUND)
        for owner in owners
    )


def _is_in_reach(item: Item, owner: Item) -> bool:
    """Tell whether an owner may own an item: of its namespace, or of none."""
    return not owner.resource.namespaced or owner.meta.namespace == item.meta.namespace


@dataclass(frozen=True, slots=True)
class _Owners:
    """The owners of an item, by what the apiserver says of them."""

    solid: list[OwnerReference]
    dangling: list[OwnerReference]
    waiting: list[OwnerReference]  # being deleted in the foreground, for this item among others


def _collect(item: Item, graph: Graph, facts: Facts) -> Plan:
    itself = _lookup(item)
    questions = [
        itself,
        *(found for owner in item.meta.ownerReferences if (found := _ask(item, owner, graph))),
    ]
    if missing := tuple(dict.fromkeys(one for one in questions if one not in facts.objects)):
        return Plan(needs=missing)
    live = facts.objects[itself]
    if live is None or live.uid != item.meta.uid:
        return NOTHING_TO_DO
    if live.resourceVersion != item.meta.resourceVersion:
        return NOTHING_TO_DO  # the cache is behind: the change that it will show brings the next plan
    warnings = tuple(_invalid(item, graph))
    owners = _sort(item, graph, facts)
    action = _keep(item, owners) if owners.solid else _end(item, owners, graph)
    return Plan((*warnings, *action))


def _lookup(item: Item) -> Lookup:
    return Lookup(item.resource, item.meta.namespace, item.meta.name)


def _ask(item: Item, owner: OwnerReference, graph: Graph) -> Lookup | None:
    """Give the question for an owner; None where there is no way to ask: such an owner is never seen as gone."""
    kind = graph.kind_of(owner)
    if kind is None or (kind.namespaced and not item.resource.namespaced):
        return None
    return Lookup(kind, item.meta.namespace if kind.namespaced else "", owner.name)


def _sort(item: Item, graph: Graph, facts: Facts) -> _Owners:
    owners = _Owners([], [], [])
    for owner in item.meta.ownerReferences:
        question = _ask(item, owner, graph)
        live = facts.objects[question] if question else None
        if question is None:
            owners.solid.append(owner)
        elif live is None or live.uid != owner.uid:
            owners.dangling.append(owner)
        elif is_going(live, FOREGROUND):
            owners.waiting.append(owner)
        else:
            owners.solid.append(owner)
    return owners


def _keep(item: Item, owners: _Owners) -> tuple[Action, ...]:
    """Somebody owns it: forget the owners that are gone, or that wait for it."""
    rest = {owner.uid for owner in (*owners.dangling, *owners.waiting)}
    return (_without_owners(item, rest),) if rest else ()


def _end(item: Item, owners: _Owners, graph: Graph) -> tuple[Action, ...]:
    dependents = graph.dependents(item.meta.uid)
    if not owners.waiting or not dependents:
        return (_delete(item, _policy(item.meta)),)
    unblock: tuple[Action, ...] = ()
    if any(is_going(dependent.meta, FOREGROUND) for dependent in dependents):
        unblock = (_unblocked(item),)  # a circle: nobody may wait for this one
        return (*unblock, _delete(item, "Foreground", at_revision=False))
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
    """Take blockOwnerDeletion back from every reference of an item."""
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


def _invalid(item: Item, graph: Graph) -> Iterable[RecordEvent]:
    """Warn of owners that are no owners: another namespace's, or a namespace's for an object of the cluster."""
    for owner in item.meta.ownerReferences:
        known = graph.item(owner.uid)
        if known is not None and not _is_in_reach(item, known):
            where = item.meta.namespace or "<cluster-scoped>"
            message = (
                f"ownerRef [{owner.apiVersion}/{owner.kind}, namespace: {item.meta.namespace}, "
                f'name: {owner.name}, uid: {owner.uid}] does not exist in namespace "{where}"'
            )
            about = reference_in(item.resource, item.meta)
            yield RecordEvent(about, "Warning", "OwnerRefInvalidNamespace", message)

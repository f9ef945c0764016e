"""Whom does a change concern? The answers that several controllers share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from controllers.core.controller import Key
from controllers.core.indexes import BY_SELECTOR
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.label_index import selectors_for
from machinery.model.owners import controller_of
from machinery.model.requests import EventType
from machinery.model.selectors import from_selector
from machinery.model.store import Change, Store


def key_of(meta: ObjectMeta) -> Key:
    """Return an object's own key."""
    return meta.namespace, meta.name


def itself(change: Change[Any]) -> Iterable[Key]:
    """Return the key of the object that has changed."""
    return (key_of(change.object.metadata),)


def namespace_of(change: Change[Any]) -> Iterable[Key]:
    """Return the key of its namespace."""
    return (("", change.object.metadata.namespace),)


def owners_and_adopters(change: Change[Any], kind: str, owners: Store[Any]) -> Iterator[Key]:
    """Return the controllers of a kind before and after; for an object without any, those that would adopt it.

    The owners have the index `BY_SELECTOR`.
    """
    namespace = change.object.metadata.namespace
    for state in (change.old, change.new):
        controller = controller_of(state.metadata) if state is not None else None
        if controller is not None and controller.kind == kind:
            yield namespace, controller.name
    if change.new is None or controller_of(change.new.metadata) is not None:
        return
    labels = change.new.metadata.labels
    for owner in selectors_for(owners, BY_SELECTOR, namespace, labels):
        if from_selector(owner.spec.selector).matches(labels):
            yield key_of(owner.metadata)


def node_of_pod(change: Change[Pod]) -> str:
    """Name the node that a pod is assigned to, "" for one that is gone or has none."""
    return "" if change.kind is EventType.DELETED else change.object.spec.nodeName

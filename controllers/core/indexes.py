"""Indexes that several controllers share: what an event concerns is found without a look at all that it does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from machinery.model.k8s.core_v1 import Pod
from machinery.model.label_index import label_entries, objects_for, selector_entries
from machinery.model.owners import controller_of
from machinery.model.resources import KubeObject
from machinery.model.selectors import LabelMatcher, from_selector
from machinery.model.store import Objects, Store

T = TypeVar("T", bound=KubeObject)

BY_CONTROLLER: Final = "controller"  # their controller's uid; those that nobody controls by their labels
BY_LABEL: Final = "label"
BY_NODE: Final = "node"  # the name of the node that they are assigned to
BY_SELECTOR: Final = "selector"  # one label that their selector asks for


def by_controller(obj: KubeObject) -> Iterable[str]:
    """Index objects by what controls them, those without a controller by their labels: a selector may adopt them."""
    controller = controller_of(obj.metadata)
    return (controller.uid,) if controller else by_label(obj)


def by_label(obj: KubeObject) -> Iterable[str]:
    """Index objects by each of their labels, in their namespace."""
    return label_entries(obj.metadata.namespace, obj.metadata.labels)


def by_selector(obj: Any) -> Iterable[str]:
    """Index workloads by what their selector asks for, in their namespace."""
    return selector_entries(obj.metadata.namespace, from_selector(obj.spec.selector))


def claimable(store: Store[T], owner: KubeObject, matcher: LabelMatcher) -> Objects[T]:
    """Return what an owner has, and what it may adopt, from an index `by_controller`."""
    orphans = objects_for(store, BY_CONTROLLER, owner.metadata.namespace, matcher)
    return [*store.by_index(BY_CONTROLLER, owner.metadata.uid), *orphans]


def by_node(pod: Pod) -> Iterable[str]:
    """Index pods by the node that they are assigned to."""
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()

"""Whom does a change concern? Functions from a change in an informer to the keys that have to be looked at again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from controllers.core.endpointslice import SERVICE_NAME, is_ours
from controllers.core.garbage import FOREGROUND, ORPHAN, is_going
from controllers.core.node_health import is_node_ready, zones_by_node
from controllers.core.serviceaccount import DEFAULT
from controllers.core.workloads import Deployment, ReplicaSet
from controllers.informers import World
from machinery.model.k8s.core_v1 import Namespace, Node, Pod, ServiceAccount
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import controller_of
from machinery.model.pods import is_terminal, is_terminating
from machinery.model.requests import EventType
from machinery.model.resources import KubeObject, Resource
from machinery.model.selectors import from_selector
from machinery.model.store import Change
from machinery.model.taints import NO_EXECUTE

Key: TypeAlias = tuple[str, ...]
Keys: TypeAlias = Callable[[World, Resource[Any], Change[Any]], Iterable[Key]]
T = TypeVar("T", bound=KubeObject)

EVERYTHING: Final[Key] = ("", "")


def itself(_world: World, _resource: Resource[Any], change: Change[Any]) -> Iterable[Key]:
    """Give the object's own key."""
    return (_key(change.object.metadata),)


def namespace_itself(_world: World, _resource: Resource[Any], change: Change[Namespace]) -> Iterable[Key]:
    """Give the namespace's key."""
    return (("", change.object.metadata.name),)


def namespace_of(_world: World, _resource: Resource[Any], change: Change[Any]) -> Iterable[Key]:
    """Give the key of the object's namespace."""
    return (("", change.object.metadata.namespace),)


def namespace_of_default_account(
    _world: World, _resource: Resource[Any], change: Change[ServiceAccount]
) -> Iterable[Key]:
    """Give the namespace whose default ServiceAccount is gone."""
    meta = change.object.metadata
    gone = change.kind is EventType.DELETED and meta.name == DEFAULT
    return (("", meta.namespace),) if gone else ()


def leaving_namespace(world: World, _resource: Resource[Any], change: Change[Any]) -> Iterable[Key]:
    """Give the object's namespace, where it waits for objects to go and one has."""
    if change.kind is not EventType.DELETED:
        return ()
    namespace = world.namespaces.store.get("", change.object.metadata.namespace)
    leaving = namespace is not None and namespace.metadata.deletionTimestamp
    return (("", change.object.metadata.namespace),) if leaving else ()


def deployments_of_replica_set(
    world: World, _resource: Resource[Any], change: Change[ReplicaSet]
) -> Iterator[Key]:
    """Give the owners before and after; for one that nobody controls, those that would adopt it."""
    yield from _owners_and_adopters(change, "Deployment", world.deployments.store.list, _selector_of)


def replica_sets_of_pod(world: World, _resource: Resource[Any], change: Change[Pod]) -> Iterator[Key]:
    """Give the owners before and after; for one that nobody controls, those that would adopt it."""
    yield from _owners_and_adopters(change, "ReplicaSet", world.replica_sets.store.list, _selector_of)


def deployments_of_ended_pod(world: World, _resource: Resource[Any], change: Change[Pod]) -> Iterator[Key]:
    """Give the Deployment that may wait for a pod to end (Recreate)."""
    pod = change.object
    if change.kind is not EventType.DELETED and not is_terminal(pod):
        return
    controller = controller_of(pod.metadata)
    if controller is None or controller.kind != "ReplicaSet":
        return
    owner = world.replica_sets.store.get(pod.metadata.namespace, controller.name)
    above = controller_of(owner.metadata) if owner else None
    if above is not None and above.kind == "Deployment":
        yield pod.metadata.namespace, above.name


def services_of_pod(world: World, _resource: Resource[Any], change: Change[Pod]) -> Iterator[Key]:
    """Give the Services that select the pod, or did."""
    states = [state.metadata.labels for state in (change.old, change.new) if state is not None]
    for service in world.services.store.list(change.object.metadata.namespace):
        if any(selects(service.spec.selector, labels) for labels in states):
            yield _key(service.metadata)


def service_of_slice(_world: World, _resource: Resource[Any], change: Change[EndpointSlice]) -> Iterator[Key]:
    """Give the Service of a slice that is ours, or was."""
    for state in (change.old, change.new):
        if state is not None and is_ours(state) and (name := state.metadata.labels.get(SERVICE_NAME)):
            yield state.metadata.namespace, name


def services_of_node(world: World, _resource: Resource[Any], change: Change[Node]) -> Iterable[Key]:
    """Give all Services where a node comes, goes, or moves to another zone."""
    if change.old and change.new and zones_by_node([change.old]) == zones_by_node([change.new]):
        return ()
    return [_key(service.metadata) for service in world.services.store]


def nodes_by_health(world: World, _resource: Resource[Any], change: Change[Node]) -> Iterable[Key]:
    """Give the node; and all, where the health of a zone as a whole has changed with it."""
    node = change.object
    gone = change.kind is EventType.DELETED
    shifted = world.zones.drop(node.metadata.name) if gone else world.zones.put(node)
    if shifted:
        return [_key(other.metadata) for other in world.nodes.store]
    return (_key(node.metadata),)


def unhealthy_node_of_pod(world: World, _resource: Resource[Any], change: Change[Pod]) -> Iterable[Key]:
    """Give the pod's node, where that is not Ready."""
    node = _node_of(world, change)
    return (_key(node.metadata),) if node is not None and not is_node_ready(node) else ()


def evicting_node_of_pod(world: World, _resource: Resource[Any], change: Change[Pod]) -> Iterable[Key]:
    """Give the pod's node, where that evicts."""
    node = _node_of(world, change)
    if node is None or not any(taint.effect == NO_EXECUTE for taint in node.spec.taints):
        return ()
    return (_key(node.metadata),)


def everything_if_unassigned(world: World, _resource: Resource[Any], change: Change[Node]) -> Iterable[Key]:
    """Ask for a look at all nodes where one has no range, or leaves one that others wait for."""
    waits = not change.object.spec.podCIDR
    if change.kind is EventType.DELETED:
        waits = any(not node.spec.podCIDR for node in world.nodes.store)
    return (EVERYTHING,) if waits else ()


def everything_if_gone(_world: World, _resource: Resource[Any], change: Change[Node]) -> Iterable[Key]:
    """Ask for a look at everything where a node is gone."""
    return (EVERYTHING,) if change.kind is EventType.DELETED else ()


def everything_if_ended_unassigned(
    _world: World, _resource: Resource[Any], change: Change[Pod]
) -> Iterable[Key]:
    """Ask for a look at everything where a pod is to end that has no node."""
    pod = change.object
    waits = change.kind is not EventType.DELETED and is_terminating(pod) and not pod.spec.nodeName
    return (EVERYTHING,) if waits else ()


def graph_neighbours(world: World, resource: Resource[Any], change: Change[Any]) -> Iterator[Key]:
    """Give the object where it has owners or goes in a manner of its own, and those that its change may concern.

    Its dependents, when it is gone or wants them gone; its owners, when one of them waits for it.
    """
    meta: ObjectMeta = change.object.metadata
    gone = change.kind is EventType.DELETED
    if not gone and (meta.ownerReferences or is_going(meta, FOREGROUND) or is_going(meta, ORPHAN)):
        yield (str(resource), *_key(meta))
    if gone or is_going(meta, FOREGROUND):
        for dependent in world.graph.dependents(meta.uid):
            yield (str(dependent.resource), *_key(dependent.meta))
    for owner in change.old.metadata.ownerReferences if change.old is not None else ():
        known = world.graph.item(owner.uid)
        if known is not None and is_going(known.meta, FOREGROUND):
            yield (str(known.resource), *_key(known.meta))


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether a Service's selector, if it has one, matches labels."""
    return bool(selector) and selector.items() <= labels.items()


def _key(meta: ObjectMeta) -> Key:
    return meta.namespace, meta.name


def _node_of(world: World, change: Change[Pod]) -> Node | None:
    name = change.object.spec.nodeName
    return world.nodes.store.get("", name) if name and change.kind is not EventType.DELETED else None


def _selector_of(owner: Deployment | ReplicaSet) -> Any:
    return from_selector(owner.spec.selector)


def _owners_and_adopters(
    change: Change[Any], kind: str, owners_in: Callable[[str], list[Any]], selector_of: Callable[[Any], Any]
) -> Iterator[Key]:
    namespace = change.object.metadata.namespace
    for state in (change.old, change.new):
        controller = controller_of(state.metadata) if state is not None else None
        if controller is not None and controller.kind == kind:
            yield namespace, controller.name
    if change.new is None or controller_of(change.new.metadata) is not None:
        return
    for owner in owners_in(namespace):
        if selector_of(owner).matches(change.new.metadata.labels):
            yield _key(owner.metadata)

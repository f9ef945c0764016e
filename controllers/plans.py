"""From a key to its plan: reads what the plan needs out of the caches, and nothing else."""

from __future__ import annotations

from typing import Any

from controllers.core import (
    endpointslice,
    garbage,
    namespace,
    node_ipam,
    node_lifecycle,
    pod_gc,
    replicaset,
    serviceaccount,
    taint_eviction,
)
from controllers.core.actions import NOTHING_TO_DO, Facts, Plan, event
from controllers.core.deployment.plan import plan as plan_deployment
from controllers.core.moment import Moment
from controllers.core.node_health import LEASE_NAMESPACE, zone_of, zones_by_node
from controllers.core.workloads import Deployment, ReplicaSet
from controllers.informers import BY_CONTROLLER, BY_NODE, BY_SERVICE, KINDS, World, orphans_of
from controllers.triggers import Key, selects
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.profile import Intervals

_NAMESPACED: Any = tuple(kind for kind in KINDS if kind.namespaced)


def deployment_plan(world: World, key: Key, moment: Moment, _intervals: Intervals, facts: Facts) -> Plan:
    """Plan for a Deployment, if it is there."""
    place, name = key
    deployment = world.deployments.store.get(place, name)
    if deployment is None:
        return NOTHING_TO_DO
    replica_sets = world.replica_sets.store.list(place)
    pods = _pods_of(world, replica_sets) if _recreates(deployment) else []
    return plan_deployment(deployment, replica_sets, pods, moment, facts)


def _recreates(deployment: Deployment) -> bool:
    return deployment.spec.strategy.type == "Recreate"


def _pods_of(world: World, replica_sets: list[ReplicaSet]) -> list[Pod]:
    return [pod for rs in replica_sets for pod in world.pods.store.by_index(BY_CONTROLLER, rs.metadata.uid)]


def replicaset_plan(world: World, key: Key, moment: Moment, _intervals: Intervals, facts: Facts) -> Plan:
    """Plan for a ReplicaSet, if it is there: with its own pods, its siblings', and those of nobody."""
    place, name = key
    rs = world.replica_sets.store.get(place, name)
    if rs is None:
        return NOTHING_TO_DO
    siblings = replicaset.siblings_of(rs, world.replica_sets.store.list(place))
    index = world.pods.store.by_index
    pods = [pod for uid in {*siblings, rs.metadata.uid} for pod in index(BY_CONTROLLER, uid)]
    return replicaset.plan(rs, [*pods, *index(BY_CONTROLLER, orphans_of(place))], siblings, moment, facts)


def endpointslice_plan(world: World, key: Key, moment: Moment, _intervals: Intervals, _facts: Facts) -> Plan:
    """Plan for a Service, if it is there."""
    place, name = key
    service = world.services.store.get(place, name)
    if service is None:
        return NOTHING_TO_DO
    pods = [
        pod for pod in world.pods.store.list(place) if selects(service.spec.selector, pod.metadata.labels)
    ]
    slices = world.slices.store.by_index(BY_SERVICE, f"{place}/{name}")
    return endpointslice.plan(service, pods, slices, zones_by_node(world.nodes.store), moment)


def node_lifecycle_plan(world: World, key: Key, moment: Moment, intervals: Intervals, facts: Facts) -> Plan:
    """Plan for a node, if it is there; its arrival is told once."""
    node = world.nodes.store.get("", key[1])
    if node is None:
        return NOTHING_TO_DO
    if facts.objects:  # the apiserver has just answered
        world.heartbeats.regain_sight(world.clock.monotonic())
    pods = world.pods.store.by_index(BY_NODE, key[1])
    plan = node_lifecycle.plan(node, pods, _sight(world, node), world.throttle, moment, intervals, facts)
    if plan.needs or node.metadata.uid in world.announced:
        return plan
    world.announced.add(node.metadata.uid)
    return Plan((_arrival(node), *plan.actions), plan.requeue_after_s)


def _sight(world: World, node: Node) -> node_lifecycle.Sight:
    name, now_s = node.metadata.name, world.clock.monotonic()
    lease = world.leases.store.get(LEASE_NAMESPACE, name)
    return node_lifecycle.Sight(
        silent_s=world.heartbeats.age_s(name, now_s),
        unready_s=world.heartbeats.unready_s(name, now_s),
        lease_revision=lease.metadata.resourceVersion if lease else "",
        disruption=world.zones.disruption(zone_of(node)),
        monotonic_s=now_s,
    )


def _arrival(node: Node) -> Any:
    name = node.metadata.name
    return event(node, "Normal", "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")


def taint_eviction_plan(world: World, key: Key, moment: Moment, _intervals: Intervals, _facts: Facts) -> Plan:
    """Plan for the pods of a node, if it is there."""
    node = world.nodes.store.get("", key[1])
    if node is None:
        return NOTHING_TO_DO
    since_s = world.taint_ages.look(node, moment)
    return taint_eviction.plan(node, world.pods.store.by_index(BY_NODE, key[1]), since_s, moment)


def node_ipam_plan(world: World, _key: Key, _moment: Moment, _intervals: Intervals, _facts: Facts) -> Plan:
    """Plan for all nodes."""
    if not world.cluster_cidr:
        return NOTHING_TO_DO
    return node_ipam.plan(world.nodes.store, world.cluster_cidr)


def garbage_plan(world: World, key: Key, _moment: Moment, _intervals: Intervals, facts: Facts) -> Plan:
    """Plan for one object of any kind, if it is there."""
    resource, place, name = key
    informer = world.by_resource[resource]
    found = informer.store.get(place, name)
    if found is None:
        return NOTHING_TO_DO
    return garbage.plan(garbage.Item(informer.resource, found.metadata), world.graph, facts)


def pod_gc_plan(world: World, _key: Key, moment: Moment, _intervals: Intervals, facts: Facts) -> Plan:
    """Plan for all pods."""
    nodes = {node.metadata.name: node for node in world.nodes.store}
    pods = world.pods.store.list()
    world.missing_nodes = pod_gc.quarantine(world.missing_nodes, pods, nodes, moment.now_s)
    return pod_gc.plan(pods, nodes, world.missing_nodes, moment, facts)


def namespace_plan(world: World, key: Key, moment: Moment, _intervals: Intervals, facts: Facts) -> Plan:
    """Plan for a namespace, if it is there."""
    found = world.namespaces.store.get("", key[1])
    return namespace.plan(found, _NAMESPACED, moment, facts) if found else NOTHING_TO_DO


def serviceaccount_plan(
    world: World, key: Key, _moment: Moment, _intervals: Intervals, _facts: Facts
) -> Plan:
    """Plan for what a namespace has from the start."""
    found = world.namespaces.store.get("", key[1])
    if found is None:
        return NOTHING_TO_DO
    account = world.accounts.store.get(key[1], serviceaccount.DEFAULT)
    root_ca = world.root_cas.store.get(key[1], serviceaccount.ROOT_CA)
    return serviceaccount.plan(found, account, root_ca, world.root_ca)

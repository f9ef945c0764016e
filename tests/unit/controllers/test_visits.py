"""The cost of an event follows what it concerns: all controllers together do the same for it beside N objects and 10 N.

What walks over everything all the same is named in `RESYNCS` and `WALKS`.
"""

from __future__ import annotations

from typing import Any

import pytest

from controllers.core.controller import EVERYTHING_AT_ONCE
from machinery.model.store import Store
from tests.support.visited.cluster import (
    account,
    aggregated_role,
    certificate_request,
    cluster_role,
    definition,
    lease,
    namespace,
    node,
    policy,
    quota,
    root_ca,
    token_secret,
)
from tests.support.visited.objects import CREATED, NEW, is_ready, named, with_metadata
from tests.support.visited.services import (
    balancer,
    endpoint_slice,
    endpoints,
    manual_endpoints,
    service,
    service_cidr,
)
from tests.support.visited.storage import (
    attachment,
    claim,
    claim_template,
    device_claim,
    device_pod,
    driver,
    storage_class,
    volume,
)
from tests.support.visited.workloads import (
    autoscaler,
    budget,
    cron_job,
    daemon_set,
    deployment,
    job,
    pod,
    replica_set,
    replication_controller,
    revision,
    stateful_set,
)
from tests.support.visited.world import Event, World, one_of_each

N = 8
RESYNCS = {
    (
        "pod-garbage-collector",
        EVERYTHING_AT_ONCE,
    ): "every 20 s: ended pods are counted, and what no event told is found",
    (
        "endpoint-controller",
        EVERYTHING_AT_ONCE,
    ): "once, at the start: Endpoints of Services that went while nobody looked",
}
WALKS = {
    "daemon set comes": "a DaemonSet looks at every node, since it wants a pod on each that suits it",
    "daemon set changes": "the same",
    "node comes": "each DaemonSet that the node suits looks at every node",
    "node moves": "the same",
    "node goes": "the same",
    "node is not ready": "who answers for a load balancer is drawn from every node",
    "balancer comes": "the same",
}

GOING = {"deletionTimestamp": CREATED}

EVENTS: dict[str, Event] = {
    "node comes": lambda world: world.put(node(NEW, podCIDR="", podCIDRs=[])),
    "node beats": lambda world: world.put(node(1)),
    "node is not ready": lambda world: world.put(node(1, ready="False")),
    "node moves": lambda world: world.put(node(1) | {"metadata": node(1)["metadata"] | {"labels": {}}}),
    "node goes": lambda world: world.drop(node(1)),
    "lease is renewed": lambda world: world.put(lease(1, "2026-01-01T00:00:10Z")),
    "namespace comes": lambda world: world.put(namespace(NEW)),
    "namespace is to go": lambda world: world.put(namespace(1, **GOING)),
    "account goes": lambda world: world.drop(account(1)),
    "root certificates go": lambda world: world.drop(root_ca(1)),
    "deployment comes": lambda world: world.put(deployment(NEW)),
    "deployment is scaled": lambda world: world.put(deployment(1, 9)),
    "deployment goes": lambda world: world.drop(deployment(1)),
    "replica set of nobody comes": lambda world: (world.put(deployment(NEW)), world.put(replica_set(NEW, owned=False))),
    "replica set changes": lambda world: world.put(replica_set(1)),
    "replica set goes": lambda world: world.drop(replica_set(1)),
    "replica set goes in the foreground": lambda world: world.put(
        with_metadata(replica_set(1), **GOING, finalizers=["foregroundDeletion"])
    ),
    "stateful set comes": lambda world: world.put(stateful_set(NEW)),
    "stateful set is scaled": lambda world: world.put(stateful_set(1, 2)),
    "stateful set goes": lambda world: world.drop(stateful_set(1)),
    "revision changes": lambda world: world.put(revision(1, 2)),
    "revision goes": lambda world: world.drop(revision(1)),
    "claim of a stateful set goes": lambda world: (world.put(named(claim(1), "disk-db-1-0")), world.drop(named(claim(1), "disk-db-1-0"))),
    "pod of a stateful set's name goes": lambda world: (world.put(named(pod(1), "db-1-0")), world.drop(named(pod(1), "db-1-0"))),
    "daemon set comes": lambda world: world.put(daemon_set(NEW)),
    "daemon set changes": lambda world: world.put(daemon_set(1, "app:2")),
    "daemon set goes": lambda world: world.drop(daemon_set(1)),
    "replication controller is scaled": lambda world: world.put(replication_controller(1, 3)),
    "replication controller goes": lambda world: world.drop(replication_controller(1)),
    "job comes": lambda world: world.put(job(NEW, owned=False)),
    "job has ended": lambda world: world.put(job(1, conditions=[{"type": "Complete", "status": "True", "lastTransitionTime": CREATED}])),
    "job goes": lambda world: world.drop(job(1)),
    "cron job changes": lambda world: world.put(cron_job(1, "0 0 2 1 *")),
    "cron job goes": lambda world: world.drop(cron_job(1)),
    "autoscaler changes": lambda world: world.put(autoscaler(1, 5)),
    "autoscaler goes": lambda world: world.drop(autoscaler(1)),
    "pod comes": lambda world: world.put(pod(1, 9)),
    "pod of nobody comes": lambda world: world.put(with_metadata(pod(1, 9), ownerReferences=[])),
    "pod is not ready": lambda world: world.put(pod(1, status=is_ready("False"))),
    "pod gets other labels": lambda world: world.put(with_metadata(pod(1), labels={"app": "web-2", "tier": "all"})),
    "pod ends without a node": lambda world: world.put(pod(1, 9, metadata=GOING, spec={"nodeName": ""})),
    "pod has ended": lambda world: world.put(pod(1, status={"phase": "Succeeded"})),
    "pod goes": lambda world: world.drop(pod(1)),
    "service comes": lambda world: world.put(service(NEW, 1)),
    "service selects others": lambda world: world.put(service(1, 2)),
    "service goes": lambda world: world.drop(service(1)),
    "balancer comes": lambda world: world.put(balancer(NEW)),
    "balancer asks for an address": lambda world: world.put(balancer(1, loadBalancerIP="172.17.0.1")),
    "balancer goes": lambda world: world.drop(balancer(1)),
    "range comes": lambda world: world.put(service_cidr(NEW)),
    "range goes": lambda world: world.drop(service_cidr(1)),
    "budget comes": lambda world: world.put(budget(NEW, 1)),
    "budget selects others": lambda world: world.put(budget(1, 2)),
    "budget goes": lambda world: world.drop(budget(1)),
    "endpoints change": lambda world: world.put(endpoints(1) | {"subsets": []}),
    "endpoints go": lambda world: world.drop(endpoints(1)),
    "endpoints of nobody come": lambda world: world.put(endpoints(NEW)),
    "mirrored endpoints change": lambda world: world.put(manual_endpoints(1) | {"subsets": []}),
    "mirrored endpoints go": lambda world: world.drop(manual_endpoints(1)),
    "quota changes": lambda world: world.put(quota(1) | {"spec": {"hard": {"pods": "10"}}}),
    "definition comes": lambda world: world.put(definition(NEW)),
    "policy changes": lambda world: world.put(policy(1, 2)),
    "claim is to go": lambda world: world.put(claim(1, **GOING)),
    "claim comes": lambda world: (world.put(storage_class(NEW)), world.put(claim(NEW, bound=False))),
    "claim goes": lambda world: world.drop(claim(1)),
    "volume comes": lambda world: (world.put(claim(NEW, bound=False)), world.put(volume(NEW, "Available"))),
    "volume changes": lambda world: world.put(volume(1)),
    "volume goes": lambda world: world.drop(volume(1)),
    "driver changes": lambda world: world.put(driver(1, attaches=False)),
    "attachment changes": lambda world: world.put(attachment(1, attached=False)),
    "attachment goes": lambda world: world.drop(attachment(1)),
    "template of claims comes": lambda world: world.put(claim_template(NEW)),
    "template of claims is made anew": lambda world: (world.drop(claim_template(1)), world.put(claim_template(1))),
    "pod with devices has ended": lambda world: world.put(device_pod(1, "Succeeded")),
    "claim of devices changes": lambda world: world.put(device_claim(1, reservedFor=[])),
    "claim of devices goes": lambda world: world.drop(device_claim(1)),
    "class becomes the default one": lambda world: world.put(
        storage_class(1, **{"storageclass.kubernetes.io/is-default-class": "true"})
    ),
    "slice changes": lambda world: world.put(endpoint_slice(1) | {"endpoints": []}),
    "slice goes": lambda world: world.drop(endpoint_slice(1)),
    "token secret comes": lambda world: world.put(token_secret(NEW)),
    "token secret changes": lambda world: world.put(token_secret(1, a="Yg==")),
    "role comes": lambda world: world.put(cluster_role(NEW, "part-1")),
    "role is no part any more": lambda world: world.put(cluster_role(1, "none")),
    "role goes": lambda world: world.drop(cluster_role(1)),
    "role gathers others": lambda world: world.put(aggregated_role(1, "part-2")),
    "certificate is asked for": lambda world: world.put(certificate_request(NEW)),
    "certificate is approved": lambda world: world.put(certificate_request(1, "Approved")),
    "request for a certificate goes": lambda world: world.drop(certificate_request(1)),
}  # fmt: skip


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    return World(N), World(10 * N)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_costs_no_more_beside_ten_times_as_many(worlds: tuple[World, World], event: str) -> None:
    """Less than one instruction for ten objects more, of each kind: nobody walks over them."""
    few, many = (world.work(EVENTS[event]) for world in worlds)
    assert few > 0
    assert many - few < N or (event in WALKS and many < 11 * few)


def test_every_collection_that_a_controller_watches_has_events() -> None:
    """A controller that watches another one has to have its events here; metadata are watched of all kinds."""
    world = World(1)
    watched = {
        watched.source.resource.kind
        for controller in world.controllers
        for watched in controller.watched
        if watched.source.resource.type.__name__ != "MetadataOnly"
    }
    assert watched <= {obj["kind"] for obj in one_of_each(0)}


def test_what_walks_over_everything_is_named() -> None:
    """A key that stands for everything is there from the start, and comes again by itself."""
    world = World(1)
    always = {(controller.name, key) for controller in world.controllers for key in controller.always}
    assert always == set(RESYNCS)


def test_a_walk_is_found(worlds: tuple[World, World]) -> None:
    """One that copies, and one that looks at each."""
    for walk in (lambda world: _pods(world).list(), lambda world: [None for _ in _pods(world)]):
        few, many = (world.work(walk) for world in worlds)
        assert many - few >= N


def _pods(world: World) -> Store[Any]:
    return next(each for each in world.informers if each.resource.plural == "pods").store

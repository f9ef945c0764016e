"""The controllers' process against a registry in memory, in virtual time."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from controllers import deployment as deployments
from controllers import (
    endpointslice,
    garbage_collector,
    node_ipam,
    node_lifecycle,
    pod_gc,
    replicaset,
    taint_eviction,
)
from controllers.app import LEASE
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS
from controllers.table import CONTROLLERS
from machinery.client.leader import COMPONENT_LEASES, LeaderElector, LeadershipLost
from machinery.model.errors import Cause, Forbidden, NotFound, Unavailable
from machinery.model.pods import is_ready
from machinery.model.requests import Selection
from machinery.model.resources import (
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from tests.support import builders
from tests.support.controllers import deployment, replica_set
from tests.support.controllers_cluster import TABLE, Cluster, cluster_with

LOOK_S = 0.2


# To start all of them takes longer than most of these tests: where the others have no say they are left out.
WORKLOADS = (deployments.build, replicaset.build, garbage_collector.build, endpointslice.build)
OF_NODES = (node_lifecycle.build, taint_eviction.build, node_ipam.build, pod_gc.build)


@pytest.fixture
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A process with all controllers, or with those that are asked for."""
    async with cluster_with("a", table=getattr(request, "param", CONTROLLERS)) as running:
        yield running


of_workloads = pytest.mark.parametrize("cluster", [WORKLOADS], indirect=True, ids=["workloads"])
of_nodes = pytest.mark.parametrize("cluster", [OF_NODES], indirect=True, ids=["nodes"])


async def test_a_deployment_gets_its_pods(cluster: Cluster):
    """Deployment to ReplicaSet to pods, with owners, and with the events that users know."""
    await cluster.server.given(DEPLOYMENTS, deployment(3))
    await cluster.clock.advance(LOOK_S)
    assert len(await cluster.pods()) == 3
    [rs] = (await cluster.user.list(REPLICA_SETS)).items
    pods = (await cluster.user.list(PODS)).items
    assert {pod.metadata.ownerReferences[0].uid for pod in pods} == {rs.metadata.uid}
    assert all(name.startswith(f"{rs.metadata.name}-") for name in await cluster.pods())
    events = (await cluster.user.list(EVENTS)).items
    told = {(event.reason, event.source.component) for event in events if event.source}
    assert ("ScalingReplicaSet", "deployment-controller") in told
    assert ("SuccessfulCreate", "replicaset-controller") in told


@of_workloads
async def test_a_rolling_update_runs_through(cluster: Cluster):
    """With a kubelet that makes pods Ready the new template replaces the old one."""
    await cluster.server.given(DEPLOYMENTS, deployment(3))
    for _ in range(3):
        await cluster.clock.advance(LOOK_S)
        await cluster.kubelet()
    template = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "app:2"}]}}}}
    await cluster.user.patch(DEPLOYMENTS, "web", template, namespace="default")
    for _ in range(10):
        await cluster.clock.advance(LOOK_S)
        await cluster.kubelet()
    pods = (await cluster.user.list(PODS)).items
    assert [pod.spec.containers[0].image for pod in pods] == ["app:2"] * 3
    after = await cluster.user.get(DEPLOYMENTS, "web", namespace="default")
    assert after.status.availableReplicas == 3


@of_workloads
async def test_a_lost_answer_to_a_create_makes_no_pod_too_many(cluster: Cluster):
    """What may have happened is looked up before anything else is done."""
    lost: list[str] = []
    most = 0

    async def lose(verb: str, plural: str, name: str) -> None:
        if (verb, plural) == ("create", "pods") and len(lost) < 2:
            lost.append(name)
            raise Unavailable("the connection broke")

    cluster.apis["a"].before_reply = lose
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=3))
    for _ in range(60):
        await cluster.clock.advance(0.05)
        most = max(most, len(await cluster.pods()))
    assert len(lost) == 2
    assert len(await cluster.pods()) == most == 3


@of_workloads
async def test_a_create_that_did_not_happen_is_made_up_for(cluster: Cluster):
    """A request that was lost on its way is found missing, and another one is made."""
    failures = 2

    async def fail(verb: str, plural: str, _name: str) -> None:
        nonlocal failures
        if (verb, plural) == ("create", "pods") and failures:
            failures -= 1
            raise Unavailable("nobody there")

    cluster.apis["a"].before_call = fail
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=3))
    await cluster.clock.advance(5)
    assert len(await cluster.pods()) == 3


@of_workloads
async def test_a_cache_that_stands_still_makes_no_pod_too_many(cluster: Cluster):
    """Without news of its own pods the controller makes no more, whatever else changes."""
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=2))
    await cluster.clock.advance(LOOK_S)

    async def hang(verb: str, plural: str, _name: str) -> None:
        if (verb, plural) in {("watch", "pods"), ("list", "pods")}:
            await asyncio.Event().wait()

    cluster.apis["a"].before_call = hang
    cluster.server.break_watches()
    await cluster.clock.advance(5)
    await cluster.user.patch(REPLICA_SETS, "web-1", {"spec": {"replicas": 4}}, namespace="default")
    for label in "xyz":
        await cluster.clock.advance(1)
        await cluster.user.patch(
            REPLICA_SETS, "web-1", {"metadata": {"labels": {"touched": label}}}, namespace="default"
        )
    await cluster.clock.advance(1)
    assert len(await cluster.pods()) == 4


@of_workloads
async def test_a_refused_pod_is_told_and_tried_again(cluster: Cluster):
    """Few attempts while it is refused, an event, and a condition; then all of them."""
    refusing = True

    async def refuse(verb: str, plural: str, _name: str) -> None:
        if (verb, plural) == ("create", "pods") and refusing:
            raise Forbidden("exceeded quota: compute")

    cluster.apis["a"].before_call = refuse
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=8))
    await cluster.clock.advance(0.001)
    tries = [call for call in cluster.apis["a"].calls if call[:2] == ("create", "pods")]
    assert 1 <= len(tries) < 8
    await cluster.clock.advance(2)
    rs = await cluster.user.get(REPLICA_SETS, "web-1", namespace="default")
    [condition] = rs.status.conditions
    assert (condition.type, condition.reason) == ("ReplicaFailure", "FailedCreate")
    assert "FailedCreate" in {event.reason for event in (await cluster.user.list(EVENTS)).items}
    refusing = False
    await cluster.clock.advance(10)
    assert len(await cluster.pods()) == 8
    rs = await cluster.user.get(REPLICA_SETS, "web-1", namespace="default")
    assert not rs.status.conditions


@of_workloads
async def test_what_a_leaving_namespace_refuses_is_no_failure(cluster: Cluster):
    """The owner goes, too: nothing is told, nothing is tried again."""

    async def refuse(verb: str, plural: str, _name: str) -> None:
        if (verb, plural) == ("create", "pods"):
            raise Forbidden(
                "no", causes=(Cause("metadata.namespace", "terminating", "NamespaceTerminating"),)
            )

    cluster.apis["a"].before_call = refuse
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=1))
    await cluster.clock.advance(60)
    tries = [call for call in cluster.apis["a"].calls if call[:2] == ("create", "pods")]
    assert len(tries) < 5
    assert (await cluster.user.list(EVENTS)).items == []


@of_workloads
async def test_an_owner_takes_its_dependents_along(cluster: Cluster):
    """Deployment gone: ReplicaSets, then pods."""
    await cluster.server.given(DEPLOYMENTS, deployment(2))
    await cluster.clock.advance(LOOK_S)
    await cluster.user.delete(DEPLOYMENTS, "web", namespace="default")
    await cluster.clock.advance(LOOK_S)
    assert await cluster.pods() == []
    assert (await cluster.user.list(REPLICA_SETS)).items == []


@of_workloads
async def test_an_owner_in_the_foreground_goes_last(cluster: Cluster):
    """It waits for its ReplicaSets, and they for their pods."""
    hold = {"finalizers": ["foregroundDeletion"]}
    await cluster.server.given(DEPLOYMENTS, deployment(2, metadata=hold))
    await cluster.clock.advance(LOOK_S)
    for name in await cluster.pods():
        held = {"metadata": {"finalizers": ["test/hold"]}}
        await cluster.user.patch(PODS, name, held, namespace="default")
    [rs] = (await cluster.user.list(REPLICA_SETS)).items
    name = rs.metadata.name
    await cluster.user.patch(REPLICA_SETS, name, {"metadata": hold}, namespace="default")
    await cluster.user.delete(DEPLOYMENTS, "web", namespace="default")
    await cluster.clock.advance(LOOK_S)
    assert len((await cluster.user.list(DEPLOYMENTS)).items) == 1
    assert (await cluster.user.get(REPLICA_SETS, name, namespace="default")).metadata.deletionTimestamp
    for pod in (await cluster.user.list(PODS)).items:
        assert pod.metadata.deletionTimestamp
        free = {"metadata": {"finalizers": None}}
        await cluster.user.patch(PODS, pod.metadata.name, free, namespace="default")
    await cluster.clock.advance(LOOK_S)
    assert (await cluster.user.list(DEPLOYMENTS)).items == []
    assert (await cluster.user.list(REPLICA_SETS)).items == []


@of_workloads
async def test_an_orphaning_owner_leaves_its_dependents(cluster: Cluster):
    """They go on without it, and a new owner of the same selector takes them over."""
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=2, metadata={"finalizers": ["orphan"]}))
    await cluster.clock.advance(LOOK_S)
    before = await cluster.pods()
    await cluster.user.delete(REPLICA_SETS, "web-1", namespace="default")
    await cluster.clock.advance(LOOK_S)
    assert (await cluster.user.list(REPLICA_SETS)).items == []
    pods = (await cluster.user.list(PODS)).items
    assert [pod.metadata.ownerReferences for pod in pods] == [[], []]
    await cluster.server.given(REPLICA_SETS, replica_set("web-2", replicas=2))
    await cluster.clock.advance(LOOK_S)
    assert await cluster.pods() == before
    pods = (await cluster.user.list(PODS)).items
    assert {pod.metadata.ownerReferences[0].name for pod in pods} == {"web-2"}


@of_nodes
async def test_pods_of_a_node_that_was_deleted_are_collected(cluster: Cluster):
    """After the quarantine, with a live look at the node."""
    await cluster.server.given(NODES, builders.node("node-1"))
    await cluster.server.given(PODS, builders.pod("lost", node="node-1", phase="Running"))
    await cluster.clock.advance(5)
    await cluster.user.delete(NODES, "node-1")
    await cluster.clock.advance(39)
    assert await cluster.pods() == ["lost"]
    await cluster.clock.advance(2)
    assert await cluster.pods() == []


@of_nodes
async def test_a_controllers_process_that_was_stopped_takes_nobody_for_dead(cluster: Cluster):
    """Its caches stand still while the nodes beat: the live look tells."""
    await cluster.server.given(NODES, builders.node("node-1"))
    beating = asyncio.ensure_future(heartbeat(cluster, "node-1"))
    await cluster.clock.advance(30)

    async def hang(verb: str, plural: str, _name: str) -> None:
        if verb in {"watch", "list"} and plural in {"leases", "nodes"}:
            await asyncio.Event().wait()

    cluster.apis["a"].before_call = hang
    cluster.server.break_watches()
    await cluster.clock.advance(300)
    node = await cluster.user.get(NODES, "node-1")
    assert [condition.status for condition in node.status.conditions] == ["True"]
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


@of_nodes
async def test_an_apiserver_that_was_away_makes_nobody_dead(cluster: Cluster):
    """Nobody could have beaten: when it is back, every node has its whole grace period again."""
    await cluster.server.given(NODES, builders.node("node-1"))
    await cluster.clock.advance(45)
    away = True

    async def fail(_verb: str, plural: str, name: str) -> None:
        if away and (plural, name) != ("leases", LEASE):
            raise Unavailable("the apiserver is away")

    cluster.apis["a"].before_call = fail
    await cluster.clock.advance(30)
    away = False
    await cluster.clock.advance(TABLE.node_monitor_grace_s - 1)
    node = await cluster.user.get(NODES, "node-1")
    assert [condition.status for condition in node.status.conditions] == ["True"]
    await cluster.clock.advance(30)
    node = await cluster.user.get(NODES, "node-1")
    assert {condition.status for condition in node.status.conditions} == {"Unknown"}


async def test_a_namespace_has_its_account_and_the_ca_at_once(cluster: Cluster):
    """Within milliseconds; and again, when somebody deletes them."""
    await cluster.server.given(NAMESPACES, builders.namespace("fresh"))
    await cluster.clock.advance(0.001)
    await cluster.user.get(SERVICE_ACCOUNTS, "default", namespace="fresh")
    root_ca = await cluster.user.get(CONFIG_MAPS, "kube-root-ca.crt", namespace="fresh")
    assert root_ca.data == {"ca.crt": "PEM"}
    await cluster.user.delete(SERVICE_ACCOUNTS, "default", namespace="fresh")
    await cluster.clock.advance(LOOK_S)
    await cluster.user.get(SERVICE_ACCOUNTS, "default", namespace="fresh")


@of_workloads
async def test_a_service_gets_its_endpoints(cluster: Cluster):
    """A Ready pod is in, a deleted one out."""
    await cluster.server.given(NODES, builders.node("node-1"))
    service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    await cluster.server.given(
        SERVICES,
        msgspec.convert(
            {"metadata": {"name": "web", "namespace": "default"}, "spec": service}, SERVICES.type
        ),
    )
    await cluster.server.given(REPLICA_SETS, replica_set(replicas=1))
    await cluster.clock.advance(LOOK_S)
    await cluster.kubelet("node-1")
    await cluster.clock.advance(LOOK_S)
    [slice_] = (await cluster.user.list(ENDPOINT_SLICES)).items
    [endpoint] = slice_.endpoints
    assert endpoint.conditions.ready
    assert [port.port for port in slice_.ports] == [8080]
    await cluster.user.patch(REPLICA_SETS, "web-1", {"spec": {"replicas": 0}}, namespace="default")
    await cluster.clock.advance(LOOK_S)
    [slice_] = (await cluster.user.list(ENDPOINT_SLICES)).items
    [endpoint] = slice_.endpoints
    assert (endpoint.conditions.ready, endpoint.conditions.terminating) == (False, True)
    assert len(await cluster.end_pods()) == 1
    await cluster.clock.advance(LOOK_S)
    [slice_] = (await cluster.user.list(ENDPOINT_SLICES)).items
    assert slice_.endpoints == []


async def heartbeat(cluster: Cluster, *names: str) -> None:
    """Renew the leases of nodes every 10 s, as kubelets do, until cancelled."""
    beats = 0
    while True:
        beats += 1
        for name in names:
            patch = {"spec": {"renewTime": f"2026-01-01T00:00:00.{beats:06d}Z"}}
            try:
                await cluster.user.patch(LEASES, name, patch, namespace="kube-node-lease")
            except NotFound:
                await cluster.server.given(LEASES, builders.lease(name))
        await cluster.clock.advance(10)


@of_nodes
async def test_a_dead_nodes_pods_are_evicted_after_their_toleration(cluster: Cluster):
    """Silence, Unknown after the grace period, taints at once, eviction 300 s later; the live node is left alone."""
    for name in ("node-1", "node-2"):
        await cluster.server.given(NODES, builders.node(name))
    dead, alive = (asyncio.ensure_future(heartbeat(cluster, name)) for name in ("node-1", "node-2"))
    patient = [
        builders.toleration(f"node.kubernetes.io/{key}", "NoExecute", tolerationSeconds=300)
        for key in ("not-ready", "unreachable")
    ]
    for node in ("node-1", "node-2"):
        await cluster.server.given(
            PODS, builders.pod(f"on-{node}", node=node, ready=True, tolerations=patient)
        )
    await cluster.clock.advance(61)
    dead.cancel()
    await cluster.clock.advance(38)
    before = await cluster.user.get(NODES, "node-1")
    assert [taint.key for taint in before.spec.taints] == []
    await cluster.clock.advance(14)
    after = await cluster.user.get(NODES, "node-1")
    assert {condition.status for condition in after.status.conditions} == {"Unknown"}
    assert {taint.effect for taint in after.spec.taints} == {"NoSchedule", "NoExecute"}
    assert not is_ready(await cluster.user.get(PODS, "on-node-1", namespace="default"))
    assert is_ready(await cluster.user.get(PODS, "on-node-2", namespace="default"))
    await cluster.clock.advance(295)
    assert await cluster.end_pods() == []
    await cluster.clock.advance(10)
    assert await cluster.end_pods() == ["on-node-1"]
    alive.cancel()
    await asyncio.gather(dead, alive, return_exceptions=True)


@of_nodes
async def test_nodes_get_ranges_of_their_own(cluster: Cluster):
    """Whatever arrives at once."""
    for number in range(5):
        await cluster.server.given(NODES, builders.node(f"node-{number}"))
    await cluster.clock.advance(LOOK_S)
    nodes = (await cluster.user.list(NODES)).items
    assert sorted(node.spec.podCIDR for node in nodes) == [f"10.244.{index}.0/24" for index in range(5)]


async def test_a_standby_takes_over_when_the_leader_is_killed():
    """The lease expires, and the warm standby finishes what was begun."""
    async with cluster_with("a", table=WORKLOADS) as cluster:
        await cluster.clock.advance(1)
        cluster.start("b")
        await cluster.clock.advance(1)
        await cluster.stop("a", kill=True)
        await cluster.server.given(DEPLOYMENTS, deployment(2))
        await cluster.clock.advance(5)
        assert await cluster.pods() == []
        await cluster.clock.advance(30)
        assert len(await cluster.pods()) == 2


async def test_a_clean_exit_releases_the_lease():
    """The next one begins at its next try."""
    async with cluster_with("a", table=WORKLOADS) as cluster:
        await cluster.clock.advance(1)
        await cluster.stop("a")
        lease = await cluster.user.get(LEASES, LEASE, namespace=COMPONENT_LEASES)
        assert lease.spec.holderIdentity == ""


async def test_lost_leadership_ends_the_process():
    """It does not go on with what another one does now."""
    async with cluster_with("a", table=WORKLOADS) as cluster:
        await cluster.clock.advance(1)

        async def cut(_verb: str, plural: str, _name: str) -> None:
            if plural == "leases":
                raise Unavailable("cut off")

        cluster.apis["a"].before_call = cut
        cluster.start("b")
        await cluster.clock.advance(30)
        cluster.apis["a"].before_call = None
        with pytest.raises(ExceptionGroup) as ended:
            await cluster.lead("a")
        assert ended.group_contains(LeadershipLost)


async def test_a_write_that_was_under_way_when_its_leader_was_deposed_does_no_harm():
    """The old leader's pods arrive when another one has made them: none is made twice."""
    arrive = asyncio.Event()

    async def travel(verb: str, plural: str, _name: str) -> None:
        if (verb, plural) == ("create", "pods"):
            await arrive.wait()

    async with cluster_with("a", table=WORKLOADS) as cluster:
        await cluster.clock.advance(1)
        cluster.apis["a"].before_call = travel
        await cluster.server.given(REPLICA_SETS, replica_set(replicas=3))
        await cluster.clock.advance(1)
        assert ("create", "pods") in {call[:2] for call in cluster.apis["a"].calls}
        cluster.clocks["a"].freeze()
        cluster.start("b")
        await cluster.clock.advance(25)
        made = await cluster.pods()
        assert len(made) == 3
        arrive.set()
        await cluster.clock.advance(60)
        assert await cluster.pods() == made
        reasons = [event.reason for event in (await cluster.user.list(EVENTS)).items]
        assert (reasons.count("SuccessfulCreate"), reasons.count("SuccessfulDelete")) == (3, 0)


async def test_a_leader_that_does_not_know_that_it_was_deposed_does_no_harm(monkeypatch: pytest.MonkeyPatch):
    """It sees what happens and acts on it, as if it led: the store takes the other one's writes only."""

    async def at_once(_elector: LeaderElector) -> None:
        """Look at no clock, as one who sleeps between that and its write."""

    monkeypatch.setattr(LeaderElector, "held", at_once)
    async with cluster_with("a", table=WORKLOADS) as cluster:
        await cluster.clock.advance(1)
        cluster.clocks["a"].freeze()
        cluster.start("b")
        await cluster.clock.advance(60)
        await cluster.server.given(DEPLOYMENTS, deployment(2))
        await cluster.clock.advance(60)
        assert {("create", "replicasets"), ("create", "pods")} & {
            call[:2] for call in cluster.apis["a"].calls
        }
        assert len(await cluster.pods()) == 2
        reasons = [event.reason for event in (await cluster.user.list(EVENTS)).items]
        assert reasons.count("SuccessfulCreate") == 2
        assert not {"SuccessfulDelete", "FailedCreate"} & {*reasons}


async def test_a_terminating_namespace_is_emptied_and_goes(cluster: Cluster):
    """Pods first, then everything else, then the namespace itself."""
    await cluster.server.given(NAMESPACES, builders.namespace("gone"))
    await cluster.clock.advance(LOOK_S)
    await cluster.server.given(PODS, builders.pod("one", "gone"))
    await cluster.server.given(CONFIG_MAPS, builders.config_map("two", "gone"))
    await cluster.user.delete(NAMESPACES, "gone")
    assert (await cluster.user.get(NAMESPACES, "gone")).status.phase == "Terminating"
    await cluster.clock.advance(1)
    everything = Selection(namespace="gone")
    assert (await cluster.user.list(PODS, everything)).items == []
    assert (await cluster.user.list(CONFIG_MAPS, everything)).items == []
    deletions = [call[1] for call in cluster.apis["a"].calls if call[0] == "deletecollection"]
    assert deletions[0] == "pods"
    with pytest.raises(NotFound):
        await cluster.user.get(NAMESPACES, "gone")

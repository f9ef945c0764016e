"""Decisions, and what pods that fit nowhere are told."""

from collections import Counter

import pytest

from machinery.model.k8s.core_v1 import (
    ContainerPort,
    PodAffinityTerm,
    PodSchedulingGroup,
    Service,
    ServiceSpec,
    TopologySpreadConstraint,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.owners import owner_reference
from scheduler.core.schedule import Bind, Unschedulable
from tests.support.builders import changed, container, meta, node, pod, replica_set, taint, toleration
from tests.support.scheduler import Decider

WEB = {"app": "web"}
TERM = PodAffinityTerm(topologyKey="kubernetes.io/hostname", labelSelector=LabelSelector(matchLabels=WEB))


def three(**fields):
    return [node(f"node-{number}", **fields) for number in (1, 2, 3)]


def replicas(number, owner, **fields):
    return [
        pod(f"web-{each}", labels=WEB, owners=[owner_reference(owner)], **fields) for each in range(number)
    ]


def spread(key="zone", when="DoNotSchedule", **fields):
    return TopologySpreadConstraint(
        **{
            "topologyKey": key,
            "maxSkew": 1,
            "whenUnsatisfiable": when,
            "labelSelector": LabelSelector(matchLabels=WEB),
            **fields,
        }
    )


def test_the_emptier_node_is_chosen():
    """Least allocated wins."""
    world = Decider(*three())
    world.run(pod("a", node="node-1", requests={"cpu": "2"}), pod("b", node="node-3", requests={"cpu": "1"}))
    assert world.place(pod("c", requests={"cpu": "1"})) == ["node-2"]


@pytest.mark.parametrize(("tie_break", "chosen"), [(0.0, "node-1"), (0.34, "node-2"), (0.999, "node-3")])
def test_equal_nodes_are_drawn_by_the_number_passed_in(tie_break, chosen):
    """The decision itself is no game of chance."""
    decision = Decider(*three()).decide(pod(), tie_break)
    assert isinstance(decision, Bind)
    assert (decision.node, decision.ties) == (chosen, 3)


def test_three_replicas_land_on_three_nodes():
    """The system spreads the pods of a ReplicaSet over hosts, without being told."""
    world = Decider(*three())
    owner = replica_set(labels=WEB)
    world.owners.set_replica_set(owner)
    assert sorted(world.place(*replicas(3, owner))) == ["node-1", "node-2", "node-3"]
    assert set(
        Counter(
            world.place(
                *[changed(each, metadata__uid=each.metadata.uid + "b") for each in replicas(6, owner)]
            )
        ).values()
    ) == {2}


def test_the_pods_of_a_service_are_spread_over_zones():
    """The selector of a Service that matches does it, too."""
    zones = [
        node(f"node-{number}", labels={"topology.kubernetes.io/zone": number[0]})
        for number in ("a1", "a2", "b1")
    ]
    world = Decider(*zones)
    world.owners.set_service(Service(metadata=meta("web", "default"), spec=ServiceSpec(selector=WEB)))
    world.run(pod("old", node="node-a1", labels=WEB))
    assert world.place(pod("new", labels=WEB)) == ["node-b1"]


def test_pods_that_are_being_deleted_do_not_count_for_spreading():
    """Their resources do."""
    world = Decider(*three())
    owner = replica_set(labels=WEB)
    world.owners.set_replica_set(owner)
    going = changed(pod("old", node="node-1", labels=WEB), metadata__deletionTimestamp="2026-01-01T00:00:00Z")
    world.run(going, pod("b", node="node-2", labels=WEB), pod("c", node="node-3", labels=WEB))
    assert world.place(*replicas(1, owner)) == ["node-1"]


def test_hard_spreading_rejects_what_would_be_too_far_ahead():
    """With both zones level the next may go anywhere, else only into the emptier one."""
    world = Decider(*(node(f"node-{zone}", labels={"zone": zone}) for zone in "ab"))
    pods = [pod(f"web-{each}", labels=WEB, topologySpreadConstraints=[spread()]) for each in range(4)]
    assert Counter(world.place(*pods)) == {"node-a": 2, "node-b": 2}


def test_min_domains_keeps_pods_waiting_for_a_further_domain():
    """Two zones are too few for three: one pod in each, no more."""
    world = Decider(*(node(f"node-{zone}", labels={"zone": zone}) for zone in "ab"))
    pods = [
        pod(f"web-{each}", labels=WEB, topologySpreadConstraints=[spread(minDomains=3)]) for each in range(3)
    ]
    world.place(*pods[:2])
    assert "2 node(s) didn't match pod topology spread constraints." in world.message(pods[2])
    world.snapshot.set_node(node("node-c", labels={"zone": "c"}))
    assert world.place(pods[2]) == ["node-c"]


def test_reasons_are_counted_per_node():
    """A node counts with the first filter that rejects it, with all of the resources that it lacks."""
    world = Decider(
        node("cordoned", unschedulable=True),
        node("tainted", taints=[taint("gpu", value="true")]),
        node("small", cpu="1", memory="1Gi"),
        node("other", labels={"disk": "hdd"}),
    )
    hungry = pod(requests={"cpu": "2", "memory": "2Gi"})
    picky = changed(hungry, spec__nodeSelector={"disk": "ssd"})
    assert world.message(picky) == (
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, "
        "2 node(s) didn't match Pod's node affinity/selector. "
        "no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    world.snapshot.remove_node("other")
    assert world.message(hungry) == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) had untolerated taint(s), "
        "1 node(s) were unschedulable. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_every_filter_has_its_words():
    """They are Kubernetes' own."""
    port = container(ports=[ContainerPort(containerPort=80, hostPort=80)])
    world = Decider(node(labels={"zone": "a"}, pods="2"))
    world.run(pod("a", node="node-1", containers=[port]))
    assert "1 node(s) didn't have free ports for the requested pod ports." in world.message(
        pod(containers=[port])
    )
    missing = pod(topologySpreadConstraints=[spread("rack")])
    assert (
        "1 node(s) didn't match pod topology spread constraints (missing required label)."
        in world.message(missing)
    )
    world.run(pod("b", node="node-1"))
    assert "1 Too many pods." in world.message(pod())


def test_without_nodes_there_is_nothing_to_count():
    """It says so."""
    decision = Decider().decide(pod())
    assert isinstance(decision, Unschedulable)
    assert decision.message == "no nodes available to schedule pods"


def test_a_node_that_is_gone_takes_no_pod():
    """Also while pods of it are still there."""
    world = Decider(node())
    world.run(pod("a", node="node-1"))
    world.snapshot.remove_node("node-1")
    assert world.message(pod()) == "no nodes available to schedule pods"


def test_a_constraint_without_a_plugin_keeps_the_pod_pending_and_is_named():
    """Nobody could tell that it was ignored."""
    message = Decider(*three()).message(pod(schedulingGroup=PodSchedulingGroup(podGroupName="gang")))
    assert message.startswith(
        "0/3 nodes are available: scheduling by spec.schedulingGroup is not built in Kubarium. "
    )


def test_a_taint_of_preference_is_avoided_if_possible():
    """And only if possible."""
    world = Decider(node("node-1", taints=[taint("slow", "PreferNoSchedule")]), node("node-2"))
    assert world.place(pod("a", requests={"cpu": "3500m"})) == ["node-2"]
    assert world.place(pod("b", requests={"cpu": "3500m"})) == ["node-1"]
    assert isinstance(world.decide(pod("c", tolerations=[toleration("slow")])), Bind)


def test_a_node_that_changes_is_judged_again():
    """Labels, taints, cordons and capacity, while its pods stay."""
    world = Decider(node())
    picky = pod(nodeSelector={"disk": "ssd"}, requests={"cpu": "5"})
    assert "affinity/selector" in world.message(picky)
    world.snapshot.set_node(node(labels={"disk": "ssd"}))
    assert "Insufficient cpu" in world.message(picky)
    world.snapshot.set_node(node(labels={"disk": "ssd"}, cpu="8"))
    assert isinstance(world.decide(picky), Bind)
    world.snapshot.set_node(node(labels={"disk": "ssd"}, cpu="8", unschedulable=True))
    assert "were unschedulable" in world.message(picky)

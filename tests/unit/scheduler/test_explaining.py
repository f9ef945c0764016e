"""What is told of one pod: every verdict, and what would let it fit."""

import msgspec
import pytest

from machinery.model.k8s.core_v1 import (
    Affinity,
    ContainerPort,
    PersistentVolumeClaimVolumeSource,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSchedulingGate,
    TopologySpreadConstraint,
    Volume,
)
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.pods import requests
from machinery.model.simulation import Explanation, Question
from machinery.wire.objects import encode
from scheduler.core.explaining.changes import amounts_of, lowered
from scheduler.core.explaining.hints import find_hints
from scheduler.core.registry import DEFAULT
from scheduler.core.simulation.world import World
from scheduler.simulation.answering import answer
from tests.support.builders import changed, container, node, pod, taint
from tests.support.claims import claim, csi_driver, room, storage_class

ROOMY = [node("node-1", cpu="1"), node("node-2", cpu="2"), node("node-3", cpu="3")]


def hints(probe, *cluster) -> dict[tuple[str, ...], list[str]]:
    found = find_hints(probe, World(cluster), DEFAULT)
    return {each.changes: sorted(each.nodes) for each in found}


def explained(key: str, *objects) -> Explanation:
    found = answer(Question([msgspec.Raw(encode(each)) for each in objects], explain=key))
    assert found.explanation is not None, found.problem
    return found.explanation


def test_requests_that_would_fit():
    """The largest that one node has room for, what half of them have, what all have."""
    assert hints(pod(requests={"cpu": "4"}), *ROOMY) == {
        ("cpu request ≤ 1",): ["node-1", "node-2", "node-3"],
        ("cpu request ≤ 2",): ["node-2", "node-3"],
        ("cpu request ≤ 3",): ["node-3"],
    }


def test_what_is_short_together_is_told_together():
    """And in the sizes that people write."""
    found = hints(pod(requests={"cpu": "4", "memory": "9Gi"}), node("a", cpu="3", memory="1000Mi"))
    assert found == {("cpu request ≤ 3 and memory request ≤ 1000Mi",): ["a"]}


@pytest.mark.parametrize(
    ("probe", "most", "then"),
    [
        (pod(requests={"cpu": "4"}), 400, 400),
        (
            pod(containers=[container("a", requests={"cpu": "3"}), container("b", requests={"cpu": "100m"})]),
            400,
            400,
        ),
        (changed(pod(requests={"cpu": "4"}), spec__overhead={"cpu": "100m"}), 400, 400),
        (changed(pod(), spec__initContainers=[container("i", requests={"cpu": "2"})]), 400, 400),
        (pod(requests={"cpu": "200m"}), 400, 200),
    ],
)
def test_requests_are_lowered_to_what_there_is(probe, most, then):
    """Over all containers, with what the pod itself takes on top."""
    assert amounts_of(requests(lowered(probe, "cpu", most)))["cpu"] == then


def test_taints_are_told_as_what_tolerates_them():
    """All of a node's at once; a cordon as what lifts it."""
    cluster = [
        node("a", taints=[taint("only", value="db"), taint("gpu", "NoExecute")]),
        node("b", unschedulable=True, taints=[taint("node.kubernetes.io/unschedulable")]),
    ]
    assert hints(pod(), *cluster) == {
        ("the pod tolerates only=db:NoSchedule and gpu:NoExecute",): ["a"],
        ("b is uncordoned",): ["b"],
    }


def test_selectors_are_told_as_labels_of_nodes():
    """And as what the pod would be without."""
    assert hints(pod(nodeSelector={"disk": "ssd"}), node("a"), node("b", labels={"disk": "hdd"})) == {
        ("a, b are labeled disk=ssd",): ["a", "b"],
        ("nodeSelector is without disk: ssd",): ["a", "b"],
    }


def test_spreading_is_told_as_a_larger_skew():
    """The domain is that of the nodes."""
    constraint = TopologySpreadConstraint(
        maxSkew=1,
        topologyKey="zone",
        whenUnsatisfiable="DoNotSchedule",
        labelSelector=LabelSelector(matchLabels={"app": "web"}),
    )
    cluster = [node("a", labels={"zone": "a"}), node("b", cpu="1", labels={"zone": "b"})]
    old = [pod("old", node="a", labels={"app": "web"})]
    found = hints(
        pod(labels={"app": "web"}, requests={"cpu": "2"}, topologySpreadConstraints=[constraint]),
        *cluster,
        *old,
    )
    assert found[("maxSkew by zone ≥ 2, in zone a",)] == ["a"]
    assert found[("cpu request ≤ 1",)] == ["b"]


def test_anti_affinity_is_told_with_the_domains_that_it_closes():
    """By their values, except for hosts, whose names are told anyway."""
    web = LabelSelector(matchLabels={"app": "web"})

    def apart(key: str):
        terms = [PodAffinityTerm(topologyKey=key, labelSelector=web)]
        return Affinity(podAntiAffinity=PodAntiAffinity(requiredDuringSchedulingIgnoredDuringExecution=terms))

    cluster = [node("a", labels={"zone": "a"}), pod("old", node="a", labels={"app": "web"})]
    assert hints(pod(affinity=apart("zone")), *cluster) == {
        ("the pod is without required anti-affinity by zone to app=web, in zone a",): ["a"]
    }
    assert hints(pod(affinity=apart("kubernetes.io/hostname")), *cluster) == {
        ("the pod is without required anti-affinity by kubernetes.io/hostname to app=web",): ["a"]
    }


def test_ports_are_told_by_their_numbers():
    """With their protocol."""
    asks = container(ports=[ContainerPort(containerPort=80, hostPort=80)])
    assert hints(pod("new", containers=[asks]), node("a"), pod("old", node="a", containers=[asks])) == {
        ("the pod is without host port 80/TCP",): ["a"]
    }


def test_several_changes_are_told_where_one_is_not_enough():
    """The fewest that help."""
    probe = pod(nodeSelector={"disk": "ssd"}, requests={"cpu": "4"})
    found = hints(probe, node("a", cpu="1", taints=[taint("only")]))
    assert ("the pod tolerates only:NoSchedule", "a is labeled disk=ssd", "cpu request ≤ 1") in found
    assert {len(each) for each in found} == {3}


def test_a_pod_on_a_node_is_explained_as_if_it_were_not_there():
    """So its own requests are not in its way."""
    found = explained("default/web", node("a", cpu="1"), pod(node="a", requests={"cpu": "1"}))
    assert (found.node, found.message) == ("a", "")
    assert [(each.name, each.fits) for each in found.nodes] == [("a", True)]
    assert found.nodes[0].score == sum(
        each.points * each.weight for each in found.nodes[0].verdicts if each.points is not None
    )


def test_all_that_rejects_a_node_is_told():
    """Where a decision stops at the first."""
    found = explained("default/web", node("a", cpu="1", taints=[taint("only")]), pod(requests={"cpu": "2"}))
    [line] = found.nodes
    assert [each.plugin for each in line.verdicts if each.reasons] == ["TaintToleration", "NodeResourcesFit"]
    assert found.message.startswith("0/1 nodes are available: 1 node(s) had untolerated taint(s).")


def test_room_that_is_missing_is_told_of_each_node():
    """Of those where a driver says that it has enough, nothing."""
    source = PersistentVolumeClaimVolumeSource(claimName="data")
    user = pod(volumes=[Volume(name="data", persistentVolumeClaim=source)])
    storage = [claim("data", "5Gi", storage_class="standard"), storage_class(), csi_driver()]
    enough = room("5Gi", {"kubernetes.io/hostname": "node-2"})
    found = explained("default/web", *ROOMY, *storage, enough, user)
    told = {line.name: [each.reasons for each in line.verdicts if each.reasons] for line in found.nodes}
    missing = [["node(s) did not have enough free storage"]]
    assert {name: [list(each) for each in reasons] for name, reasons in told.items()} == {
        "node-1": missing,
        "node-2": [],
        "node-3": missing,
    }


def test_a_node_that_is_kept_for_another_is_told_as_full():
    """Also where the pods that make room for that one are still there; to the one itself it is not."""
    kept = changed(pod("kept", requests={"cpu": "1"}), spec__priority=10, status__nominatedNodeName="a")
    cluster = [node("a", cpu="1"), kept, pod("late", requests={"cpu": "1"})]
    [line] = explained("default/late", *cluster).nodes
    assert [each.plugin for each in line.verdicts if each.reasons] == ["NodeResourcesFit"]
    found = explained("default/kept", *cluster)
    assert (found.nominated, [each.fits for each in found.nodes]) == ("a", [True])


def test_a_pod_that_is_held_back_is_told_by_what():
    """The gate's own words."""
    assert (
        "a/b" in explained("default/web", node(), pod(schedulingGates=[PodSchedulingGate(name="a/b")])).gate
    )


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("default/gone", "there is no pod default/gone that has not ended"),
        (
            "default/web",
            'pod default/web is for the scheduler "mine"; the profiles here are default-scheduler',
        ),
    ],
)
def test_a_pod_that_cannot_be_explained_is_told(key, problem):
    """Nothing is made up."""
    raw = [msgspec.Raw(encode(each)) for each in (node(), pod(schedulerName="mine"))]
    assert answer(Question(raw, explain=key)).problem == problem

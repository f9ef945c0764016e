"""Whether a node suits a pod: https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/."""

import pytest

from machinery.model.k8s.core_v1 import (
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)
from machinery.model.placement import (
    HostPort,
    collides,
    host_ports,
    is_address_taken,
    is_short,
    matches_term,
    read_allocatable,
    selects_node,
    tolerates_cordon,
)
from tests.support.builders import container, pod, toleration


def expression(key, operator, *values):
    return NodeSelectorRequirement(key=key, operator=operator, values=list(values))


def term(*expressions, fields=()):
    return NodeSelectorTerm(matchExpressions=list(expressions), matchFields=list(fields))


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        (expression("disk", "In", "ssd", "nvme"), True),
        (expression("disk", "In", "hdd"), False),
        (expression("none", "In", "ssd"), False),
        (expression("disk", "NotIn", "ssd"), False),
        (expression("none", "NotIn", "ssd"), True),
        (expression("disk", "Exists"), True),
        (expression("disk", "DoesNotExist"), False),
        (expression("none", "DoesNotExist"), True),
        (expression("cores", "Gt", "7"), True),
        (expression("cores", "Gt", "8"), False),
        (expression("cores", "Lt", "9"), True),
        (expression("disk", "Gt", "1"), False),
        (expression("none", "Lt", "1"), False),
        (expression("cores", "Gt", "7", "1"), False),
        (expression("cores", "Lt", "9", "10"), False),
    ],
)
def test_operators_of_node_affinity(requirement, fits):
    """Every operator, on labels that are there and that are not."""
    labels = {"disk": "ssd", "cores": "8"}
    assert matches_term(term(requirement), labels, "node-1") is fits


def test_terms_are_alternatives_and_expressions_are_not():
    """One term is enough; in it all expressions and fields have to hold; an empty term matches nothing."""
    both = term(expression("a", "Exists"), expression("b", "Exists"))
    by_name = term(fields=[expression("metadata.name", "In", "node-1")])
    affinity = NodeAffinity(
        requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(nodeSelectorTerms=[both, by_name])
    )
    assert selects_node({}, affinity, {"a": "", "b": ""}, "node-2")
    assert not selects_node({}, affinity, {"a": ""}, "node-2")
    assert selects_node({}, affinity, {}, "node-1")
    assert not matches_term(NodeSelectorTerm(), {"a": ""}, "node-1")


def test_node_selector_and_affinity_both_have_to_hold():
    """Neither stands in for the other."""
    affinity = NodeAffinity(
        requiredDuringSchedulingIgnoredDuringExecution=NodeSelector(
            nodeSelectorTerms=[term(expression("a", "Exists"))]
        )
    )
    assert not selects_node({"disk": "ssd"}, affinity, {"a": ""}, "node-1")
    assert selects_node({"disk": "ssd"}, affinity, {"a": "", "disk": "ssd"}, "node-1")


@pytest.mark.parametrize(
    ("wanted", "used", "conflict"),
    [
        ("0.0.0.0", [], False),
        ("0.0.0.0", ["10.0.0.1"], True),
        ("10.0.0.1", ["0.0.0.0"], True),
        ("10.0.0.1", ["10.0.0.1"], True),
        ("10.0.0.1", ["10.0.0.2"], False),
    ],
)
def test_host_ports_conflict_by_address(wanted, used, conflict):
    """The address of all addresses conflicts with each."""
    assert is_address_taken(wanted, used) is conflict


def test_a_pod_on_the_nodes_network_holds_all_ports_that_it_declares():
    """Those of sidecars too; an init container that ends holds none."""
    declared = [
        ContainerPort(containerPort=53),
        ContainerPort(containerPort=54, hostPort=5400, protocol="UDP"),
    ]
    main = container("main", ports=declared)
    sidecar = container("proxy", ports=[ContainerPort(containerPort=80)], restartPolicy="Always")
    passing = container("init", ports=[ContainerPort(containerPort=90)])
    spec = pod(containers=[main], initContainers=[sidecar, passing], hostNetwork=True).spec
    every = "0.0.0.0"
    assert list(host_ports(spec)) == [
        HostPort("TCP", every, 53),
        HostPort("UDP", every, 5400),
        HostPort("TCP", every, 80),
    ]
    assert list(host_ports(pod(containers=[main]).spec)) == [HostPort("UDP", every, 5400)]


def test_ports_collide_by_protocol_number_and_address():
    """All three."""
    used = [HostPort("TCP", "10.0.0.1", 80), HostPort("UDP", "0.0.0.0", 53)]
    assert collides(HostPort("TCP", "0.0.0.0", 80), used)
    assert collides(HostPort("UDP", "10.0.0.9", 53), used)
    assert not collides(HostPort("TCP", "10.0.0.2", 80), used)
    assert not collides(HostPort("TCP", "0.0.0.0", 53), used)
    assert not collides(HostPort("TCP", "0.0.0.0", 81), used)


def test_only_a_toleration_of_the_cordon_opens_a_cordoned_node():
    """As any taint."""
    assert tolerates_cordon([toleration("node.kubernetes.io/unschedulable")])
    assert not tolerates_cordon([toleration("gpu")])


def test_amounts_are_read_in_their_units():
    """Cores in thousandths."""
    texts = {"cpu": "1500m", "memory": "1Ki", "pods": "110", "example.com/gpu": "2"}
    assert read_allocatable(texts) == {"cpu": 1500, "memory": 1024, "pods": 110, "example.com/gpu": 2}


@pytest.mark.parametrize(
    ("wanted", "used", "whole", "short"),
    [(1, 0, 1, False), (1, 1, 1, True), (2, 0, 1, True), (0, 5, 1, False)],
)
def test_what_is_wanted_has_to_be_free(wanted, used, whole, short):
    """Who wants nothing is never short of it, however much others have taken."""
    assert is_short(wanted, used, whole) is short

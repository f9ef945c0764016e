import pytest

from kubelet.core.admission import admit
from machinery.model.k8s.core_v1 import (
    Affinity,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
)
from tests.support.builders import changed, container, pod

NODE = {"cpu": "2", "memory": "1Gi", "pods": "3"}


def affinity(key: str, operator: str, *values: str, field: bool = False) -> Affinity:
    item = NodeSelectorRequirement(key=key, operator=operator, values=list(values))
    term = NodeSelectorTerm(matchFields=[item]) if field else NodeSelectorTerm(matchExpressions=[item])
    selector = NodeSelector(nodeSelectorTerms=[term])
    return Affinity(nodeAffinity=NodeAffinity(requiredDuringSchedulingIgnoredDuringExecution=selector))


@pytest.mark.parametrize(
    ("requests", "others", "reason"),
    [
        ({"cpu": "2"}, [], None),
        ({"cpu": "2001m"}, [], "OutOfcpu"),
        ({"cpu": "1500m"}, [pod(requests={"cpu": "600m"})], "OutOfcpu"),
        ({"cpu": "1500m"}, [pod(requests={"cpu": "600m"}, phase="Succeeded")], None),
        ({"memory": "2Gi"}, [], "OutOfmemory"),
        ({}, [pod(), pod(), pod()], "OutOfpods"),
        ({"example.com/gpu": "1"}, [], "OutOfexample.com/gpu"),
        ({"example.com/licence": "1"}, [], None),
    ],
)
def test_what_does_not_fit_is_refused(requests, others, reason):
    """Pods that have ended hold nothing; what the node does not know of is not its to refuse."""
    found = admit(pod("new", requests=requests), others, {**NODE, "example.com/gpu": "0"}, {})
    assert (found.reason if found else None) == reason


def test_the_message_has_the_numbers():
    """Requested, used and capacity, as upstream writes them."""
    found = admit(pod("new", requests={"cpu": "3"}), [pod(requests={"cpu": "500m"})], NODE, {})
    expected = "Node didn't have enough resource: cpu, requested: 3000, used: 500, capacity: 2000"
    assert found.message == expected


@pytest.mark.parametrize(
    ("spec", "labels", "admitted"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, {"disk": "ssd"}, True),
        ({"nodeSelector": {"disk": "ssd"}}, {}, False),
        ({"nodeSelector": {"disk": "ssd"}}, None, True),
        ({"affinity": affinity("disk", "In", "ssd")}, {"disk": "hdd"}, False),
        ({"affinity": affinity("disk", "NotIn", "ssd")}, {}, True),
        ({"affinity": affinity("cores", "Gt", "4")}, {"cores": "8"}, True),
        ({"affinity": affinity("metadata.name", "In", "node-1", field=True)}, {}, True),
        ({"affinity": affinity("metadata.name", "In", "node-2", field=True)}, {}, False),
    ],
)
def test_a_pod_that_belongs_elsewhere_is_refused(spec, labels, admitted):
    """NodeSelector and required node affinity; labels that are not known yet are not checked."""
    found = admit(pod("new", node="node-1", **spec), [], NODE, labels)
    assert found is None if admitted else found.reason == "NodeAffinity"


def holding(name: str, port: int, **fields) -> Pod:
    return pod(name, containers=[container(ports=[ContainerPort(containerPort=80, hostPort=port, **fields)])])


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (holding("old", 8080), "NodePorts"),
        (holding("old", 8080, protocol="TCP", hostIP="10.0.0.1"), "NodePorts"),
        (holding("old", 8080, protocol="UDP"), None),
        (holding("old", 8081), None),
        (changed(holding("old", 8080), status__phase="Failed"), None),
    ],
)
def test_a_port_of_the_node_is_given_once(other, reason):
    """Whoever bound the second pod past the scheduler is told."""
    found = admit(holding("new", 8080), [other], NODE, {})
    assert (found.reason if found else None) == reason


def test_the_same_port_on_another_address_is_another_port():
    """Only the unspecified address stands for all."""
    others = [holding("old", 8080, hostIP="10.0.0.1")]
    assert admit(holding("new", 8080, hostIP="10.0.0.2"), others, NODE, {}) is None
    assert admit(holding("new", 8080, hostIP="10.0.0.1"), others, NODE, {}).reason == "NodePorts"

"""NodePorts, NodeName, SchedulingGates and PrioritySort.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-scheduling-readiness/
https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#pod-priority
"""

import pytest

from scheduler.core.plugins.node_ports import NodePorts
from scheduler.core.plugins.scheduling_gates import SchedulingGates
from scheduler.core.pod import PodReader
from scheduler.core.queue import SchedulingQueue
from scheduler.core.snapshot import Snapshot
from tests.support.builders import node
from tests.support.scheduler_rules import ask, spec


def port(number, protocol="TCP", ip="", container=80):
    address = f", hostIP: {ip}" if ip else ""
    return f"{{containerPort: {container}, hostPort: {number}, protocol: {protocol}{address}}}"


def ports(*each, init=(), **more):
    def listed(kind, some, extra=""):
        return f"{kind}: [{{name: {kind.lower()}, image: 'app:1', ports: [{', '.join(some)}]{extra}}}]"

    sidecar = [listed("initContainers", init, ", restartPolicy: Always")] if init else []
    return "\n".join(
        [listed("containers", each), *sidecar, *(f"{key}: {value}" for key, value in more.items())]
    )


@pytest.mark.parametrize(
    ("rule", "there", "asked", "fits"),
    [
        ("no host port", ports(port(80)), ports("{containerPort: 80}"), True),
        ("host port 0 is none", ports(port(80)), ports(port(0)), True),
        ("the same port", ports(port(80)), ports(port(80)), False),
        ("another port", ports(port(80)), ports(port(81)), True),
        ("another container port does not matter", ports(port(80)), ports(port(80, container=8080)), False),
        ("another protocol", ports(port(53)), ports(port(53, "UDP")), True),
        ("the same of UDP", ports(port(53, "UDP")), ports(port(53, "UDP")), False),
        ("the same of SCTP", ports(port(53, "SCTP")), ports(port(53, "SCTP")), False),
        ("another address", ports(port(80, ip="10.0.0.1")), ports(port(80, ip="10.0.0.2")), True),
        ("the same address", ports(port(80, ip="10.0.0.1")), ports(port(80, ip="10.0.0.1")), False),
        ("every address against one", ports(port(80)), ports(port(80, ip="10.0.0.1")), False),
        ("one address against every", ports(port(80, ip="10.0.0.1")), ports(port(80)), False),
        ("0.0.0.0 is every address", ports(port(80, ip="0.0.0.0")), ports(port(80, ip="10.0.0.1")), False),
        ("0.0.0.0 and nothing are the same", ports(port(80, ip="0.0.0.0")), ports(port(80)), False),
        ("one of several", ports(port(80), port(443)), ports(port(8443), port(443)), False),
        ("a sidecar's", ports(port(80)), ports(port(81), init=[port(80)]), False),
        ("against a sidecar's", ports(port(81), init=[port(80)]), ports(port(80)), False),
        ("on the node's network, container ports are the node's", ports("{containerPort: 80, hostPort: 80}", hostNetwork="true"), ports(port(80)), False),
    ],
)  # fmt: skip
def test_a_host_port_has_one_user(rule, there, asked, fits):
    """By protocol and address."""
    said = ask(NodePorts(), spec(asked), [node("n")], [spec(there + "\nnodeName: n", "there")])
    assert said.fits == ("n" if fits else ""), rule
    assert set(said.why.values()) <= {"node(s) didn't have free ports for the requested pod ports"}


@pytest.mark.parametrize(
    ("rule", "gates", "message"),
    [
        ("none", "", ""),
        ("one", "{name: a.b/quota}", "waiting for scheduling gates: [a.b/quota]"),
        ("several, in their order", "{name: b}, {name: a}", "waiting for scheduling gates: [b a]"),
    ],
)
def test_gates_hold_a_pod_back(rule, gates, message):
    """All of them are named."""
    asked = PodReader().read(spec(f"schedulingGates: [{gates}]"))
    assert SchedulingGates().gate(asked, Snapshot()) == message, rule


@pytest.mark.parametrize(
    ("rule", "pods", "order"),
    [
        ("who came first", [("a", 0), ("b", 0), ("c", 0)], "a b c"),
        ("the highest priority first", [("a", 0), ("b", 9), ("c", 5)], "b c a"),
        ("of equals, who came first", [("a", 5), ("b", 9), ("c", 9), ("d", 5)], "b c a d"),
        ("below zero comes last", [("a", -1), ("b", 0)], "b a"),
        ("the system's classes come before everybody's", [("a", 1_000_000_000), ("b", 2_000_000_000), ("c", 2_000_001_000)], "c b a"),
    ],
)  # fmt: skip
def test_pods_are_looked_at_by_their_priority(rule, pods, order):
    """PrioritySort."""
    queue, reader = SchedulingQueue(), PodReader()
    for at, (name, priority) in enumerate(pods):
        queue.put(reader.read(spec(f"priority: {priority}", name)), float(at))
    found = []
    while (item := queue.pop(100.0)) is not None:
        found.append(item.pod.name)
    assert " ".join(found) == order, rule

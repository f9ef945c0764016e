"""Nodes that see the same besides them are one group: who has to go from there, whatever comes to other nodes."""

import pytest

from scheduler.core import candidates
from scheduler.core.preemption import find_victims
from tests.support.builders import pod
from tests.support.preemption_histories import Both, apart, beside, room, spread

ZONE, HOST = "zone", "kubernetes.io/hostname"


def full(*nodes):
    """Return nodes, (name, zone, host), that a pod of priority 0 fills each."""
    both = Both()
    for name, zone, host in nodes:
        both.apply("node", room(name, zone, host))
        both.apply("pod", pod(f"large-{name}", node=name, requests={"cpu": "1900m"}))
    return both


def web(name, where, priority=30):
    return pod(name, labels={"app": "web"}, priority=priority, node=where, requests={"cpu": "10m"})


def asked(**spec):
    return pod("asked", labels={"app": "web"}, priority=10, requests={"cpu": "1"}, **spec)


def by_zone(skew=1):
    return asked(topologySpreadConstraints=[spread("web", ZONE, skew)])


def test_pods_that_a_node_is_kept_for_count_beside_its_own():
    """It has none itself; with the one that it is kept for, it fits as soon as the other zone has one, too."""
    both = full(("node-2", "a", ""), ("node-0", "a", ""), ("node-1", "b", ""))
    both.apply("nominate", (web("kept", ""), "node-0"))
    assert both.check_all(by_zone()) == {"node-1", "node-2"}
    both.apply("pod", web("pod-1", "node-1"))
    assert both.check_all(by_zone()) == {"node-0", "node-2"}


def test_a_zone_that_is_too_far_ahead_is_seen_to_be_so_no_more():
    """Its node that has none of the pods itself may have one when the other zone has caught up."""
    both = full(("node-0", "a", ""), ("node-1", "a", ""), ("node-2", "b", ""))
    both.apply("pod", web("pod-1", "node-1"))
    assert both.check_all(by_zone()) == {"node-2"}
    both.apply("pod", web("pod-2", "node-2"))
    assert both.check_all(by_zone()) == {"node-0", "node-1", "node-2"}


def test_hosts_see_the_same_only_where_they_have_the_same():
    """The one that has the only pod that is wanted could do without it, until there is another one."""
    both = full(("node-0", "a", ""), ("node-1", "a", ""), ("node-2", "a", ""))
    both.apply("pod", web("pod-1", "node-1", priority=0))
    one = asked(affinity=beside("web", HOST))
    assert both.check_all(one) == {"node-1"}
    both.apply("pod", web("pod-2", "node-2"))
    assert both.check_all(one) == {"node-2"}


@pytest.mark.parametrize(
    "spec",
    [
        {"affinity": apart("web", HOST)},
        {"topologySpreadConstraints": [spread("web", HOST, 1)]},
    ],
)
def test_a_node_that_comes_to_be_of_a_host_is_seen_by_the_other_node_there(spec):
    """Until then, the node on which nothing has changed was as good as any other."""
    both = full(("node-0", "a", ""), ("node-1", "a", "shared"), ("node-2", "a", ""))
    both.apply("pod", web("pod-1", "node-2"))
    assert both.check_all(asked(**spec)) == {"node-0", "node-1"}
    both.apply("node", room("node-2", "a", "shared"))
    assert both.check_all(asked(**spec)) == {"node-0"}


def test_what_was_found_is_taken_up_where_the_same_is_seen_again():
    """Also of a node that has come meanwhile, and without one that has changed."""
    both = full(("node-0", "a", ""), ("node-1", "a", ""), ("node-2", "b", ""))
    assert both.check_all(by_zone()) == {"node-0", "node-1", "node-2"}
    both.apply("pod", web("pod-1", "node-2"))
    assert both.check_all(by_zone()) == {"node-0", "node-1"}
    both.apply("node", room("node-3", "a", ""))
    both.apply("pod", pod("large-node-3", node="node-3", requests={"cpu": "1900m"}))
    both.apply("pod", pod("pod-2", node="node-0", priority=30, requests={"cpu": "100m"}))
    assert both.check_all(by_zone()) == {"node-0", "node-1", "node-3"}
    both.apply("no pod", 1)
    assert both.check_all(by_zone()) == {"node-0", "node-1", "node-2", "node-3"}


def test_a_zone_in_which_there_is_something_is_seen_by_all_of_its_nodes():
    """Pods that keep to a zone: all nodes are good for the first, those of its zone for the others."""
    both = full(("node-0", "a", ""), ("node-1", "a", ""), ("node-2", "b", ""))
    one = asked(affinity=beside("web", ZONE))
    assert both.check_all(one) == {"node-0", "node-1", "node-2"}
    both.apply("pod", web("pod-1", "node-0"))
    assert both.check_all(one) == {"node-0", "node-1"}


def test_a_decision_looks_at_no_node_again_for_what_has_come_to_its_zone(monkeypatch):
    """Once each of the few things that the nodes of a zone may see has been seen."""
    both = full(*((f"node-{number}", "ab"[number % 2], "") for number in range(40)))
    looked_at = []

    def counted(node, *more):
        looked_at.append(node.name)
        return find_victims(node, *more)

    monkeypatch.setattr(candidates, "find_victims", counted)
    for number in range(4):
        both.apply("pod", web(f"early-{number}", both.world.decide(by_zone()).nomination.node))
    looked_at.clear()
    for number in range(6):
        both.apply("pod", web(f"late-{number}", both.world.decide(by_zone()).nomination.node))
    assert len(looked_at) <= 12, looked_at

"""The node lifecycle controller: https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller."""

import pytest
from msgspec.structs import replace

from controllers.core.actions import Facts, Patch
from controllers.core.caches import Caches
from controllers.core.controller import EvictionRates, Settings
from controllers.node_lifecycle.controller import Reader, take_turn
from controllers.node_lifecycle.heartbeats import Heartbeats
from controllers.node_lifecycle.plan import Removed, Seen, plan
from controllers.node_lifecycle.zones import Disruption, Throttle, Zones
from machinery.model.k8s.core_v1 import Node, NodeCondition, Taint
from machinery.model.profile import intervals
from machinery.model.requests import EventType
from machinery.model.store import Change
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import at, events, moment, of_type, status_of

TABLE = intervals("default")
EVERYTHING_DOWN = Disruption(everything=True, evictions_per_s=0.0)


def sight(silent_s=0.0, unready_s=1000.0, disruption=None, **fields):
    fields = {"lease_revision": "7"} | fields
    return {
        "silent_s": silent_s,
        "unready_s": unready_s,
        "disruption": disruption or Disruption(),
        **fields,
    }


def plan_for(node, *pods, seen=None, throttle=None, now_s=0.0, facts=None):
    known = take_turn(Seen(node, pods, TABLE, **(seen or sight())), throttle or Throttle(), now_s)
    return plan(known, moment(), facts or Facts())


def answered(node, *, lease="7", itself="1"):
    """Return the live answers that a silent node asks for."""
    made = plan_for(node, seen=sight(silent_s=1000))
    first, second = made.needs
    found = builders.lease("node-1").metadata
    return Facts(
        objects={
            first: replace(found, resourceVersion=lease) if lease else None,
            second: replace(node.metadata, resourceVersion=itself),
        }
    )


def unhealthy(status):
    return builders.node(ready=None if status == "Unknown" else status == "True")


def taints(made, node):
    patches = [write for write in of_type(made, Patch) if "spec" in write.patch]
    if not patches:
        return {(taint.key.partition("/")[2], taint.effect) for taint in node.spec.taints}
    return {(taint["key"].partition("/")[2], taint["effect"]) for taint in patches[0].patch["spec"]["taints"]}


def test_a_node_that_beats_is_looked_at_again_when_its_grace_would_end():
    """Nothing is written."""
    made = plan_for(builders.node(), seen=sight(silent_s=12))
    assert made.actions == ()
    assert made.requeue_after_s == pytest.approx(TABLE.node_monitor_grace_s - 12)


def test_silence_becomes_unknown_after_a_live_look():
    """Every condition that the kubelet answers for; heartbeats stay what they were."""
    node = changed(
        builders.node(),
        status__conditions=[
            NodeCondition(type="Ready", status="True", lastHeartbeatTime=at(-60)),
            NodeCondition(type="MemoryPressure", status="False"),
            NodeCondition(type="NetworkUnavailable", status="False"),
        ],
    )
    facts = answered(node)
    made = plan_for(node, seen=sight(silent_s=TABLE.node_monitor_grace_s), facts=facts)
    told = {item["type"]: item for item in status_of(made)["conditions"]}
    assert told["Ready"]["status"] == "Unknown"
    assert told["Ready"]["reason"] == "NodeStatusUnknown"
    assert told["Ready"]["message"] == "Kubelet stopped posting node status."
    assert told["Ready"]["lastHeartbeatTime"] == at(-60)
    assert told["MemoryPressure"]["status"] == "Unknown"
    assert told["DiskPressure"]["reason"] == "NodeStatusNeverUpdated"
    assert told["NetworkUnavailable"]["status"] == "False"


@pytest.mark.parametrize("moved", [{"lease": "8"}, {"itself": "2"}])
def test_a_heartbeat_that_only_the_cache_has_missed_saves_the_node(moved):
    """The live object is newer: it is our own watch that stands still."""
    node = builders.node()
    made = plan_for(node, seen=sight(silent_s=1000), facts=answered(node, **moved))
    assert made.actions == ()
    assert made.requeue_after_s == TABLE.node_monitor_period_s


def test_while_the_apiserver_did_not_answer_nobody_could_be_heard():
    """Not the node was silent: it is looked at again at once, and its silence counted from the answer on."""
    node = builders.node()
    made = plan_for(node, seen=sight(silent_s=1000, is_blind=True), facts=answered(node))
    assert (made.actions, made.requeue_after_s) == ((), 0.0)


def test_a_node_that_has_never_reported_has_more_time():
    """60 s, not 50."""
    new = changed(builders.node(), status__conditions=[])
    assert not plan_for(new, seen=sight(silent_s=55)).needs
    assert plan_for(new, seen=sight(silent_s=60)).needs


@pytest.mark.parametrize(("status", "key"), [("False", "not-ready"), ("Unknown", "unreachable")])
def test_a_lost_node_is_tainted_and_its_pods_are_unready_at_once(status, key):
    """NoSchedule and NoExecute, an event on the node, one on each pod."""
    node = unhealthy(status)
    pod = builders.pod("web", node="node-1", ready=True, phase="Running")
    made = plan_for(node, pod)
    assert taints(made, node) == {(key, "NoSchedule"), (key, "NoExecute")}
    assert status_of(made)["conditions"][0]["status"] == "False"
    assert ("Normal", "NodeNotReady", "Node node-1 status is now: NodeNotReady") in events(made)
    assert ("Warning", "NodeNotReady", "Node is not ready") in events(made)
    written = next(write.patch["spec"]["taints"] for write in of_type(made, Patch) if "spec" in write.patch)
    assert all(taint["timeAdded"] == at(0) for taint in written)


def test_a_node_that_comes_back_loses_our_taints_only():
    """Taints of users stay, with the rest of what they say."""
    own = Taint(key="dedicated", value="db", effect="NoSchedule")
    old = [builders.taint("node.kubernetes.io/unreachable", effect) for effect in ("NoSchedule", "NoExecute")]
    node = builders.node(taints=[own, *old])
    made = plan_for(node)
    assert taints(made, node) == {("", "NoSchedule")}
    [patch] = of_type(made, Patch)
    assert patch.patch["spec"]["taints"] == [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]


def test_not_ready_and_unreachable_are_exchanged_at_once():
    """Without a turn of the throttle."""
    old = [builders.taint("node.kubernetes.io/not-ready", effect) for effect in ("NoSchedule", "NoExecute")]
    node = changed(unhealthy("Unknown"), spec__taints=old)
    made = plan_for(node, builders.pod(node="node-1"), seen=sight(disruption=Disruption(evictions_per_s=0)))
    assert taints(made, node) == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}


@pytest.mark.parametrize(
    ("condition", "key"),
    [
        ("MemoryPressure", "memory-pressure"),
        ("DiskPressure", "disk-pressure"),
        ("PIDPressure", "pid-pressure"),
        ("NetworkUnavailable", "network-unavailable"),
    ],
)
def test_pressure_keeps_new_pods_away(condition, key):
    """https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-nodes-by-condition."""
    ready = NodeCondition(type="Ready", status="True")
    node = changed(builders.node(), status__conditions=[ready, NodeCondition(type=condition, status="True")])
    assert taints(plan_for(node), node) == {(key, "NoSchedule")}


def test_a_cordoned_node_is_tainted():
    """Kubectl cordon."""
    node = builders.node(unschedulable=True)
    assert taints(plan_for(node), node) == {("unschedulable", "NoSchedule")}


def test_a_new_node_keeps_its_first_taint_until_it_says_something():
    """Admission gave it not-ready; without a Ready condition it stays."""
    node = Node(metadata=builders.node().metadata)
    node = changed(node, spec__taints=[builders.taint("node.kubernetes.io/not-ready")])
    assert plan_for(node).actions == ()


def test_when_every_node_is_down_nobody_is_evicted():
    """It may be our own view: NoExecute taints go, the others stay."""
    old = [builders.taint("node.kubernetes.io/unreachable", effect) for effect in ("NoSchedule", "NoExecute")]
    node = changed(unhealthy("Unknown"), spec__taints=old)
    made = plan_for(node, seen=sight(disruption=EVERYTHING_DOWN))
    assert taints(made, node) == {("unreachable", "NoSchedule")}


def test_nodes_of_a_zone_are_tainted_one_in_ten_seconds():
    """The first one at once; the plan says when the next turn is."""
    throttle = Throttle()
    first = unhealthy("Unknown")
    second = changed(first, metadata__uid="uid-other")
    pod = builders.pod(node="node-1")
    assert ("unreachable", "NoExecute") in taints(plan_for(first, pod, throttle=throttle), first)
    waiting = plan_for(second, pod, throttle=throttle, now_s=4.0)
    assert taints(waiting, second) == {("unreachable", "NoSchedule")}
    assert waiting.requeue_after_s == pytest.approx(6)
    late = plan_for(second, pod, throttle=throttle, now_s=10.0)
    assert ("unreachable", "NoExecute") in taints(late, second)


def test_a_turn_that_came_to_nothing_is_not_lost():
    """The write may fail; the same node passes again."""
    throttle, node, pod = Throttle(), unhealthy("Unknown"), builders.pod(node="node-1")
    plan_for(node, pod, throttle=throttle)
    again = plan_for(node, pod, throttle=throttle, now_s=1.0)
    assert ("unreachable", "NoExecute") in taints(again, node)


def test_an_empty_node_takes_no_turn():
    """There is nobody to evict."""
    throttle, node = Throttle(), unhealthy("Unknown")
    assert ("unreachable", "NoExecute") in taints(plan_for(node, throttle=throttle), node)
    other = changed(node, metadata__uid="uid-other")
    pod = builders.pod(node="node-1")
    assert ("unreachable", "NoExecute") in taints(plan_for(other, pod, throttle=throttle), other)


def test_a_node_that_says_so_itself_is_evicted_from_only_after_a_monitor_period():
    """A kubelet that starts is not Ready for a moment."""
    node, pod = unhealthy("False"), builders.pod(node="node-1")
    made = plan_for(node, pod, seen=sight(unready_s=1))
    assert taints(made, node) == {("not-ready", "NoSchedule")}
    assert made.requeue_after_s == pytest.approx(TABLE.node_monitor_period_s - 1)


def test_heartbeats_are_counted_by_their_change_not_by_what_they_say():
    """A lease renewed by a clock that is years behind is a heartbeat all the same."""
    beats = Heartbeats()
    beats.saw_node(builders.node(), 0)
    beats.saw_lease(builders.lease("node-1", renewTime="1999-01-01T00:00:00.000000Z"), 10)
    beats.saw_lease(builders.lease("node-1", renewTime="1999-01-01T00:00:00.000000Z"), 20)
    assert beats.age_s("node-1", 30) == 20
    beats.saw_lease(builders.lease("node-1", renewTime="1998-01-01T00:00:00.000000Z"), 30)
    assert beats.age_s("node-1", 30) == 0


def test_silence_that_nobody_could_have_heard_is_not_counted():
    """The apiserver was away: every node starts anew when it answers again, and only then."""
    beats = Heartbeats()
    beats.saw_node(builders.node(), 0)
    beats.regain_sight(20)
    beats.lose_sight()
    assert beats.age_s("node-1", 30) == 30
    beats.regain_sight(40)
    beats.regain_sight(45)
    assert beats.age_s("node-1", 50) == 10


def down(zones, count, start=0, zone=""):
    labels = {"topology.kubernetes.io/zone": zone}
    return [zones.put(builders.node(f"n{zone}{start + i}", ready=False, labels=labels)) for i in range(count)]


def up(zones, count, start=0, zone=""):
    labels = {"topology.kubernetes.io/zone": zone}
    return [zones.put(builders.node(f"n{zone}{start + i}", labels=labels)) for i in range(count)]


def test_how_far_a_zone_is_down_sets_the_rate():
    """A zone largely down: slow where it is large, not at all where it is small; wholly down beside others: normal."""
    zones = Zones()
    up(zones, 4, zone="a")
    down(zones, 6, start=4, zone="a")
    up(zones, 20, zone="b")
    down(zones, 40, start=20, zone="b")
    down(zones, 3, zone="c")
    assert zones.disruption(":a").evictions_per_s == 0
    assert zones.disruption(":b").evictions_per_s == 0.01
    assert zones.disruption(":c").evictions_per_s == 0.1
    assert not zones.disruption(":c").everything


def test_zones_tell_when_everything_goes_down_and_when_it_comes_back():
    """Then every node has to be looked at again."""
    zones = Zones()
    assert up(zones, 2)[1] == set()
    assert down(zones, 1) == [set()]
    assert down(zones, 1, start=1) == [{":"}]
    assert zones.disruption(":").everything
    assert up(zones, 1) == [{":"}]
    assert zones.drop("n0") == {":"}


def test_a_zone_tells_of_itself_only():
    """The nodes of other zones go on as they were; a first node changes nothing for anybody."""
    zones = Zones()
    assert up(zones, 9, zone="a") == [set()] * 9
    assert up(zones, 4, zone="b") == [set()] * 4
    assert down(zones, 3, zone="b") == [set(), set(), {":b"}]


@pytest.mark.parametrize(
    ("rates", "down_", "rate"),
    [
        (EvictionRates(per_s=2.0), 1, 2.0),
        (EvictionRates(unhealthy_share=0.5), 3, 0.0),
        (EvictionRates(unhealthy_share=0.5, large_zone=5), 3, 0.01),
        (EvictionRates(unhealthy_share=0.5, large_zone=6, secondary_per_s=1.0), 3, 0.0),
        (EvictionRates(unhealthy_share=0.0, large_zone=1, secondary_per_s=1.0), 2, 0.1),
        (EvictionRates(unhealthy_share=1.0), 5, 0.1),
    ],
)
def test_the_rates_of_evictions_are_flags(rates, down_, rate):
    """Of six nodes; with two that are down nothing is largely down, whatever the share."""
    zones = Zones(rates)
    down(zones, down_)
    up(zones, 6 - down_, start=down_)
    assert zones.disruption(":") == Disruption(evictions_per_s=rate)


def test_nodes_that_are_excluded_say_nothing_about_their_zone():
    """Neither when they come nor when they get the label."""
    zones = Zones()
    excluded = {"node.kubernetes.io/exclude-disruption": ""}
    zones.put(builders.node("well"))
    for number in range(3):
        zones.put(builders.node(f"sick-{number}", ready=False))
    assert zones.disruption(":").evictions_per_s == 0
    zones.put(builders.node("sick-0", ready=False, labels=excluded))
    assert zones.disruption(":") == Disruption()
    zones.put(builders.node("well", labels=excluded))
    assert zones.disruption(":").everything


def test_a_node_that_is_removed_is_said_to_be():
    """As its arrival was."""
    assert events(plan(Removed(builders.node()), moment())) == [
        ("Normal", "RemovingNode", "Node node-1 event: Removing Node node-1 from Controller")
    ]


def test_only_a_removal_whose_arrival_was_told_is_told_and_once():
    """A node that comes back under the same name is another one."""
    settings = Settings(TABLE, ())
    reader = Reader(Caches(), settings)
    node = builders.node()
    gone = Change(EventType.DELETED, node, None)
    reader.note_node(gone, 0.0)
    assert reader.look(("", "node-1"), moment()) is None
    reader.nodes.store.put(node)
    reader.note_node(Change(EventType.ADDED, None, node), 0.0)
    reader.look(("", "node-1"), moment())
    reader.nodes.store.drop(("", "node-1"))
    reader.note_node(gone, 1.0)
    assert reader.look(("", "node-1"), moment()) == Removed(node)
    assert reader.look(("", "node-1"), moment()) is None

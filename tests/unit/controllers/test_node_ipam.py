"""Pod ranges of nodes."""

from ipaddress import ip_network

from controllers.core.actions import Patch
from controllers.node_ipam.plan import plan
from controllers.node_ipam.ranges import Ranges
from tests.support.controllers import events, moment, of_type
from tests.support.node_ranges import node, ranges, seen


def test_each_node_gets_the_lowest_free_range():
    """The oldest first, then by name; those that have one keep it."""
    nodes = [node("c"), node("b", created="2025-01-01T00:00:00Z"), node("a", "10.244.1.0/24"), node("d")]
    assert ranges(nodes) == {"b": "10.244.0.0/24", "c": "10.244.2.0/24", "d": "10.244.3.0/24"}


def test_both_fields_are_written_at_the_revision_that_was_read():
    """PodCIDR is the first of podCIDRs."""
    [patch] = of_type(plan(seen([node("a")]), moment()), Patch)
    assert patch.patch["spec"] == {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]}
    assert patch.patch["metadata"]["resourceVersion"] == "1"


def test_ranges_of_other_sizes_are_not_overlapped():
    """A user may have given a node a wider or a narrower one."""
    nodes = [node("wide", "10.244.0.0/23"), node("narrow", "10.244.2.128/25"), node("new")]
    assert ranges(nodes) == {"new": "10.244.3.0/24"}


def test_a_range_outside_of_the_clusters_takes_nothing():
    """It is the user's business."""
    assert ranges([node("own", "192.168.0.0/24"), node("new")]) == {"new": "10.244.0.0/24"}


def test_without_a_range_left_an_event_says_so():
    """And a node that goes makes room."""
    nodes = [node("a", "10.244.0.0/24"), node("b", "10.244.1.0/24"), node("new")]
    assert ranges(nodes, "10.244.0.0/23") == {}
    assert events_of(nodes) == [("Normal", "CIDRNotAvailable", "Node new status is now: CIDRNotAvailable")]
    assert ranges(nodes[1:], "10.244.0.0/23") == {"new": "10.244.0.0/24"}


def events_of(nodes):
    return events(plan(seen(nodes, "10.244.0.0/23"), moment()))


def test_nothing_is_written_where_everybody_has_one():
    """A second look writes nothing."""
    assert plan(seen([node("a", "10.244.0.0/24")]), moment()).actions == ()


def test_what_a_node_leaves_is_given_again_once():
    """Also what it took, left and took again; two nodes that had the same range leave it when both are gone."""
    known = Ranges(ip_network("10.244.0.0/22"))
    for name in ("a", "twin"):
        known.put(node(name, "10.244.0.0/24"))
    known.put(node("b", "10.244.1.0/24"))
    assert texts(known, 9) == ["10.244.2.0/24", "10.244.3.0/24"]
    for _ in range(2):
        known.drop("b")
        assert texts(known, 1) == ["10.244.1.0/24"]
        known.put(node("b", "10.244.1.0/24"))
    known.put(node("b", "10.244.3.0/24"))
    known.drop("a")
    assert texts(known, 9) == ["10.244.1.0/24", "10.244.2.0/24"]
    known.drop("twin")
    assert texts(known, 2) == ["10.244.0.0/24", "10.244.1.0/24"]


def texts(known, count):
    return [str(network) for network in known.lowest(count)]


def test_what_is_no_range_takes_nothing():
    """An address of the other family, and what nobody can read."""
    assert ranges([node("v6", "fd00::/64"), node("odd", "x"), node("new")]) == {"new": "10.244.0.0/24"}


def test_a_node_gets_a_range_of_each_family():
    """The lowest of each: a node that has only one takes none of the other family."""
    both = "10.244.0.0/16,fd00:10:244::/56"
    nodes = [node("a"), node("old", "10.244.0.0/24"), node("v6", "fd00:10:244:1::/64")]
    assert ranges(nodes, both) == {"a": "10.244.1.0/24,fd00:10:244::/64"}
    [patch] = of_type(plan(seen(nodes, both), moment()), Patch)
    assert patch.patch["spec"]["podCIDR"] == "10.244.1.0/24"


def test_a_node_waits_where_one_family_has_nothing_left():
    """Half of what it needs is not given."""
    both = "10.244.0.0/16,fd00:10:244::/64"
    assert ranges([node("a"), node("b")], both) == {"a": "10.244.0.0/24,fd00:10:244::/64"}

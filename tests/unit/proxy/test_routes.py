"""Routes to other nodes' pods."""

from __future__ import annotations

from proxy.core.routes import Route, diff_routes, node_addresses, plan_routes, pod_range
from tests.support.proxy import routed_node

ONE = routed_node("node-1", "10.244.1.0/24", "10.77.0.11")
TWO = routed_node("node-2", "10.244.2.0/24", "10.77.0.12")


def test_every_other_node_has_a_route() -> None:
    """The others' pod ranges lie behind their addresses; the own range is the bridge's business."""
    assert plan_routes([ONE, TWO], "node-1") == (Route("10.244.2.0/24", "10.77.0.12"),)


def test_nodes_without_range_or_address_have_none() -> None:
    """A node that has not got everything yet is left out, and so is one that says nonsense."""
    nodes = [
        routed_node("a", "", "10.77.0.13"),
        routed_node("b", "10.244.3.0/24", ""),
        routed_node("c", "x", "y"),
    ]
    assert plan_routes([ONE, *nodes], "node-1") == ()


def test_the_own_range_is_never_led_away() -> None:
    """A node that claims this node's pod range does not get its packets."""
    assert plan_routes([ONE, routed_node("thief", "10.244.1.0/24", "10.77.0.66")], "node-1") == ()


def test_what_is_read_of_nodes() -> None:
    """The own pod range and every address of every node."""
    assert pod_range([ONE, TWO], "node-2") == "10.244.2.0/24"
    assert pod_range([ONE], "node-9") == ""
    assert node_addresses([TWO, ONE]) == ("10.77.0.11", "10.77.0.12")


def test_stale_routes_go_and_missing_ones_come() -> None:
    """Only the difference is written; a range that has moved is replaced, without a moment without a route."""
    wanted = (Route("10.244.2.0/24", "10.77.0.22"), Route("10.244.3.0/24", "10.77.0.13"))
    present = (
        Route("10.244.2.0/24", "10.77.0.12"),
        Route("10.244.3.0/24", "10.77.0.13"),
        Route("10.244.4.0/24", "10.77.0.14"),
    )
    assert diff_routes(wanted, present) == (
        "route del 10.244.4.0/24 via 10.77.0.14 proto 77",
        "route replace 10.244.2.0/24 via 10.77.0.22 proto 77",
    )

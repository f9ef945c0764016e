"""Routes to other nodes' pods."""

from __future__ import annotations

import json

import pytest

from proxy.commands import CommandError
from proxy.core.routes import Route, diff_routes, node_addresses, plan_routes, pod_range
from proxy.routes import Routes
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


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("169.254.1.1", "10.77.0.11", "::1", "", " 10.77.0.12", "10.77.0.12 dev lo"),
    ],
)
def test_a_node_with_an_impossible_address_stops_nobody(address) -> None:
    """What no other node can have leads nowhere; the others' routes are planned as ever."""
    liar = routed_node("liar", "10.244.9.0/24", address)
    assert plan_routes([ONE, liar, TWO], "node-1") == (Route("10.244.2.0/24", "10.77.0.12"),)
    assert node_addresses([TWO, liar, ONE]) == ("10.77.0.11", "10.77.0.12")


class Ip:
    """The `ip` command of a kernel that takes no route via 10.66.0.0/16."""

    def __init__(self) -> None:
        self.table: dict[str, str] = {}

    async def succeed(self, argv, text="") -> str:
        if "show" in argv:
            return json.dumps([{"dst": to, "gateway": via} for to, via in self.table.items()])
        refused = [line for line in text.splitlines() if "via 10.66." in line]
        for line in text.splitlines():
            if line not in refused:
                _, verb, to, _, via, *_ = line.split()
                self.table.update({to: via}) if verb == "replace" else self.table.pop(to)
        if refused:
            raise CommandError("RTNETLINK answers: Network is unreachable")
        return ""


FAR = Route("10.244.9.0/24", "10.66.0.9")


async def test_a_route_that_the_kernel_refuses_is_that_nodes_trouble() -> None:
    """The others are set, and that one is named."""
    kernel, near = Ip(), Route("10.244.2.0/24", "10.77.0.12")
    routes = Routes(kernel)
    assert await routes.apply((near, FAR))
    assert (kernel.table, routes.refused) == ({near.destination: near.gateway}, (FAR,))
    assert not await routes.apply((near, FAR))
    await routes.apply((near,), anyway=True)
    assert routes.refused == ()


async def test_where_no_route_is_taken_the_trouble_is_this_nodes() -> None:
    """Its network may not be there yet: it is said, and tried again soon."""
    with pytest.raises(CommandError):
        await Routes(Ip()).apply((FAR,))


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

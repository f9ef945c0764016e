"""Routes to other nodes' pods."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from machinery.model.k8s.core_v1 import Node
from proxy.commands import CommandError
from proxy.core.desired import Desired
from proxy.core.families import V6
from proxy.core.merged import Merged
from proxy.core.routes import NodeFacts, Route, change_routes, diff_routes, facts_of
from proxy.core.table import Item
from proxy.routes import Routes
from tests.support.proxy import routed_node
from tests.support.proxy_history import dual_node

ONE = routed_node("node-1", "10.244.1.0/24", "10.77.0.11")
TWO = routed_node("node-2", "10.244.2.0/24", "10.77.0.12")


def told(*nodes: Node) -> Desired:
    """Return what node-1 should have once it knows these nodes."""
    desired = Desired("node-1", "10.244.0.0/16", sees_bridged=False)
    for node in nodes:
        desired.put_node(node.metadata.name, node)
    return desired


def routes_beside(*nodes: Node) -> dict[str, str]:
    """Return the routes of node-1 once it knows these nodes, in whatever order they are told."""
    found = [dict(told(*order).routes.items()) for order in permutations(nodes)]
    assert all(routes == found[0] for routes in found)
    return found[0]


def merged(*routes: Route) -> Merged[str, str]:
    """Return wanted routes."""
    made: Merged[str, str] = Merged()
    made.put(("", "all"), {route.destination: route.gateway for route in routes})
    return made


def test_every_other_node_has_a_route() -> None:
    """The others' pod ranges lie behind their addresses; the own range is the bridge's business."""
    assert routes_beside(ONE, TWO) == {"10.244.2.0/24": "10.77.0.12"}


def test_a_family_has_the_routes_of_its_own_addresses() -> None:
    """Of nodes with both; one that has no address of the other family is not reached by it."""
    desired = Desired("node-1", "fd00:10:244::/56", sees_bridged=False, family=V6)
    nodes = [dual_node(f"node-{n}", f"10.244.{n}.0/24", f"10.77.0.1{n}") for n in (1, 2)]
    for node in (*nodes, routed_node("plain", "10.244.3.0/24", "10.77.0.13")):
        desired.put_node(node.metadata.name, node)
    assert dict(desired.routes.items()) == {"fd00::10:244:2:0/112": "fd00::10:77:0:12"}
    assert desired.own.addresses == ("fd00::10:77:0:11",)


def test_nodes_without_range_or_address_have_none() -> None:
    """A node that has not got everything yet is left out, and so is one that says nonsense."""
    nodes = [
        routed_node("a", "", "10.77.0.13"),
        routed_node("b", "10.244.3.0/24", ""),
        routed_node("c", "x", "y"),
    ]
    assert routes_beside(ONE, *nodes) == {}


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
    assert routes_beside(ONE, liar, TWO) == {"10.244.2.0/24": "10.77.0.12"}
    known = {item.name for item, _ in told(TWO, liar, ONE).table.items() if item.kind == "nodes"}
    assert known == {"10.77.0.11", "10.77.0.12"}


class Ip:
    """The `ip` command of a kernel that takes no route via 10.66.0.0/16."""

    def __init__(self) -> None:
        self.table: dict[str, str] = {}
        self.listings = 0

    async def succeed(self, argv, text="") -> str:
        if "show" in argv:
            self.listings += 1
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
    wanted = merged(near, FAR)
    assert await routes.apply(wanted)
    wanted.settle()
    assert (kernel.table, routes.refused) == ({near.destination: near.gateway}, (FAR,))
    assert not await routes.apply(wanted)
    await routes.apply(merged(near), anyway=True)
    assert routes.refused == ()


async def test_where_no_route_is_taken_the_trouble_is_this_nodes() -> None:
    """Its network may not be there yet: it is said, and tried again soon."""
    with pytest.raises(CommandError):
        await Routes(Ip()).apply(merged(FAR))


def test_the_own_range_is_never_led_away() -> None:
    """A node that claims this node's pod range does not get its packets."""
    assert routes_beside(ONE, routed_node("thief", "10.244.1.0/24", "10.77.0.66")) == {}


def test_what_is_read_of_nodes() -> None:
    """The pod range, the InternalIP, and every address; nothing where it says nothing."""
    assert facts_of(TWO) == NodeFacts("10.244.2.0/24", "10.77.0.12", ("10.77.0.12",))
    assert facts_of(routed_node("new", "", "")) == NodeFacts()


def test_the_own_node_changes_everything() -> None:
    """What was another's range becomes this node's, and what was a gateway its own address; and back."""
    desired = told(ONE, TWO)
    desired.put_node("node-1", routed_node("node-1", "10.244.2.0/24", "10.77.0.11"))
    assert dict(desired.routes.items()) == {}
    desired.put_node("node-1", ONE)
    assert dict(desired.routes.items()) == {"10.244.2.0/24": "10.77.0.12"}
    postrouting = desired.table.get(Item("chain", "postrouting")) or ""
    assert "ip saddr 10.244.1.0/24 ip daddr 10.244.1.0/24" in postrouting


def test_the_next_node_has_a_range_that_another_gave_up() -> None:
    """Of two with one range the first by name has it, until it goes."""
    desired = told(ONE, TWO, routed_node("node-3", "10.244.2.0/24", "10.77.0.13"))
    assert dict(desired.routes.items()) == {"10.244.2.0/24": "10.77.0.12"}
    desired.put_node("node-2", None)
    assert dict(desired.routes.items()) == {"10.244.2.0/24": "10.77.0.13"}


def test_only_the_routes_that_changed_are_written() -> None:
    """Without a look at the others."""
    wanted = merged(Route("10.244.2.0/24", "a"), Route("10.244.3.0/24", "b"), Route("10.244.4.0/24", "c"))
    wanted.settle()
    wanted.put(("", "all"), {"10.244.2.0/24": "a", "10.244.3.0/24": "d", "10.244.5.0/24": "e"})
    assert change_routes(wanted.differences()) == (
        "route del 10.244.4.0/24 via c proto 77",
        "route replace 10.244.3.0/24 via d proto 77",
        "route replace 10.244.5.0/24 via e proto 77",
    )


async def test_a_change_does_not_list_the_routes() -> None:
    """Once they are known; a change that fails lists them."""
    kernel, wanted = Ip(), merged(Route("10.244.2.0/24", "10.77.0.12"))
    routes = Routes(kernel)
    for address, listings in (("10.77.0.12", 1), ("10.77.0.13", 1), ("10.77.0.14", 1), ("10.66.0.1", 3)):
        wanted.put(("", "node-2"), {"10.244.3.0/24": address})
        assert await routes.apply(wanted)
        wanted.settle()
        assert kernel.listings == listings
    assert routes.refused == (Route("10.244.3.0/24", "10.66.0.1"),)
    wanted.put(("", "node-2"), {})
    assert await routes.apply(wanted)
    assert (routes.refused, kernel.table) == ((), {"10.244.2.0/24": "10.77.0.12"})


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

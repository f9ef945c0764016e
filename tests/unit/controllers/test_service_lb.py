"""Load balancers: who gets which address, and which node answers for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from controllers.core.actions import Patch, RecordEvent, Remember
from controllers.core.address_pool import Choice, Pools, choose, parse_pool, parse_pools
from controllers.core.caches import Caches
from controllers.core.controller import Key
from controllers.core.moment import Moment
from controllers.service_lb.controller import Reader
from controllers.service_lb.plan import Given, Seen, plan
from machinery.model.k8s.core_v1 import LoadBalancerIngress, LoadBalancerStatus, Node, Service, ServiceStatus
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.load_balancers import ANNOUNCER, EXCLUDED, FINALIZER
from machinery.model.requests import EventType
from machinery.model.store import Change
from tests.support.builders import changed, node
from tests.support.proxy import endpoint, endpoint_slice, service

POOL = parse_pool("10.77.0.211-10.77.0.213")
NOW = Moment(0)


def balancer(
    name: str = "web", *, has: str = "", node: str = "", since: str = "2026-01-01T00:00:00Z", **spec: Any
) -> Service:
    """Return a load balancer, with an address and who answers for it."""
    made = service(name, type="LoadBalancer", **spec)
    ingress = [LoadBalancerIngress(ip=has, ipMode="VIP")] if has else []
    return changed(
        made,
        metadata__uid=name,
        metadata__creationTimestamp=since,
        metadata__annotations={ANNOUNCER: node} if node else {},
        metadata__finalizers=[FINALIZER] if node or has else [],
        status=ServiceStatus(loadBalancer=LoadBalancerStatus(ingress=ingress)),
    )


def done(seen: Seen) -> list[str]:
    """Return what a plan does: events by their reasons, writes by what they set."""
    found = []
    for action in plan(seen, NOW).actions:
        if isinstance(action, RecordEvent):
            found.append(action.reason)
        elif not isinstance(action, Remember):
            assert isinstance(action, Patch)
            fields = action.patch["metadata"] | action.patch
            found += [
                f"{name}={fields[name]}" for name in ("finalizers", "annotations", "status") if name in fields
            ]
    return found


CHOSEN = Choice("10.77.0.211")
ADDRESSED = "status={'loadBalancer': {'ingress': [{'ip': '10.77.0.211', 'ipMode': 'VIP'}]}}"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (
            Seen(balancer(), CHOSEN, "a"),
            ["EnsuringLoadBalancer", f"finalizers={[FINALIZER]}", f"annotations={{'{ANNOUNCER}': 'a'}}"],
        ),
        (Seen(balancer(node="a"), CHOSEN, "a"), [ADDRESSED, "EnsuredLoadBalancer"]),
        (Seen(balancer(has="10.77.0.211", node="a"), CHOSEN, "a"), []),
        (
            Seen(balancer(has="10.77.0.211", node="a"), CHOSEN, "b"),
            [f"finalizers={[FINALIZER]}", f"annotations={{'{ANNOUNCER}': 'b'}}", "UpdatedLoadBalancer"],
        ),
        (
            Seen(balancer(has="10.77.0.211", node="a"), CHOSEN, ""),
            [f"finalizers={[FINALIZER]}", f"annotations={{'{ANNOUNCER}': None}}", "UnAvailableLoadBalancer"],
        ),
        (Seen(balancer(has="10.77.0.212", node="a"), CHOSEN, "a"), [ADDRESSED, "EnsuredLoadBalancer"]),
        (Seen(balancer(), Choice(problem="x"), "a"), ["SyncLoadBalancerFailed"]),
        (
            Seen(changed(balancer(has="10.77.0.211", node="a"), spec__type="ClusterIP")),
            ["DeletingLoadBalancer", "status={'loadBalancer': {'ingress': None}}"],
        ),
        (
            Seen(changed(balancer(node="a"), metadata__deletionTimestamp="2026-01-01T00:00:00Z")),
            ["finalizers=[]", f"annotations={{'{ANNOUNCER}': None}}", "DeletedLoadBalancer"],
        ),
        (Seen(balancer(loadBalancerClass="example.com/x")), []),
        (Seen(service()), []),
    ],
)
def test_a_balancer_is_made_and_taken_away_step_by_step(seen: Seen, expected: list[str]) -> None:
    """The finalizer first and last; an address when somebody answers for it."""
    assert done(seen) == expected


@pytest.mark.parametrize(
    ("wanted", "has", "taken", "expected"),
    [
        ("", "", set(), Choice("10.77.0.211")),
        ("", "", {"10.77.0.211"}, Choice("10.77.0.212")),
        ("", "10.77.0.213", set(), Choice("10.77.0.213")),
        ("", "10.77.0.213", {"10.77.0.213"}, Choice("10.77.0.211")),
        ("", "192.0.2.1", set(), Choice("10.77.0.211")),
        ("10.77.0.212", "10.77.0.211", set(), Choice("10.77.0.212")),
        ("10.77.0.212", "", {"10.77.0.212"}, Choice(problem="address 10.77.0.212 is already in use")),
        (
            "192.0.2.1",
            "",
            set(),
            Choice(problem="address 192.0.2.1 is not in the pool 10.77.0.211-10.77.0.213"),
        ),
        (
            "nonsense",
            "",
            set(),
            Choice(problem="address nonsense is not in the pool 10.77.0.211-10.77.0.213"),
        ),
        (
            "",
            "",
            {"10.77.0.211", "10.77.0.212", "10.77.0.213"},
            Choice(problem="no address is left in the pool 10.77.0.211-10.77.0.213"),
        ),
    ],
)
def test_an_address_is_chosen(wanted: str, has: str, taken: set[str], expected: Choice) -> None:
    """The one that is asked for, the one that there is, the first that is free."""
    assert choose(POOL, wanted, has, taken.__contains__) == expected


def test_a_large_pool_is_not_looked_through_from_the_beginning() -> None:
    """The search begins at a place of the Service's own, and comes round."""
    pool, taken = parse_pool("10.0.0.0-10.0.1.255"), {"10.0.1.255"}
    assert choose(pool, "", "", taken.__contains__, lot=512 + 300) == Choice("10.0.1.44")
    assert choose(pool, "", "", taken.__contains__, lot=511) == Choice("10.0.0.0")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10.0.0.0/30", "10.0.0.1-10.0.0.2"),
        ("10.0.0.7/32", "10.0.0.7-10.0.0.7"),
        ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
    ],
)
def test_a_pool_is_read(text: str, read: str) -> None:
    """As a network without its ends, or from the first to the last."""
    assert str(parse_pool(text)) == read


@pytest.mark.parametrize(
    "text", ["", "x", "10.0.0.1/8", "10.0.0.9-10.0.0.1", "fd00::/120", "10.0.0.1-", "10.0.0.1-fd00::1"]
)
def test_what_is_no_pool_is_refused(text: str) -> None:
    """With a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse_pool(text)


class World:
    """What the reader reads."""

    pools = Pools(POOL)

    def __init__(self, *objects: Node | Service | EndpointSlice) -> None:
        self.reader = Reader(Caches(), self.pools)
        self.put(*objects)

    def put(self, *objects: Node | Service | EndpointSlice) -> None:
        """Create or change objects."""
        sources = {Node: self.reader.nodes, Service: self.reader.services, EndpointSlice: self.reader.slices}
        for obj in objects:
            source: Any = sources[type(obj)]
            source.store.put(obj)

    def seen(self, name: str = "web") -> Seen:
        """Look at a Service."""
        found = self.reader.look(("default", name), NOW)
        assert found
        return found


def test_a_node_answers_as_long_as_it_can() -> None:
    """Then another one does; none that is excluded or not ready; and the first does not come back for being ready again."""
    labels = {EXCLUDED: ""}
    world = World(node("a"), node("b", ready=False), node("c", labels=labels), balancer())
    assert world.seen().node == "a"
    world.put(balancer(has="10.77.0.211", node="a"), node("b"))
    assert world.seen().node == "a"
    world.put(node("a", ready=None))
    assert world.seen().node == "b"
    world.put(balancer(has="10.77.0.211", node="b"), node("a"))
    assert world.seen().node == "b"
    world.put(node("a", ready=False), node("b", labels=labels))
    assert world.seen().node == ""


def test_under_the_local_policy_a_node_with_endpoints_answers() -> None:
    """Where there is one; else whoever did goes on."""
    local = {"externalTrafficPolicy": "Local"}
    ends = [endpoint("10.244.1.2", node="b"), endpoint("10.244.1.3", node="c", ready=False)]
    world = World(
        node("a"), node("b"), node("c"), balancer(has="10.77.0.211", node="a", **local), endpoint_slice(*ends)
    )
    assert world.seen().node == "b"
    world.put(endpoint_slice())
    assert world.seen().node == "a"
    world.put(balancer(has="10.77.0.211", node="a"), endpoint_slice(*ends))
    assert world.seen().node == "a"


def test_no_two_have_one_address() -> None:
    """Also while the cache does not show who was given which; of two that do have one the older one keeps it."""
    world = World(node("a"), balancer("one"), balancer("two"))
    assert world.seen("one").choice == world.seen("two").choice == Choice("10.77.0.211")
    world.reader.remember(Given("default", "one", "10.77.0.211"))
    assert world.seen("two").choice == Choice("10.77.0.212")
    assert world.seen("one").choice == Choice("10.77.0.211")
    later = "2026-01-02T00:00:00Z"
    world.put(balancer("one", has="10.77.0.211"), balancer("two", has="10.77.0.211", since=later))
    assert world.seen("one").choice == Choice("10.77.0.211")
    assert world.seen("two").choice == Choice("10.77.0.212")
    world.put(balancer("three", has="10.77.0.212"), balancer("four", has="10.77.0.213"))
    assert world.seen("two").choice.problem


def test_only_who_is_concerned_is_looked_at() -> None:
    """By a node: those that it answers for, and those that nobody does; by an address that is free: those that wait for one."""
    mine, other = (
        balancer("mine", has="10.77.0.211", node="a"),
        balancer("other", has="10.77.0.212", node="b"),
    )
    world = World(mine, other, balancer("new"), service("plain"), service("web"))
    reader = world.reader

    def keys(found: Iterable[Key]) -> set[str]:
        return {name for _, name in found}

    assert keys(reader.announced(_change(node("a"), node("a", ready=False)))) == {"mine", "new"}
    assert keys(reader.announced(_change(node("a"), node("a", cpu="8")))) == set()
    assert keys(reader.itself_and_waiting(_change(mine, None))) == {"mine", "new"}
    assert keys(reader.itself_and_waiting(_change(None, other))) == {"other"}
    assert keys(reader.itself_and_waiting(_change(None, service("plain")))) == set()
    assert keys(reader.local_service(_change(None, endpoint_slice(of="mine")))) == set()
    world.put(balancer("mine", has="10.77.0.211", node="a", externalTrafficPolicy="Local"))
    assert keys(reader.local_service(_change(None, endpoint_slice(of="mine")))) == {"mine"}


def _change(old: Any, new: Any) -> Change[Any]:
    kind = EventType.ADDED if old is None else EventType.DELETED if new is None else EventType.MODIFIED
    return Change(kind, old, new)


def test_without_a_pool_everybody_waits() -> None:
    """As in a cluster without a cloud."""
    reader = Reader(Caches(), None)
    reader.services.store.put(balancer())
    assert reader.look(("default", "web"), NOW) is None


class DualWorld(World):
    """The same, with a pool of each family."""

    pools = parse_pools("10.77.0.211-10.77.0.213,fd00::211-fd00::254")


@pytest.mark.parametrize(
    ("families", "shown"),
    [
        (["IPv4"], ("10.77.0.211",)),
        (["IPv6"], ("fd00::211",)),
        (["IPv4", "IPv6"], ("10.77.0.211", "fd00::211")),
        (["IPv6", "IPv4"], ("fd00::211", "10.77.0.211")),
    ],
)
def test_a_service_gets_an_address_of_each_of_its_families(
    families: list[str], shown: tuple[str, ...]
) -> None:
    """In its own order, from the same place of both pools: whoever has one of them holds the other one, too."""
    world = DualWorld(node("a"), balancer(node="a", ipFamilies=families))
    assert world.seen().addresses == shown
    taken = changed(
        balancer(node="a", ipFamilies=families),
        status=ServiceStatus(
            loadBalancer=LoadBalancerStatus(ingress=[LoadBalancerIngress(ip=each) for each in shown])
        ),
    )
    world.put(taken, balancer("other", node="a", ipFamilies=["IPv6", "IPv4"]))
    assert done(world.seen()) == []
    assert world.seen("other").addresses == ("fd00::212", "10.77.0.212")


def test_a_service_that_gets_a_second_family_gets_its_address() -> None:
    """And one that loses it loses that."""
    world = DualWorld(node("a"), balancer(has="10.77.0.212", node="a", ipFamilies=["IPv4", "IPv6"]))
    ingress = "[{'ip': '10.77.0.212', 'ipMode': 'VIP'}, {'ip': 'fd00::212', 'ipMode': 'VIP'}]"
    assert done(world.seen())[0] == f"status={{'loadBalancer': {{'ingress': {ingress}}}}}"


def test_an_address_of_either_family_may_be_asked_for() -> None:
    """By loadBalancerIP; where the pool has no such family there is none."""
    asked = balancer(node="a", ipFamilies=["IPv6"], loadBalancerIP="fd00::213")
    assert DualWorld(node("a"), asked).seen().addresses == ("fd00::213",)
    alone = World(node("a"), balancer(node="a", ipFamilies=["IPv6"])).seen()
    assert alone.choice.problem == "there is no pool of IPv6 addresses"


@pytest.mark.parametrize(
    "text", ["fd00::1-fd00::9", "10.0.0.1-10.0.0.9,10.0.1.1-10.0.1.9", "10.0.0.1-10.0.0.9,fd00::1-fd00::2"]
)
def test_what_are_no_two_pools_is_refused(text: str) -> None:
    """The first is IPv4, the second IPv6 and as large."""
    with pytest.raises(ValueError, match=r"."):
        parse_pools(text)

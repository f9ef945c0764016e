"""From one table to another: what is written, tried on a model that refuses what the kernel refuses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from random import Random

import pytest

from proxy.core.families import V4, V6, Family
from proxy.core.merged import Difference
from proxy.core.table import CHAIN, MAP, SET, Item, Present, table_of, write_changes, write_whole
from tests.support.filter_walk import DROPPED, PASSED, REFUSED, Fate, Packet, fates
from tests.support.nft_model import NftModel, RefusedError
from tests.support.proxy import balancer, endpoint, endpoint_slice, routed_node, service_port
from tests.support.proxy_history import OWN, History, new_desired

SEEDS = range(4)
FAMILIES = [pytest.param(each, id=each.name) for each in (V4, V6)]
STEPS = 25


def whole(table: Mapping[Item, str]) -> NftModel:
    """Write a table where there is none."""
    model = NftModel()
    model.run(write_whole(table, None))
    return model


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_changes_lead_to_what_the_whole_is(seed: int, family: Family) -> None:
    """After each change of a random history the kernel's table is the one that a whole write makes."""
    desired, kernel, history = new_desired(family), NftModel(), History(Random(seed), family)
    kernel.run(write_whole(dict(desired.table.items()), None, table_of(family)))
    desired.table.settle()
    for _ in history.steps(desired, STEPS):
        kernel.run(write_changes(desired.table.differences(), table_of(family)))
        desired.table.settle()
        assert kernel.content == whole(dict(desired.table.items())).content


@pytest.mark.parametrize("seed", SEEDS)
def test_the_whole_takes_the_place_of_whatever_is_there(seed: int) -> None:
    """Also of the table of another moment, and of one into which another hand has put something."""
    desired, kernel, history = new_desired(), NftModel(), History(Random(seed))
    kernel.run("add table ip kubarium-proxy\nadd chain ip kubarium-proxy stranger\n")
    for _ in history.steps(desired, STEPS):
        table = dict(desired.table.items())
        kernel.run(write_whole(table, kernel.present))
        assert kernel.content == whole(table).content


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_history_leaves_nothing_behind(seed: int, family: Family) -> None:
    """What is desired depends on what there is now only, except for which number each endpoint has."""
    desired, history = new_desired(family), History(Random(seed), family)
    for _ in history.steps(desired, STEPS):
        fresh = history.fresh()
        assert _numberless(desired.table.items()) == _numberless(fresh.table.items())
        assert dict(desired.routes.items()) == dict(fresh.routes.items())
        assert dict(desired.udp.items()) == dict(fresh.udp.items())
        assert dict(desired.health.items()) == dict(fresh.health.items())


def _compare(seed: int, family: Family, steps: int, packets: int) -> set[Fate]:
    """Walk packets through the tables of a random history; return all that became of them."""
    desired, history = new_desired(family), History(Random(seed), family)
    seen: set[Fate] = set()
    for _ in history.steps(desired, steps):
        table, reference = dict(desired.table.items()), history.reference()
        for _ in range(packets):
            packet = history.packet(reference.own)
            found = fates(table, packet)
            assert found == reference.fates(packet), packet
            seen |= found
    return seen


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS[:2])
def test_packets_go_where_the_documentation_says(seed: int, family: Family) -> None:
    """Every packet in every moment of a random history in which all has both families; each kind of end is among them."""
    seen = _compare(seed, family, STEPS, 12)
    assert {PASSED, REFUSED, DROPPED} < {fate.end for fate in seen}


@pytest.mark.deep
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(100, 102))
def test_many_packets_go_where_the_documentation_says(seed: int, family: Family) -> None:
    """The same for longer: each of seven endpoints is met, masqueraded and not."""
    assert len(_compare(seed, family, 150, 60)) == 17


@pytest.mark.parametrize(
    ("lost", "packet"),
    [
        ("guards", ("203.0.113.9", "198.51.100.1", "tcp", 80)),
        ("services", ("10.244.1.5", "10.96.0.1", "tcp", 80)),
        ("cluster-ips", ("10.244.1.5", "10.96.0.1", "tcp", 81)),
        ("nodeports", ("203.0.113.9", "10.77.0.1", "tcp", 30_001)),
    ],
)
def test_a_table_with_a_fault_is_found(lost: str, packet: tuple[str, str, str, int]) -> None:
    """One in which the elements of a map or set are missing."""
    history, key = History(Random(0)), ("default", "a")
    ports, ranges = [service_port(80, nodePort=30_001)], ["10.0.0.0/8"]
    fields = {"ip": "10.96.0.1", "ports": ports, "loadBalancerSourceRanges": ranges}
    history.services[key] = balancer("198.51.100.1", name="a", **fields)
    history.slices[key] = [endpoint_slice(endpoint("10.244.1.2"), of="a")]
    history.nodes[OWN] = routed_node(OWN, "10.244.1.0/24", "10.77.0.1")
    table, reference = dict(history.fresh().table.items()), history.reference()
    sent = Packet(*packet, own=reference.own)
    assert fates(table, sent) == reference.fates(sent)
    faulty = {item: value for item, value in table.items() if item.kind != lost}
    assert fates(faulty, sent) != reference.fates(sent)


def _numberless(items: Iterable[tuple[Item, str]]) -> dict[Item, set[str]]:
    found: dict[Item, set[str]] = defaultdict(set)
    for item, value in items:
        is_place = item.kind.endswith("endpoints")
        found[Item(item.kind, item.name.rpartition(" . ")[0]) if is_place else item].add(value)
    return dict(found)


ONE, TWO = Item(CHAIN, "one"), Item(CHAIN, "two")
DOORS, DOOR = Item(MAP, "doors"), Item("doors", "80")


def test_what_is_not_different_is_not_written() -> None:
    """Another endpoint is one command for each set and map that it is in, and names nothing else."""
    differences = [
        Difference(Item("doors", "80 . 2"), None, "10.1.0.3"),
        Difference(DOOR, "goto two", "goto one"),
    ]
    assert write_changes(differences).splitlines() == [
        "delete element ip kubarium-proxy doors { 80 }",
        "add element ip kubarium-proxy doors { 80 . 2 : 10.1.0.3, 80 : goto one }",
    ]


def test_nothing_is_written_for_nothing() -> None:
    """No difference, no text."""
    assert write_changes(()) == ""


def test_chains_that_lead_to_each_other_come_and_go_together() -> None:
    """In whatever order they are told: both are there before the rules, and emptied before one is deleted."""
    kernel = whole({DOORS: "type inet_service : verdict;"})
    came = [
        Difference(DOOR, None, "goto one"),
        Difference(ONE, None, "goto two"),
        Difference(TWO, None, "drop"),
    ]
    for order in (came, came[::-1]):
        kernel.run(write_changes(order))
        assert kernel.chains == {"one": ["goto two"], "two": ["drop"]}
        kernel.run(write_changes([Difference(key, new, None) for key, _, new in order]))
        assert kernel.chains == {}


def test_a_changed_chain_is_written_anew_in_its_place() -> None:
    """While others lead to it, also where it leads to one that comes and not to one that goes any more."""
    kernel = whole({DOORS: "type inet_service : verdict;", DOOR: "goto one", ONE: "goto two", TWO: "drop"})
    kernel.run(write_changes([Difference(ONE, "goto two", "drop"), Difference(TWO, "drop", None)]))
    assert kernel.chains == {"one": ["drop"]}


def test_sets_of_clients_come_and_go_with_who_uses_them() -> None:
    """A set is there before the rules that name it, and goes after them."""
    known = Item(SET, "affinity-one")
    came = [Difference(ONE, None, "ip saddr @affinity-one drop"), Difference(known, None, "type ipv4_addr;")]
    kernel = NftModel()
    kernel.run(write_changes(came))
    kernel.run(write_changes([Difference(key, new, None) for key, _, new in came]))
    assert kernel.present == Present()


def test_the_whole_forgets_no_clients() -> None:
    """A set of clients that is still needed keeps its content; one that is not goes."""
    one, two = Item(SET, "affinity-one"), Item(SET, "affinity-two")
    kernel = whole({one: "type ipv4_addr;", two: "type ipv4_addr;"})
    kernel.run("add element ip kubarium-proxy affinity-one { 10.1.0.1 }\n")
    kernel.run(write_whole({one: "type ipv4_addr;"}, kernel.present))
    assert kernel.elements == {"affinity-one": {"10.1.0.1": ""}}


@pytest.mark.parametrize(
    "transaction",
    [
        "delete chain ip kubarium-proxy two\n",
        "delete chain ip kubarium-proxy three\n",
        "delete map ip kubarium-proxy doors\n",
        "delete element ip kubarium-proxy doors { 81 }\n",
        "add element ip kubarium-proxy doors { 80 : goto two }\n",
        "add element ip kubarium-proxy doors { 81 : goto three }\n",
        "add rule ip kubarium-proxy one goto three\n",
        "add chain ip kubarium-proxy three\nadd rule ip kubarium-proxy one ip saddr @nobody drop\n",
        "rename chain ip kubarium-proxy one\n",
    ],
)
def test_the_model_refuses_what_the_kernel_refuses(transaction: str) -> None:
    """And nothing of it takes effect."""
    table = {
        DOORS: "type inet_service : verdict;",
        DOOR: "goto one",
        ONE: "goto two",
        TWO: "tcp dport vmap @doors",
    }
    kernel = whole(table)
    with pytest.raises(RefusedError):
        kernel.run(transaction)
    assert kernel.content == whole(table).content

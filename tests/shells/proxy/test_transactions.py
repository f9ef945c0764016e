"""The packet filter's table in a real kernel: changed bit by bit it is what a whole write makes, whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from machinery.model.log import SILENT
from machinery.process.clock import SystemClock
from proxy.commands import CommandError, Commands
from proxy.core.desired import Desired
from proxy.core.families import V4, V6, Family
from proxy.core.table import table_of
from proxy.nft import Nft, Turns, read_generation
from tests.support.netns import Lab, inside
from tests.support.proxy import SERVICE_IP, endpoint, endpoint_slice, service
from tests.support.proxy_history import History, dual_node, new_desired

NODE = "node-1"
STEPS = 60


@dataclass
class Spied(Commands):
    """Commands that remember what was written; one transaction may be lost with its process half way."""

    written: list[str] = field(default_factory=list)
    is_killing: bool = False

    def __post_init__(self) -> None:
        Commands.__init__(self, SystemClock(), 20)

    async def succeed(self, argv: Sequence[str], text: str = "") -> str:
        """Run it."""
        if text and self.is_killing:
            self.is_killing = False
            raise CommandError("nft has been killed")
        answer = await Commands.succeed(self, argv, text)
        if text:
            self.written.append(text)
        return answer


@dataclass
class Node:
    """A desired table, and what writes it to the kernel."""

    desired: Desired = field(default_factory=new_desired)
    commands: Spied = field(default_factory=Spied)
    turns: Turns = field(default_factory=Turns)

    def __post_init__(self) -> None:
        self.nft = Nft(self.commands, SILENT, self.desired.family, self.turns)

    async def write(self, *, anyway: bool = False) -> str:
        """Write what is desired; return the transactions."""
        before = len(self.commands.written)
        await self.nft.apply(self.desired.table, anyway=anyway)
        self.desired.table.settle()
        return "".join(self.commands.written[before:])

    def serve(self, *ips: str) -> None:
        """Have one Service with these endpoints."""
        slices = [endpoint_slice(*(endpoint(ip, node="node-2") for ip in ips))]
        self.desired.put_service(("default", "web"), service(), slices)


def in_node(lab: Lab, scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in the node's namespace, which has an empty packet filter before and after it."""

    async def run() -> None:
        async with asyncio.timeout(120):
            await nft("flush", "ruleset")
            await scenario()
            await nft("flush", "ruleset")

    inside(lab.space(NODE), lambda: asyncio.run(run()))


async def nft(*arguments: str) -> str:
    """Run nft by another hand."""
    return await Commands(SystemClock(), 20).succeed(["nft", *arguments])


async def kernel(family: Family = V4) -> list[Any]:
    """Read the kernel's table, without what only says in which order it was made."""
    listed = json.loads(await nft("-j", "list", "table", *table_of(family).split()))["nftables"]
    found = []
    for item in listed[1:]:
        ((kind, fields),) = item.items()
        fields.pop("handle", None)
        if "elem" in fields:
            fields["elem"] = sorted(map(json.dumps, fields["elem"]))
        found.append((kind, fields))
    rules = [item for item in found if item[0] == "rule"]  # of a chain in their order
    rules.sort(key=lambda item: item[1]["chain"])
    return sorted((item for item in found if item[0] != "rule"), key=json.dumps) + rules


@pytest.mark.parametrize(("seed", "family"), [(1, V4), (2, V6)], ids=["IPv4", "IPv6"])
def test_changes_lead_to_what_the_whole_is(lab: Lab, seed: int, family: Family) -> None:
    """No change of a random history is refused, and they end where a whole write begins."""
    table = table_of(family)

    async def scenario() -> None:
        node, history = Node(new_desired(family)), History(Random(seed), family)
        await node.write(anyway=True)
        for _ in history.steps(node.desired, STEPS):
            text = await node.write()
            assert f"table {table} {{" not in text, "it was refused, and written as a whole"
        changed = await kernel(family)
        await Node(node.desired).write(anyway=True)
        assert await kernel(family) == changed
        await nft("delete", "table", *table.split())
        await Node(node.desired).write(anyway=True)
        assert await kernel(family) == changed

    in_node(lab, scenario)


def test_a_restarted_proxy_takes_over_what_is_there(lab: Lab) -> None:
    """The table of a proxy that was killed becomes that of its successor, whatever has changed meanwhile."""

    async def scenario() -> None:
        node, history = Node(), History(Random(3))
        for _ in history.steps(node.desired, 10):
            await node.write()
        for _ in history.steps(node.desired, 10):
            pass
        heir = Node(history.fresh())
        await heir.write(anyway=True)
        taken_over = await kernel()
        await nft("flush", "ruleset")
        await Node(heir.desired).write(anyway=True)
        assert await kernel() == taken_over

    in_node(lab, scenario)


@pytest.mark.parametrize(
    "hand",
    [
        "flush ruleset",
        "flush table ip kubarium-proxy; flush map ip kubarium-proxy services",
        f"delete element ip kubarium-proxy tcp-endpoints {{ {SERVICE_IP} . 8123 . 1 }}",
        f"add element ip kubarium-proxy tcp-endpoints {{ {SERVICE_IP} . 8123 . 2 : 10.9.9.9 . 9 }}",
        (
            "delete table ip kubarium-proxy; add table ip kubarium-proxy; "
            "add map ip kubarium-proxy services { type inet_service : verdict; }"
        ),
    ],
)
def test_another_hand_does_not_stop_a_change(lab: Lab, hand: str) -> None:
    """Where a change does not fit what is there, the whole table is written, once; the next change is one again."""

    async def scenario() -> None:
        node = Node()
        node.serve("10.244.2.1", "10.244.2.2")
        await node.write(anyway=True)
        await nft(hand)
        for ips in (("10.244.2.1", "10.244.2.3", "10.244.2.4"), ("10.244.2.1",)):
            node.serve(*ips)
            await node.write()
        after = await kernel()
        node.serve()
        assert "table ip kubarium-proxy {" not in await node.write()
        node.serve("10.244.2.1")
        await nft("flush", "ruleset")
        await node.write(anyway=True)
        assert await kernel() == after

    in_node(lab, scenario)


def test_a_killed_nft_leaves_nothing_half_done(lab: Lab) -> None:
    """Nobody knows how far it got: the whole table is written."""

    async def scenario() -> None:
        node = Node()
        node.serve("10.244.2.1")
        await node.write(anyway=True)
        node.commands.is_killing = True
        node.serve("10.244.2.2")
        assert "table ip kubarium-proxy {" in await node.write()
        assert "10.244.2.2" in await nft("list", "map", "ip", "kubarium-proxy", "tcp-endpoints")

    in_node(lab, scenario)


def test_only_what_another_hand_has_touched_is_written_again(lab: Lab) -> None:
    """Looked at from time to time: nothing is written while nobody else has been at the packet filter."""

    async def scenario() -> None:
        node = Node()
        node.serve("10.244.2.1")
        await node.write(anyway=True)
        assert await node.write(anyway=True) == ""
        node.serve("10.244.2.2")
        assert "table ip kubarium-proxy {" not in await node.write(anyway=True)
        await nft("flush", "map", "ip", "kubarium-proxy", "services")
        node.serve("10.244.2.3")
        await node.write()  # refused or not: the other hand is not forgotten
        await nft("flush", "map", "ip", "kubarium-proxy", "tcp-endpoints")
        assert "table ip kubarium-proxy {" in await node.write(anyway=True)
        assert "10.244.2.3" in await nft("list", "map", "ip", "kubarium-proxy", "tcp-endpoints")
        assert await node.write(anyway=True) == ""

    in_node(lab, scenario)


def test_the_tables_of_two_families_are_no_other_hand_for_each_other(lab: Lab) -> None:
    """Neither is written again because of the other, also where they change at once; somebody else's hand is noticed by both."""

    async def scenario() -> None:
        turns = Turns()
        four, six = (Node(new_desired(each), turns=turns) for each in (V4, V6))
        await asyncio.gather(four.write(anyway=True), six.write(anyway=True))
        four.serve("10.244.2.1")
        six.desired.put_node("node-2", dual_node("node-2", "10.244.2.0/24", "10.77.0.12"))
        assert all(await asyncio.gather(four.write(), six.write()))
        assert [await each.write(anyway=True) for each in (four, six)] == ["", ""]
        await nft("add", "chain", "ip6", "kubarium-proxy", "stranger")
        four.serve("10.244.2.2")
        await four.write()
        assert all([await each.write(anyway=True) for each in (four, six)])
        assert "stranger" not in await nft("list", "table", "ip6", "kubarium-proxy")
        assert [await each.write(anyway=True) for each in (four, six)] == ["", ""]

    in_node(lab, scenario)


def test_a_hand_between_two_changes_is_noticed(lab: Lab) -> None:
    """Also where both changes were taken: what it did elsewhere in the table is made good at the next look."""

    async def scenario() -> None:
        node = Node()
        node.serve("10.244.2.1")
        await node.write(anyway=True)
        await nft("add", "chain", "ip", "kubarium-proxy", "stranger")
        node.serve("10.244.2.2")
        assert "table ip kubarium-proxy {" not in await node.write()
        assert "table ip kubarium-proxy {" in await node.write(anyway=True)
        assert "stranger" not in await nft("list", "table", "ip", "kubarium-proxy")

    in_node(lab, scenario)


def test_every_change_counts_up(lab: Lab) -> None:
    """The generation is the same while nobody writes, and one more after each transaction, whoever writes it."""

    async def scenario() -> None:
        before = read_generation()
        assert before is not None
        await nft("list", "ruleset")
        assert read_generation() == before
        await nft("add table ip other; add chain ip other c")
        assert read_generation() == before + 1

    in_node(lab, scenario)

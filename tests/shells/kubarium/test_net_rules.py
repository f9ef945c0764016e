"""A node's packet filter as `kubarium net` reads it: what it says of packets is what the documentation says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from kubarium.core.net.filtering import End, Packet, Passage, passages
from kubarium.core.net.rules import NO_TABLE
from kubarium.errors import KubariumError
from kubarium.net.kernel import look_at_host
from proxy.core.families import V4, V6, Family
from proxy.core.table import table_of, write_whole
from tests.support.filter_walk import DROPPED, PASSED, REFUSED, Fate
from tests.support.proxy_history import History, new_desired
from tests.support.requirements import need

SEED = int(os.environ.get("KUBARIUM_SEED") or 0)
PACKETS = 120
_MARK = 0x4000
_ENDS = {End.DROPPED: DROPPED, End.REFUSED: REFUSED}


@pytest.fixture
def space() -> Iterator[str]:
    """A network namespace."""
    need("netns")
    name = f"kubarium-net-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def fate(passed: Passage) -> Fate:
    """Return a way through the hook as the slow reference names it."""
    assert passed.end is not End.UNCLEAR, passed.matches
    if passed.end in _ENDS:
        return Fate(_ENDS[passed.end])
    if not passed.packet.is_translated:
        return Fate(PASSED)
    address = passed.packet.destination
    target = f"{f'[{address}]' if ':' in address else address}:{passed.packet.port}"
    return Fate(target, passed.packet.mark & _MARK != 0)


@pytest.mark.parametrize(("number", "family"), [(0, V4), (1, V4), (2, V4), (3, V6)])
def test_services_lead_where_the_documentation_says(space: str, number: int, family: Family) -> None:
    """Of random Services, written to the kernel and read back as nft lists them; each rule has nft's own text."""
    history, desired = History(Random(SEED + number), family), new_desired(family)
    for _ in history.steps(desired, 60):
        pass
    text = write_whole(dict(desired.table.items()), None, table_of(family))
    subprocess.run(
        ["nsenter", f"--net=/run/netns/{space}", "nft", "-f", "-"], input=text, text=True, check=True
    )
    host, own = look_at_host("node-1", space, is_6=family is V6), frozenset(desired.own.addresses)
    for _ in range(PACKETS):
        packet = history.packet(own)
        sent = Packet(packet.source, packet.destination, packet.protocol, packet.port)
        found = passages(host.table, "prerouting", sent, own)
        assert {fate(each) for each in found} == history.reference().fates(packet), (
            f"KUBARIUM_SEED={SEED + number}"
        )
        assert all(match.text for each in found for match in each.matches)


def test_a_node_without_our_table_has_no_rules(space: str) -> None:
    """As before its proxy has begun; it has its loopback address at most, and nobody listens."""
    host = look_at_host("node-1", space)
    assert (host.table, host.addresses, host.doors) == (NO_TABLE, frozenset(), frozenset())
    assert host.down == {"lo"}


def test_a_namespace_that_is_not_there_is_an_error_for_people(tmp_path: Path) -> None:
    """It says which command failed, and where."""
    with pytest.raises(KubariumError, match=r"`ip -j .*failed in /run/netns/.*absent"):
        look_at_host("node-1", f"{tmp_path.name}-absent")

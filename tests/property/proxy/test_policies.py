"""The rules for NetworkPolicies let through what the documentation says, and nothing else, after any history."""

from __future__ import annotations

import logging
import os
from random import Random

import pytest

from proxy.core.families import V4, V6, Family
from proxy.core.table import write_changes, write_whole
from tests.support.nft_model import NftModel
from tests.support.policy_worlds import NODES, PolicyWorld, new_policies

WORLDS = int(os.environ.get("KUBARIUM_POLICY_WORLDS") or 12)  # of STEPS policies, pods and namespaces each
STEPS = 16
SEED = int(os.environ.get("KUBARIUM_SEED") or 0)
_LOG = logging.getLogger(__name__)


@pytest.mark.parametrize("part", range(4))
def test_what_gets_through_is_what_the_documentation_says(part: int) -> None:
    """By either family, in turns. With KUBARIUM_POLICY_WORLDS=27000 more than 100,000 policies are written; `--timeout=0 --log-cli-level=INFO` has time to, and counts them."""
    written = judged = 0
    for number in range(part, WORLDS, 4):
        family = (V4, V6)[number // 4 % 2]
        made = {node: new_policies(node, family) for node in NODES}
        world = PolicyWorld(Random(SEED + number), family)
        for _ in world.steps({node: policies for node, (_, policies) in made.items()}, STEPS):
            tables = {node: dict(table.items()) for node, (table, _) in made.items()}
            assert not list(world.differences(tables, 12)), f"KUBARIUM_SEED={SEED + number}"
        for node in NODES:
            assert tables[node] == dict(world.fresh(node).items())
        written += world.written
        judged += world.judged
    _LOG.info("part %d: %d policies, %d connections judged", part, written, judged)


@pytest.mark.parametrize(("seed", "family"), [(0, V4), (1, V4), (2, V6)])
def test_changes_lead_to_what_the_whole_is(seed: int, family: Family) -> None:
    """The kernel takes every transaction, and has afterwards what a whole write makes."""
    table, policies = new_policies("node-1", family)
    kernel, world = NftModel(), PolicyWorld(Random(seed), family)
    kernel.run(write_whole({}, None))
    for _ in world.steps({"node-1": policies}, 40):
        kernel.run(write_changes(table.differences()))
        table.settle()
        whole = NftModel()
        whole.run(write_whole(dict(table.items()), None))
        assert kernel.content == whole.content

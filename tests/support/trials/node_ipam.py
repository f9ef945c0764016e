"""The ranges of nodes."""

from __future__ import annotations

from controllers import (
    node_ipam,
)
from machinery.model.resources import (
    NODES,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def nodes_come_and_go(world: CrashWorld) -> None:
    """Four at once; then one goes, and another one comes."""
    for number in range(1, 5):
        await world.server.given(NODES, builders.node(f"node-{number}"))
    await world.settle()
    await world.user.delete(NODES, "node-2")
    await world.settle()
    for number in (5, 6):
        await world.server.given(NODES, builders.node(f"node-{number}"))
        await world.settle()
    nodes = (await world.user.list(NODES)).items
    assert {node.spec.podCIDR for node in nodes} == {f"10.244.{number}.0/24" for number in range(5)}


TRIALS = (Trial(nodes_come_and_go, (node_ipam.build,), writes=6),)

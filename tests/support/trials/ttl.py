"""Nodes that say how long their kubelets may keep something."""

from __future__ import annotations

from controllers import ttl
from controllers.ttl.controller import TTL
from machinery.model.resources import NODES
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def nodes_say_how_long(world: CrashWorld) -> None:
    """Two come; from one of them, somebody takes it away."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, builders.node(name))
    await world.settle()
    await world.user.patch(NODES, "node-1", {"metadata": {"annotations": {TTL: None}}})
    await world.settle()
    nodes = (await world.user.list(NODES)).items
    assert [node.metadata.annotations[TTL] for node in nodes] == ["0", "0"]


TRIALS = (Trial(nodes_say_how_long, (ttl.build,), writes=3),)

"""Owners and dependents."""

from __future__ import annotations

from controllers import (
    garbage_collector,
)
from machinery.model.requests import DeleteOptions, Selection
from machinery.model.resources import (
    CONFIG_MAPS,
)
from tests.support import builders
from tests.support.builders import changed
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    owner,
)
from tests.support.trials.trial import Trial


async def owners_go(world: CrashWorld) -> None:
    """One in each manner of deletion, each with two dependents, of which one is owned by somebody else, too."""
    stays = await world.server.given(CONFIG_MAPS, builders.config_map("stays"))
    for policy in ("Background", "Foreground", "Orphan"):
        name = policy.lower()
        going = await world.server.given(CONFIG_MAPS, builders.config_map(name))
        for kind, owners in (("only", [going]), ("shared", [going, stays])):
            references = [owner(each, controller=False) for each in owners]
            dependent = changed(builders.config_map(f"{kind}-{name}"), metadata__ownerReferences=references)
            await world.server.given(CONFIG_MAPS, dependent)
    await world.settle()
    for policy in ("Background", "Foreground", "Orphan"):
        options = DeleteOptions(propagation_policy=policy)
        await world.user.delete(CONFIG_MAPS, policy.lower(), namespace="default", options=options)
    await world.settle()
    left = (await world.user.list(CONFIG_MAPS, Selection(namespace="default"))).items
    assert {each.metadata.name: len(each.metadata.ownerReferences) for each in left} == {
        "stays": 0,
        "only-orphan": 0,
        "shared-background": 1,
        "shared-foreground": 1,
        "shared-orphan": 1,
    }


TRIALS = (Trial(owners_go, (garbage_collector.build,), writes=8),)

"""Roles that are gathered."""

from __future__ import annotations

import msgspec

from controllers import (
    clusterrole_aggregation,
)
from machinery.model.resources import (
    CLUSTER_ROLES,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def roles_are_gathered(world: CrashWorld) -> None:
    """An aggregated role follows those that its labels select, as they come and change."""
    labels = {"to-web": "true"}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    selecting = {"clusterRoleSelectors": [{"matchLabels": labels}]}
    for name, fields in (("web", {"aggregationRule": selecting, "rules": []}), ("part", {"rules": [rule]})):
        metadata = {"name": name, "labels": labels if name == "part" else {}}
        role = msgspec.convert({"metadata": metadata, **fields}, CLUSTER_ROLES.type)
        await world.server.given(CLUSTER_ROLES, role)
    await world.settle()
    more = {"rules": [{**rule, "verbs": ["get", "list"]}]}
    await world.user.patch(CLUSTER_ROLES, "part", more)
    await world.settle()
    assert (await world.user.get(CLUSTER_ROLES, "web")).rules == (
        await world.user.get(CLUSTER_ROLES, "part")
    ).rules


TRIALS = (Trial(roles_are_gathered, (clusterrole_aggregation.build,), writes=2),)

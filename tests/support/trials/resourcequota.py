"""A quota and what it counts."""

from __future__ import annotations

from controllers import (
    resourcequota,
)
from controllers.resourcequota.plan import QUOTAS
from machinery.model.requests import DeleteOptions
from machinery.model.resources import (
    CONFIG_MAPS,
    PODS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    document,
)
from tests.support.trials.trial import Trial


async def a_quota_is_counted(world: CrashWorld) -> None:
    """Pods come, end and go; then there is to be more of something else."""
    for name in ("a", "b", "c"):
        await world.server.given(PODS, builders.pod(name, node="node-1", phase="Running"))
    await world.server.given(CONFIG_MAPS, builders.config_map("settings", "default"))
    hard = {"pods": "5", "count/configmaps": "4", "configmaps": "4"}
    await world.server.given(QUOTAS, document(QUOTAS, "all", "default", spec={"hard": hard}))
    await world.settle()
    await world.user.patch(
        PODS, "a", {"status": {"phase": "Succeeded"}}, namespace="default", subresource="status"
    )
    await world.user.delete(PODS, "b", namespace="default", options=DeleteOptions(grace_period_s=0))
    await world.settle()
    quota = await world.user.get(QUOTAS, "all", namespace="default")
    assert quota.status == {"hard": hard, "used": {"pods": "1", "count/configmaps": "1", "configmaps": "1"}}
    await world.user.patch(
        QUOTAS, "all", {"spec": {"hard": {"secrets": "1", "configmaps": None}}}, namespace="default"
    )
    await world.settle()
    quota = await world.user.get(QUOTAS, "all", namespace="default")
    assert quota.status["used"] == {"pods": "1", "count/configmaps": "1", "secrets": "0"}


TRIALS = (Trial(a_quota_is_counted, (resourcequota.build,), writes=3),)

"""A Deployment with its ReplicaSets."""

from __future__ import annotations

from controllers import (
    deployment,
    replicaset,
)
from controllers.core.workloads import (
    DEPLOYMENTS,
)
from machinery.model.resources import (
    PODS,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import deployment as web
from tests.support.controllers import (
    rolling,
    template,
)
from tests.support.trials.trial import Trial


async def a_deployment_rolls(world: CrashWorld) -> None:
    """It is updated, and scaled in the same breath."""
    await world.server.given(DEPLOYMENTS, web(1, strategy=rolling(1, 0)))
    await world.run_pods()
    patch = {"spec": {"template": template("app:2"), "replicas": 2}}
    await world.user.patch(DEPLOYMENTS, "web", patch, namespace="default")
    await world.run_pods()
    pods = (await world.user.list(PODS)).items
    assert [pod.spec.containers[0].image for pod in pods] == ["app:2"] * 2


TRIALS = (Trial(a_deployment_rolls, (deployment.build, replicaset.build), writes=12),)

"""A budget, its pods and their evictions."""

from __future__ import annotations

import msgspec

from controllers import (
    disruption,
)
from controllers.core.workloads import (
    REPLICA_SETS,
)
from machinery.model.conditions import is_true
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.k8s.policy_v1 import Eviction
from machinery.model.resources import (
    POD_DISRUPTION_BUDGETS,
    PODS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    owner,
    replica_set,
)
from tests.support.trials.trial import SILENT_S, Trial


async def a_budget_is_counted(world: CrashWorld) -> None:
    """Pods of a ReplicaSet come and are evicted; one of them was to go, and stays; then the budget is changed."""
    owned = await world.server.given(REPLICA_SETS, replica_set(replicas=3))
    for number in range(3):
        labels = {"app": "web"}
        pod = builders.pod(
            f"web-{number}", node="node-1", phase="Running", ready=True, labels=labels, owners=[owner(owned)]
        )
        await world.server.given(PODS, pod)
    selector = {"matchLabels": {"app": "web"}}
    spec = {"selector": selector, "maxUnavailable": "50%"}
    budget = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    await world.server.given(POD_DISRUPTION_BUDGETS, msgspec.convert(budget, POD_DISRUPTION_BUDGETS.type))
    await world.settle()
    await world.user.post(
        PODS, "web-0", "eviction", Eviction(metadata=ObjectMeta(name="web-0")), Status, namespace="default"
    )
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "lastTransitionTime": "2026-01-01T00:00:10Z",
    }
    conditions = {"status": {"conditions": [{"type": "Ready", "status": "True"}, target]}}
    await world.user.patch(PODS, "web-1", conditions, namespace="default", subresource="status")
    await world.settle()
    await world.cluster.end_pods()
    await world.live(SILENT_S * 2)
    patch = {"spec": {"maxUnavailable": None, "minAvailable": 1}}
    await world.user.patch(POD_DISRUPTION_BUDGETS, "web", patch, namespace="default")
    await world.settle()
    status = (await world.user.get(POD_DISRUPTION_BUDGETS, "web", namespace="default")).status
    assert (status.expectedPods, status.desiredHealthy, status.disruptionsAllowed) == (2, 1, 1)
    stays = await world.user.get(PODS, "web-1", namespace="default")
    assert not is_true(stays.status.conditions, "DisruptionTarget")


TRIALS = (Trial(a_budget_is_counted, (disruption.build,), writes=4),)

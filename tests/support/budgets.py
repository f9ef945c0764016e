"""PodDisruptionBudgets, their pods, and the plans for them."""

from __future__ import annotations

from typing import Any

from controllers.core.actions import Facts, Plan
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS
from controllers.disruption.plan import Budget, plan
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import LabelSelector, OwnerReference
from machinery.model.k8s.policy_v1 import (
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from tests.support import builders
from tests.support.controllers import moment, status_of

KINDS = {(kind.group, kind.kind): kind for kind in (DEPLOYMENTS, REPLICA_SETS)}


def budget(*, generation: int = 1, status: dict[str, Any] | None = None, **spec: Any) -> PodDisruptionBudget:
    """Return the budget default/b of the pods with app=web."""
    selector = LabelSelector(matchLabels={"app": "web"})
    return PodDisruptionBudget(
        metadata=builders.meta("b", "default", generation=generation),
        spec=PodDisruptionBudgetSpec(selector=selector, **spec),
        status=PodDisruptionBudgetStatus(**(status or {})),
    )


def controlled_by(uid: str, kind: str = "ReplicaSet", version: str = "apps/v1") -> OwnerReference:
    """Refer to a controller of the name `web`."""
    return OwnerReference(apiVersion=version, kind=kind, name="web", uid=uid, controller=True)


def pods(count: int, ready: int | None = None, controller: OwnerReference | None = None) -> list[Pod]:
    """Return so many pods, the first of them Ready."""
    owners = [controller_or_default(controller)]
    known = count if ready is None else ready
    return [
        builders.pod(f"web-{number}", labels={"app": "web"}, ready=number < known, owners=owners)
        for number in range(count)
    ]


def controller_or_default(controller: OwnerReference | None) -> OwnerReference:
    """Return the controller, or the usual one."""
    return controller or controlled_by("uid-rs")


def plan_for(seen: Budget, facts: Facts | None = None, later_s: float = 0) -> Plan:
    """Plan for a budget."""
    return plan(seen, moment(later_s), facts or Facts())


def counts(made: Plan) -> tuple[int, int, int, int]:
    """Return expected, desired, healthy and allowed of the status that a plan writes."""
    status = status_of(made)
    fields = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    return tuple(status[field] for field in fields)  # type: ignore[return-value]

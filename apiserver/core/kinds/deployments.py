"""Deployments.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apiserver.core import field_errors, rolling, workloads
from apiserver.core.rules import Validate, spec_changed
from apiserver.core.table import workloads as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause


def _default(obj: Json) -> Json:
    own = workloads.default_workload(obj)
    strategy = own.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        update = strategy.setdefault("rollingUpdate", {})
        update.setdefault("maxUnavailable", "25%")
        update.setdefault("maxSurge", "25%")
    own.setdefault("revisionHistoryLimit", 10)
    own.setdefault("progressDeadlineSeconds", 600)
    return obj


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    ready_s, deadline_s = own.get("minReadySeconds", 0), own["progressDeadlineSeconds"]
    found = field_errors.not_negative("spec.replicas", own["replicas"])
    found += workloads.selector_causes(own)
    found += workloads.template_causes(own)
    found += _strategy_causes(own["strategy"])
    found += field_errors.not_negative("spec.minReadySeconds", ready_s)
    found += field_errors.not_negative("spec.revisionHistoryLimit", own["revisionHistoryLimit"])
    found += field_errors.not_negative("spec.progressDeadlineSeconds", deadline_s)
    if deadline_s <= ready_s:
        text = "must be greater than minReadySeconds"
        found.append(field_errors.invalid("spec.progressDeadlineSeconds", deadline_s, text))
    return found


def _strategy_causes(strategy: Json) -> list[Cause]:
    type_, update = strategy.get("type", ""), strategy.get("rollingUpdate")
    if type_ == "Recreate" and update is not None:
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [field_errors.forbidden("spec.strategy.rollingUpdate", text)]
    if type_ == "RollingUpdate":
        return _rolling_causes(update or {}, "spec.strategy.rollingUpdate")
    return field_errors.one_of("spec.strategy.type", type_, {"Recreate", "RollingUpdate"})


def _rolling_causes(update: Json, path: str) -> list[Cause]:
    unavailable, surge = update.get("maxUnavailable", 0), update.get("maxSurge", 0)
    found = rolling.amount_causes(f"{path}.maxUnavailable", unavailable)
    found += rolling.amount_causes(f"{path}.maxSurge", surge)
    if found:
        return found
    if rolling.amount(unavailable) == 0 and rolling.amount(surge) == 0:
        found.append(
            field_errors.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
        )
    if isinstance(unavailable, str) and rolling.amount(unavailable) > 100:
        found.append(
            field_errors.invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%")
        )
    return found


def _is_next_generation(new: Json, old: Json) -> bool:
    """Count annotations, too: the change cause, for one, goes on to the newest ReplicaSet."""
    annotations, before = (obj["metadata"].get("annotations") or {} for obj in (new, old))
    return spec_changed(new, old) or annotations != before


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [
        *_validate(new),
        *field_errors.unchanged("spec.selector", spec(new).get("selector"), spec(old).get("selector")),
    ]


def _validate_status(new: Json, old: Json) -> list[Cause]:
    counters = (
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "terminatingReplicas",
        "collisionCount",
    )
    status = new.get("status") or {}
    found = workloads.status_causes(status, *counters)
    total, ready = status.get("replicas", 0), status.get("readyReplicas", 0)
    for name in ("updatedReplicas", "readyReplicas", "availableReplicas"):
        if (count := status.get(name, 0)) > total:
            found.append(
                field_errors.invalid(f"status.{name}", count, "cannot be greater than status.replicas")
            )
    if (available := status.get("availableReplicas", 0)) > ready:
        text = "cannot be greater than readyReplicas"
        found.append(field_errors.invalid("status.availableReplicas", available, text))
    collisions, before = status.get("collisionCount", 0), (old.get("status") or {}).get("collisionCount", 0)
    if collisions < before:
        found.append(field_errors.invalid("status.collisionCount", collisions, "cannot be decremented"))
    return found


RULES: Final = replace(
    workloads.RULES,
    default=_default,
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    is_next_generation=_is_next_generation,
    status_keeps=("labels",),
    table=table.DEPLOYMENTS,
)

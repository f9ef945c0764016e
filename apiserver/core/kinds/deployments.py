"""Deployments.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from apiserver.core import field_errors, workloads
from apiserver.core.rules import Validate, spec_changed
from apiserver.core.table import workloads as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
    "for validation is '[0-9]+%')"
)


def _default(obj: Json) -> Json:
    own = workloads.default_workload(obj)
    strategy = own.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
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
    type_, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if type_ == "Recreate" and rolling is not None:
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [field_errors.forbidden("spec.strategy.rollingUpdate", text)]
    if type_ == "RollingUpdate":
        return _rolling_causes(rolling or {}, "spec.strategy.rollingUpdate")
    return field_errors.one_of("spec.strategy.type", type_, {"Recreate", "RollingUpdate"})


def _rolling_causes(rolling: Json, path: str) -> list[Cause]:
    unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
    found = _amount_causes(f"{path}.maxUnavailable", unavailable)
    found += _amount_causes(f"{path}.maxSurge", surge)
    if found:
        return found
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        found.append(
            field_errors.invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
        )
    if isinstance(unavailable, str) and _amount(unavailable) > 100:
        found.append(
            field_errors.invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%")
        )
    return found


def _amount_causes(path: str, value: Any) -> list[Cause]:
    if isinstance(value, int):
        return field_errors.not_negative(path, value)
    if len(value) <= 10 and re.fullmatch("[0-9]+%", value, re.ASCII):
        return []
    return [field_errors.invalid(path, value, _PERCENT_TEXT)]


def _amount(value: int | str) -> int:
    return value if isinstance(value, int) else int(value.removesuffix("%"))


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
    table=table.DEPLOYMENTS,
)

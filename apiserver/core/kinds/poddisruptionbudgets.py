"""PodDisruptionBudgets.

https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-budgets
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector, rolling, workloads
from apiserver.core.conditions import condition_causes
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import policy as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_COUNTERS: Final = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
_POLICIES: Final = frozenset({"AlwaysAllow", "IfHealthyBudget"})


def _default(obj: Json) -> Json:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    for name in _COUNTERS:
        status.setdefault(name, 0)
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": dict.fromkeys(_COUNTERS, 0)}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found: list[Cause] = []
    if "minAvailable" in own and "maxUnavailable" in own:
        text = "minAvailable and maxUnavailable cannot be both set"
        found.append(field_errors.invalid("spec", own, text))
    for name in ("minAvailable", "maxUnavailable"):
        if name in own:
            found += rolling.share_causes(f"spec.{name}", own[name])
    found += labelselector.validate(own.get("selector") or {}, "spec.selector")
    if "unhealthyPodEvictionPolicy" in own:
        policy = own["unhealthyPodEvictionPolicy"]
        found += field_errors.one_of("spec.unhealthyPodEvictionPolicy", policy, _POLICIES)
    return found


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    status = new.get("status") or {}
    return [
        *condition_causes(status.get("conditions") or [], "status.conditions"),
        *workloads.status_causes(status, *_COUNTERS),
    ]


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=with_old_status),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new), status=_validate_status),
    counts_generation=True,
    unconditional_update=False,
    table=table.POD_DISRUPTION_BUDGETS,
)

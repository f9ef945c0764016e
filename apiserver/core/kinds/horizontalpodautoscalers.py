"""HorizontalPodAutoscalers: in version 2, which is stored, and in version 1.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.core import autoscaling_v1, field_errors, workloads
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.scaling_metrics import metric_causes, scaled_reference_causes
from apiserver.core.table import Table
from apiserver.core.table import autoscaling as table
from apiserver.core.values import Json, spec
from machinery.model import quantity
from machinery.model.errors import Cause

_V2: Final = "autoscaling/v2"
_CPU_SHARE: Final = 80
_LONGEST_WINDOW_S: Final = 3600
_LONGEST_PERIOD_S: Final = 1800
_PERIOD_S: Final = 15
_SELECTIONS: Final = frozenset({"Disabled", "Max", "Min"})
_POLICY_TYPES: Final = frozenset({"Percent", "Pods"})


def _policy(type_: str, value: int) -> Json:
    return {"type": type_, "value": value, "periodSeconds": _PERIOD_S}


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("desiredReplicas", 0)
    own.setdefault("minReplicas", 1)
    if not own.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": _CPU_SHARE}
        own["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if "behavior" in own:
        up = own["behavior"].setdefault("scaleUp", {})
        up.setdefault("stabilizationWindowSeconds", 0)
        _default_rules(up, [_policy("Pods", 4), _policy("Percent", 100)])
        _default_rules(own["behavior"].setdefault("scaleDown", {}), [_policy("Percent", 100)])
    return obj


def _default_rules(rules: Json, policies: list[Json]) -> None:
    rules.setdefault("selectPolicy", "Max")
    rules.setdefault("policies", policies)


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {"desiredReplicas": 0}}


def _validate(obj: Json, least: int = 1) -> list[Cause]:
    own = spec(obj)
    low, high = own["minReplicas"], own.get("maxReplicas", 0)
    found: list[Cause] = []
    if low < least:
        text = f"must be greater than or equal to {least}"
        found.append(field_errors.invalid("spec.minReplicas", low, text))
    if high < 1:
        found.append(field_errors.invalid("spec.maxReplicas", high, "must be greater than 0"))
    if high < low:
        text = "must be greater than or equal to `minReplicas`"
        found.append(field_errors.invalid("spec.maxReplicas", high, text))
    found += scaled_reference_causes(own.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    found += metric_causes(own["metrics"], "spec.metrics")
    if low == 0 and not {"Object", "External"} & {each.get("type") for each in own["metrics"]}:
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        found.append(field_errors.forbidden("spec.metrics", text))
    for direction in ("scaleUp", "scaleDown"):
        if direction in (own.get("behavior") or {}):
            found += _rules_causes(own["behavior"][direction], f"spec.behavior.{direction}")
    return found


def _rules_causes(rules: Json, path: str) -> list[Cause]:
    window_s, policies = rules.get("stabilizationWindowSeconds", 0), rules.get("policies") or []
    found: list[Cause] = []
    if window_s < 0:
        text = "must be greater than or equal to zero"
        found.append(field_errors.invalid(f"{path}.stabilizationWindowSeconds", window_s, text))
    if window_s > _LONGEST_WINDOW_S:
        text = f"must be less than or equal to {_LONGEST_WINDOW_S}"
        found.append(field_errors.invalid(f"{path}.stabilizationWindowSeconds", window_s, text))
    found += field_errors.one_of(f"{path}.selectPolicy", rules["selectPolicy"], _SELECTIONS)
    if not policies:
        found.append(field_errors.required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        found += _policy_causes(policy, f"{path}.policies[{index}]")
    if "tolerance" in rules and quantity.parse(rules["tolerance"]) < 0:
        text = "must be greater than or equal to 0"
        found.append(field_errors.invalid(f"{path}.tolerance", rules["tolerance"], text))
    return found


def _policy_causes(policy: Json, path: str) -> list[Cause]:
    value, period_s = policy.get("value", 0), policy.get("periodSeconds", 0)
    found = field_errors.one_of(f"{path}.type", policy.get("type", ""), _POLICY_TYPES)
    for name, number in (("value", value), ("periodSeconds", period_s)):
        if number <= 0:
            found.append(field_errors.invalid(f"{path}.{name}", number, "must be greater than zero"))
    if period_s > _LONGEST_PERIOD_S:
        text = f"must be less than or equal to {_LONGEST_PERIOD_S}"
        found.append(field_errors.invalid(f"{path}.periodSeconds", period_s, text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    """Check a change; one that scales to nothing already may go on doing so."""
    before: Any = spec(old).get("minReplicas")
    return _validate(new, 0 if before == 0 else 1)


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    return workloads.status_causes(new.get("status") or {}, "currentReplicas", "desiredReplicas")


def _default_older(obj: Json) -> Json:
    """Ask for a share of the CPU where nothing else is asked for."""
    own = obj.setdefault("spec", {})
    own.setdefault("minReplicas", 1)
    if not autoscaling_v1.has_metrics(obj):
        own["targetCPUUtilizationPercentage"] = _CPU_SHARE
    return obj


RULES: Final = Rules(
    default=_default,
    convert=autoscaling_v1.convert,
    prepare=Prepare(create=_prepare_create, update=with_old_status),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    table=table.HORIZONTAL_POD_AUTOSCALERS,
)

OLDER: Final = Rules(
    default=_default_older,
    convert=autoscaling_v1.convert,
    table=Table(
        table.HORIZONTAL_POD_AUTOSCALERS.columns,
        lambda obj, moment: table.HORIZONTAL_POD_AUTOSCALERS.row(autoscaling_v1.convert(obj, _V2), moment),
    ),
)
"""The rules of version 1, beside those of what is stored."""

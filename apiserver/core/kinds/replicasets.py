"""ReplicaSets.

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apiserver.core import field_errors, workloads
from apiserver.core.rules import Validate, WriteContext, metadata_fields
from apiserver.core.table import workloads as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause


def _default(obj: Json) -> Json:
    workloads.default_workload(obj)
    obj["status"].setdefault("replicas", 0)
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {"replicas": 0}}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found = field_errors.not_negative("spec.replicas", own["replicas"])
    found += field_errors.not_negative("spec.minReadySeconds", own.get("minReadySeconds"))
    return [*found, *workloads.selector_causes(own), *workloads.template_causes(own)]


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [
        *_validate(new),
        *field_errors.unchanged("spec.selector", spec(new).get("selector"), spec(old).get("selector")),
    ]


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    status = new.get("status") or {}
    counters = (
        "replicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "availableReplicas",
        "observedGeneration",
        "terminatingReplicas",
    )
    found = workloads.status_causes(status, *counters)
    total = status.get("replicas", 0)
    for name in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        if (count := status.get(name, 0)) > total:
            found.append(
                field_errors.invalid(f"status.{name}", count, "cannot be greater than status.replicas")
            )
    if (available := status.get("availableReplicas", 0)) > status.get("readyReplicas", 0):
        text = "cannot be greater than readyReplicas"
        found.append(field_errors.invalid("status.availableReplicas", available, text))
    return found


def _fields(obj: Json) -> dict[str, str]:
    return {**metadata_fields(obj), "status.replicas": str((obj.get("status") or {}).get("replicas", 0))}


RULES: Final = replace(
    workloads.RULES,
    default=_default,
    prepare=replace(workloads.RULES.prepare, create=_prepare_create),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    fields=_fields,
    table=table.REPLICA_SETS,
)

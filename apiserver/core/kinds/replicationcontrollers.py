"""ReplicationControllers, which ReplicaSets have replaced.

https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apiserver.core import deletion, field_errors, workloads
from apiserver.core.podspec.defaults import default_template
from apiserver.core.podspec.template import validate_template
from apiserver.core.rules import ScaleMapping, Validate, WriteContext, metadata_fields
from apiserver.core.table import workloads as table
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

_PARTS: Final = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("replicas", 0)
    labels = metadata(own.get("template") or {}).get("labels")
    if labels and not own.get("selector"):
        own["selector"] = dict(labels)
    if labels and not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)
    own.setdefault("replicas", 1)
    if "template" in own:
        default_template(own["template"])
    return obj


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {"replicas": 0}}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found = field_errors.not_negative("spec.minReadySeconds", own.get("minReadySeconds"))
    if not own.get("selector"):
        found.append(field_errors.required("spec.selector"))
    found += field_errors.not_negative("spec.replicas", own["replicas"])
    if "template" not in own:
        return [*found, field_errors.required("spec.template")]
    return [*found, *_template_causes(own)]


def _template_causes(own: Json) -> list[Cause]:
    labels = metadata(own["template"]).get("labels") or {}
    found: list[Cause] = []
    if any(labels.get(key) != value for key, value in (own.get("selector") or {}).items()):
        text = "`selector` does not match template `labels`"
        found.append(field_errors.invalid("spec.template.metadata.labels", labels, text))
    found += validate_template(own["template"], "spec.template")
    return found + workloads.lasting_causes(own["template"], "ReplicationController")


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    status = new.get("status") or {}
    return [
        *workloads.status_causes(status, "replicas", *_PARTS, "observedGeneration"),
        *workloads.at_most_causes(status, _PARTS, "replicas", "status.replicas"),
        *workloads.at_most_causes(status, ("availableReplicas",), "readyReplicas", "readyReplicas"),
    ]


def _fields(obj: Json) -> dict[str, str]:
    return {**metadata_fields(obj), "status.replicas": str((obj.get("status") or {}).get("replicas", 0))}


def selector_text(obj: Json) -> str:
    """Write the selector, which is a map of labels, as text."""
    return ",".join(f"{key}={value}" for key, value in sorted((spec(obj).get("selector") or {}).items()))


RULES: Final = replace(
    workloads.RULES,
    default=_default,
    prepare=replace(workloads.RULES.prepare, create=_prepare_create),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new), status=_validate_status),
    scale=ScaleMapping(
        replicas=workloads.SCALE.replicas,
        current_replicas=workloads.SCALE.current_replicas,
        selector=selector_text,
    ),
    storage_prefix="/registry/controllers",
    plan_deletion=deletion.by_finalizers_orphaning,
    fields=_fields,
    table=table.REPLICATION_CONTROLLERS,
)

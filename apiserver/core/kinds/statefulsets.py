"""StatefulSets.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from apiserver.core import field_errors, metadata, rolling, workloads
from apiserver.core.podspec.template import validate_template
from apiserver.core.rules import Validate, WriteContext
from apiserver.core.table import workloads as table
from apiserver.core.values import Json, spec
from apiserver.core.volume_claims import CLAIM, claim_spec_causes, claim_warnings, default_claim_spec
from machinery.model import names
from machinery.model.errors import Cause

_POLICIES: Final = ["Retain", "Delete"]
_COUNTERS: Final = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
_MUTABLE: Final = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_FORBIDDEN: Final = (
    "updates to statefulset spec for fields other than "
    + ", ".join(f"'{name}'" for name in _MUTABLE[:-1])
    + f" and '{_MUTABLE[-1]}' are forbidden"
)


def _default(obj: Json) -> Json:
    own = workloads.default_workload(obj)
    for name in ("replicas", "availableReplicas"):
        obj["status"].setdefault(name, 0)
    own.setdefault("podManagementPolicy", "OrderedReady")
    _default_strategy(own.setdefault("updateStrategy", {}))
    retention = own.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    own.setdefault("revisionHistoryLimit", 10)
    for claim in own.get("volumeClaimTemplates") or []:
        claim.update(apiVersion="v1", kind=CLAIM)
        default_claim_spec(claim.setdefault("spec", {}))
        claim.setdefault("status", {}).setdefault("phase", "Pending")
    return obj


def _default_strategy(strategy: Json) -> None:
    if "type" not in strategy:
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return {**obj, "status": {"replicas": 0, "availableReplicas": 0}}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found = _spec_causes(own)
    if name := own.get("serviceName"):
        found += field_errors.each_invalid("spec.serviceName", name, names.dns_label_errors(name))
    return [*found, *_claim_causes(own), *_template_causes(own)]


def _spec_causes(own: Json) -> list[Cause]:
    policy, ordinals = own["podManagementPolicy"], own.get("ordinals") or {}
    found: list[Cause] = []
    if policy not in {"OrderedReady", "Parallel"}:
        text = "must be 'OrderedReady' or 'Parallel'"
        found.append(field_errors.invalid("spec.podManagementPolicy", policy, text))
    found += _strategy_causes(own["updateStrategy"], "spec.updateStrategy")
    for name, value in own["persistentVolumeClaimRetentionPolicy"].items():
        path = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
        found += field_errors.one_of(path, value, _POLICIES)
    found += field_errors.not_negative("spec.replicas", own["replicas"])
    found += field_errors.not_negative("spec.minReadySeconds", own.get("minReadySeconds"))
    found += field_errors.not_negative("spec.ordinals.start", ordinals.get("start"))
    return [
        *found,
        *workloads.selector_causes(own, "statefulset"),
        *workloads.lasting_causes(own["template"], "StatefulSet"),
    ]


def _strategy_causes(strategy: Json, path: str) -> list[Cause]:
    type_, update = strategy["type"], strategy.get("rollingUpdate")
    if type_ not in {"RollingUpdate", "OnDelete"}:
        return [field_errors.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    if update is None:
        return []
    path = f"{path}.rollingUpdate"
    if type_ == "OnDelete":
        return [field_errors.invalid(path, update, "only allowed for updateStrategy 'RollingUpdate'")]
    found = field_errors.not_negative(f"{path}.partition", update["partition"])
    if (unavailable := update.get("maxUnavailable")) is None:
        return found
    faults = rolling.share_causes(f"{path}.maxUnavailable", unavailable)
    if not faults and rolling.amount(unavailable) == 0:
        faults.append(field_errors.invalid(f"{path}.maxUnavailable", unavailable, "cannot be 0"))
    return [*found, *faults]


def _claim_causes(own: Json) -> list[Cause]:
    found: list[Cause] = []
    for index, claim in enumerate(own.get("volumeClaimTemplates") or []):
        path, meta = f"spec.volumeClaimTemplates[{index}]", claim.get("metadata") or {}
        found += metadata.validate_labels(meta.get("labels") or {}, f"{path}.metadata.labels")
        found += metadata.validate_annotations(meta.get("annotations") or {}, f"{path}.metadata.annotations")
        found += claim_spec_causes(claim["spec"], f"{path}.spec")
    return found


def _template_causes(own: Json) -> list[Cause]:
    """Check the template as its pods will be: with a volume for each claim that has none of its name."""
    template = own["template"]
    volumes = spec(template).get("volumes") or []
    known = {volume.get("name") for volume in volumes}
    claimed = [
        {"name": name, "emptyDir": {}}
        for claim in own.get("volumeClaimTemplates") or []
        if (name := (claim.get("metadata") or {}).get("name", "")) not in known
    ]
    return validate_template(
        {**template, "spec": {**spec(template), "volumes": [*volumes, *claimed]}}, "spec.template"
    )


def _validate_update(new: Json, old: Json) -> list[Cause]:
    """Check a change; a template or claims that were stored before they were checked may stay."""
    own, before = spec(new), spec(old)
    found = _spec_causes(own)
    if not _claim_causes(before):
        found += _claim_causes(own)
    if not _template_causes(before):
        found += _template_causes(own)
    if {**own, **_kept(before)} != {**before, **_kept(before)}:
        found.append(field_errors.forbidden("spec", _FORBIDDEN))
    return found


def _kept(before: Json) -> Json:
    return {name: before.get(name) for name in _MUTABLE}


def _validate_status(new: Json, old: Json) -> list[Cause]:
    status = new.get("status") or {}
    return [
        *workloads.status_causes(status, *_COUNTERS, "observedGeneration", "collisionCount"),
        *workloads.at_most_causes(status, _COUNTERS[1:], "replicas", "status.replicas"),
        *workloads.at_most_causes(status, ("availableReplicas",), "readyReplicas", "status.readyReplicas"),
        *workloads.collision_causes(new, old),
    ]


def _warnings(new: Json, old: Json | None) -> tuple[str, ...]:
    found = workloads.warnings_of_template(new, old)
    for index, claim in enumerate(spec(new).get("volumeClaimTemplates") or ()):
        found += claim_warnings(spec(claim), f"spec.volumeClaimTemplates[{index}].spec")
    if spec(new).get("revisionHistoryLimit", 0) < 0:
        text = "a negative value retains all historical revisions; a value >= 0 is recommended"
        found += (f"spec.revisionHistoryLimit: {text}",)
    return found


RULES: Final = replace(
    workloads.RULES,
    name_errors=names.dns_label_errors,
    default=_default,
    prepare=replace(workloads.RULES.prepare, create=_prepare_create),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    warnings=_warnings,
    table=table.STATEFUL_SETS,
)

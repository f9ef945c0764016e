"""APIServices: who serves a version of a group, this server or one behind a Service.

https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import OWN_METADATA, Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import aggregation as table
from apiserver.core.values import Json, spec
from apiserver.core.webhook_clients import PORT
from machinery.model import names
from machinery.model.errors import Cause

_HIGHEST_GROUP: Final = 20_000
_HIGHEST_VERSION: Final = 1000
_HIGHEST_PORT: Final = 65_535
_STATUSES: Final = ["True", "False", "Unknown"]


def _default(obj: Json) -> Json:
    service = spec(obj).get("service")
    if service is not None:
        service.setdefault("port", PORT)
    return obj


def _prepare_create(obj: Json, context: WriteContext) -> Json:
    """Say at once that what this server serves itself is available."""
    if "service" in spec(obj):
        return {**obj, "status": {}}
    local = {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": context.now,
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
    return {**obj, "status": {"conditions": [local]}}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    group, version = own.get("group", ""), own.get("version", "")
    found: list[Cause] = []
    if (name := obj["metadata"].get("name", "")) != f"{version}.{group}":
        text = f'must be `spec.version+"."+spec.group`: "{version}.{group}"'
        found.append(field_errors.invalid("metadata.name", name, text))
    if not group and version != "v1":
        text = "only v1 may have an empty group and it better be legacy kube"
        found.append(field_errors.required("spec.group", text))
    if group:
        found += field_errors.each_invalid("spec.group", group, names.dns_subdomain_errors(group))
    found += field_errors.each_invalid("spec.version", version, names.dns_1035_label_errors(version))
    for field, highest in (("groupPriorityMinimum", _HIGHEST_GROUP), ("versionPriority", _HIGHEST_VERSION)):
        if not 0 < own.get(field, 0) <= highest:
            text = f"must be positive and less than {highest}"
            found.append(field_errors.invalid(f"spec.{field}", own.get(field, 0), text))
    return found + _service_causes(own)


def _service_causes(own: Json) -> list[Cause]:
    bundle, skips = own.get("caBundle", ""), own.get("insecureSkipTLSVerify", False)
    found: list[Cause] = []
    if "service" not in own:
        if bundle:
            text = "local APIServices may not have a caBundle"
            size = len(bundle.rstrip("=")) * 3 // 4
            found.append(field_errors.invalid("spec.caBundle", f"{size} bytes", text))
        if skips:
            text = "local APIServices may not have insecureSkipTLSVerify"
            found.append(field_errors.invalid("spec.insecureSkipTLSVerify", skips, text))
        return found
    found += [
        field_errors.required(f"spec.service.{name}")
        for name in ("namespace", "name")
        if not own["service"].get(name)
    ]
    port = own["service"].get("port", PORT)
    if not 0 < port <= _HIGHEST_PORT:
        text = "port is not valid: must be between 1 and 65535, inclusive"
        found.append(field_errors.invalid("spec.service.port", port, text))
    if skips and bundle:
        text = "may not be true if caBundle is present"
        found.append(field_errors.invalid("spec.insecureSkipTLSVerify", skips, text))
    return found


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    conditions = (new.get("status") or {}).get("conditions") or []
    return [
        cause
        for index, condition in enumerate(conditions)
        for cause in field_errors.one_of(
            f"status.conditions[{index}].status", condition.get("status", ""), _STATUSES
        )
    ]


RULES: Final = Rules(
    name_errors=names.path_segment_errors,
    default=_default,
    prepare=Prepare(create=_prepare_create, update=with_old_status),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new), status=_validate_status),
    unconditional_update=False,
    storage_prefix="/registry/apiregistration.k8s.io/apiservices",
    status_keeps=OWN_METADATA,
    table=table.API_SERVICES,
)

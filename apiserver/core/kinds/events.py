"""Events of the core group.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate, metadata_fields
from apiserver.core.table import events as table
from apiserver.core.values import Json, metadata
from machinery.model.errors import Cause

_INVOLVED: Final = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")


def _default(obj: Json) -> Json:
    for name in ("involvedObject", "source"):
        obj.setdefault(name, {})
    return obj


def _validate(obj: Json) -> list[Cause]:
    """Check that an event stands where its object does; one about the cluster stands in `default`."""
    namespace, involved = metadata(obj).get("namespace", ""), obj["involvedObject"].get("namespace", "")
    if involved == namespace or (not involved and namespace == "default"):
        return []
    return [field_errors.invalid("involvedObject.namespace", involved, "does not match event.namespace")]


def _fields(obj: Json) -> dict[str, str]:
    involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    return {
        **metadata_fields(obj),
        **{f"involvedObject.{name}": involved.get(name, "") for name in _INVOLVED},
        "reason": obj.get("reason", ""),
        "reportingComponent": obj.get("reportingComponent", ""),
        "source": source.get("component", "") or obj.get("reportingComponent", ""),
        "type": obj.get("type", ""),
    }


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    fields=_fields,
    create_on_update=True,
    ttl_s=3600.0,
    may_own=False,
    table=table.EVENTS,
)

"""Events of the core group.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
"""

from __future__ import annotations

from sys import intern
from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate, metadata_fields
from apiserver.core.table import events as table
from apiserver.core.values import Json, metadata
from machinery.model.errors import Cause

_INVOLVED: Final = {  # by the names that selectors have for them, made once: there are thousands of events
    f"involvedObject.{name}": name
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
}


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
    component = _shared(obj.get("reportingComponent", ""))
    return {
        **metadata_fields(obj),
        **{field: _shared(involved.get(name, "")) for field, name in _INVOLVED.items()},
        "reason": _shared(obj.get("reason", "")),
        "reportingComponent": component,
        "source": _shared(source.get("component", "")) or component,
        "type": _shared(obj.get("type", "")),
    }


def _shared(text: str) -> str:
    """Return the one copy of a text that all events share which say it: of a pod's events all but the name."""
    return intern(text) if type(text) is str else text


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    fields=_fields,
    create_on_update=True,
    ttl_s=3600.0,
    may_own=False,
    table=table.EVENTS,
)

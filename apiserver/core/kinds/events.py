"""Events, of the core group and of events.k8s.io.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
What is written in the newer version has to keep to more.
"""

from __future__ import annotations

from sys import intern
from typing import Final

from apiserver.core import event_versions, field_errors
from apiserver.core.rules import Rules, Validate, metadata_fields
from apiserver.core.table import Cells, Moment, Table
from apiserver.core.table import events as table
from apiserver.core.values import Json, metadata
from machinery.model import names
from machinery.model.errors import Cause

_INVOLVED: Final = {  # by the names that selectors have for them, made once: there are thousands of events
    f"involvedObject.{name}": name
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
}
_CLUSTERS_OWN: Final = frozenset({"default", "kube-system"})  # where events about the cluster stand
_LENGTHS: Final = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_LASTING: Final = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
)
_NEWER_NAMES: Final = {"reportingComponent": "reportingController"}


def _default(obj: Json) -> Json:
    for name in ("involvedObject", "source"):
        obj.setdefault(name, {})
    return obj


def _validate(obj: Json) -> list[Cause]:
    """Check an event; one that says when it was has to say by whom, and of what, too."""
    namespace, involved = metadata(obj).get("namespace", ""), obj["involvedObject"].get("namespace", "")
    if not obj.get("eventTime"):
        fits = involved == namespace or (not involved and namespace == "default")
        return [] if fits else [_wrong_place(involved)]
    found = [] if involved or namespace in _CLUSTERS_OWN else [_wrong_place(involved)]
    controller = obj.get("reportingComponent", "")
    if not controller:
        found.append(field_errors.required("reportingComponent"))
    found += field_errors.each_invalid("reportingComponent", controller, names.label_key_errors(controller))
    for name, longest in _LENGTHS.items():
        text = obj.get(name, "")
        if not text and name != "message":
            found.append(field_errors.required(name))
        if len(text.encode()) > longest:
            problem = f"can have at most {longest} characters"
            found.append(field_errors.invalid(name, "", problem))
    return found


def _wrong_place(involved: str) -> Cause:
    return field_errors.invalid("involvedObject.namespace", involved, "does not match event.namespace")


def _validate_newer(event: Json) -> list[Cause]:
    """Check what is new in the newer version: what became of older fields has to be empty."""
    found = _series_causes(event)
    if not event.get("eventTime"):
        found.append(field_errors.required("eventTime"))
    if (type_ := event.get("type", "")) not in {"Normal", "Warning"}:
        found.append(field_errors.invalid("type", "", f"has invalid value: {type_}"))
    old = event_versions.convert(event, event_versions.CORE)
    return found + [
        field_errors.invalid(name, "", "needs to be unset")
        for name in ("firstTimestamp", "lastTimestamp", "count", "source")
        if old.get(name)
    ]


def _series_causes(event: Json) -> list[Cause]:
    series = event.get("series")
    if series is None:
        return []
    found = []
    if series.get("count", 0) < 2:
        found.append(field_errors.invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        found.append(field_errors.required("series.lastObservedTime"))
    return found


def _validate_newer_update(new: Json, old: Json) -> list[Cause]:
    """Check a change: an event is what it was, except for how often it was seen."""
    after, before = (event_versions.convert(each, event_versions.CORE) for each in (new, old))
    found = _series_causes(new) if new.get("series") != old.get("series") else []
    return found + [
        cause
        for name in _LASTING
        for cause in field_errors.unchanged(
            _NEWER_NAMES.get(name, name), after.get(name) or None, before.get(name) or None
        )
    ]


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


def _newer_fields(event: Json) -> dict[str, str]:
    fields = _fields(event_versions.convert(event, event_versions.CORE))
    newer = {
        name.replace("involvedObject", "regarding"): value
        for name, value in fields.items()
        if name not in {"reportingComponent", "source"}
    }
    return {**newer, "reportingController": fields["reportingComponent"]}


def _newer_row(event: Json, moment: Moment) -> Cells:
    return table.EVENTS.row(event_versions.convert(event, event_versions.CORE), moment)


RULES: Final = Rules(
    default=_default,
    convert=event_versions.convert,
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    fields=_fields,
    create_on_update=True,
    ttl_s=3600.0,
    may_own=False,
    table=table.EVENTS,
)

NEWER: Final = Rules(
    convert=event_versions.convert,
    validate=Validate(create=_validate_newer, update=_validate_newer_update),
    fields=_newer_fields,
    may_own=False,
    table=Table(table.EVENTS.columns, _newer_row),
)
"""The rules of the version in events.k8s.io, beside those of what is stored."""

"""Events."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import NAME, UNKNOWN, Cells, Column, Moment, Table, name, wide
from apiserver.core.values import Json


def _event(obj: Json, moment: Moment) -> Cells:
    first = moment.since(obj.get("firstTimestamp"))
    if not obj.get("firstTimestamp") and obj.get("eventTime"):
        first = moment.since(obj["eventTime"])
    last, count = _last(obj, moment, first)
    about = obj.get("involvedObject") or {}
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about['name']}"
        if about.get("name")
        else about.get("kind", "").lower(),
        about.get("fieldPath", ""),
        _source(obj),
        (obj.get("message") or "").strip(),
        first,
        count,
        name(obj),
    ]


def _last(obj: Json, moment: Moment, first: str) -> tuple[str, int]:
    if series := obj.get("series"):
        return moment.since(series.get("lastObservedTime")), series.get("count", 0)
    since = moment.since(obj.get("lastTimestamp"))
    return (first if since == UNKNOWN else since), obj.get("count") or 1


def _source(obj: Json) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return f"{component}, {host}" if component and host else component or host


EVENTS: Final = Table(
    (
        Column("Last Seen", description="How long ago it happened last."),
        Column("Type", description="Normal or Warning."),
        Column("Reason", description="What happened, in a word."),
        Column("Object", description="To which object."),
        wide("Subobject"),
        wide("Source"),
        Column("Message", description="What happened."),
        wide("First Seen"),
        wide("Count", "integer"),
        Column(NAME.name, format=NAME.format, description=NAME.description, priority=1),
    ),
    _event,
)

"""APIServices."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json, spec


def _service(obj: Json, moment: Moment) -> Cells:
    service = spec(obj).get("service")
    conditions = (obj.get("status") or {}).get("conditions") or ()
    available = next((each for each in conditions if each.get("type") == "Available"), None)
    return [
        name(obj),
        "Local" if service is None else f"{service.get('namespace', '')}/{service.get('name', '')}",
        _availability(available),
        age(obj, moment),
    ]


def _availability(condition: Json | None) -> str:
    if condition is None:
        return "Unknown"
    status, reason = condition.get("status", ""), condition.get("reason", "")
    return str(status) if status == "True" or not reason else f"{status} ({reason})"


API_SERVICES: Final = Table(
    (
        NAME,
        Column("Service", description="Who serves it."),
        Column("Available", description="Whether it is served."),
        AGE,
    ),
    _service,
)

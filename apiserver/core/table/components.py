"""ComponentStatuses."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import NAME, Cells, Column, Moment, Table, name
from apiserver.core.values import Json

_WORDS: Final = {"True": "Healthy", "False": "Unhealthy"}


def _status(obj: Json, _moment: Moment) -> Cells:
    """Write a row; of several conditions of health the last one counts."""
    cells = [name(obj), "Unknown", "", ""]
    for condition in obj.get("conditions") or ():
        if condition.get("type") == "Healthy":
            status = _WORDS.get(condition.get("status", ""), "Unknown")
            cells = [name(obj), status, condition.get("message", ""), condition.get("error", "")]
    return cells


COMPONENT_STATUSES: Final = Table(
    (
        NAME,
        Column("Status", description="Healthy, Unhealthy or Unknown."),
        Column("Message", description="What the component says of itself."),
        Column("Error", description="What is wrong with it."),
    ),
    _status,
)

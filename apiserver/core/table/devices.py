"""ResourceClaims and ResourceSlices."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json, metadata, spec


def _claim(obj: Json, moment: Moment) -> Cells:
    return [name(obj), _state(obj), age(obj, moment)]


def _state(obj: Json) -> str:
    status = obj.get("status") or {}
    states = ["deleted"] if metadata(obj).get("deletionTimestamp") else []
    if status.get("allocation") is None:
        return ",".join(states or ["pending"])
    return ",".join([*states, "allocated", *(["reserved"] if status.get("reservedFor") else [])])


def _slice(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    return [
        name(obj),
        own.get("nodeName", ""),
        own.get("driver", ""),
        (own.get("pool") or {}).get("name", ""),
        age(obj, moment),
    ]


RESOURCE_CLAIMS: Final = Table(
    (NAME, Column("State", description="Whether it has its devices, and whether somebody uses them."), AGE),
    _claim,
)
RESOURCE_SLICES: Final = Table(
    (
        NAME,
        Column("Node", description="The node of its devices."),
        Column("Driver", description="The driver of its devices."),
        Column("Pool", description="The pool that its devices belong to."),
        AGE,
    ),
    _slice,
)

"""NodeMetrics and PodMetrics, as metrics-server prints them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from apiserver.core.table.table import Cells, Column, Moment, Table, name
from apiserver.core.values import Json
from machinery.model.quantity import Family, format_amount, parse

_RESOURCES: Final = {"cpu": Family.DECIMAL, "memory": Family.BINARY}


def _row(obj: Json, usages: list[Any]) -> Cells:
    return [name(obj), *(_sum(usages, each) for each in _RESOURCES), obj.get("window", "")]


def _sum(usages: list[Json], resource: str) -> str:
    total = sum((parse(usage.get(resource, "0")) for usage in usages), Fraction(0))
    return format_amount(total, _RESOURCES[resource])


def _node(obj: Json, _moment: Moment) -> Cells:
    return _row(obj, [obj.get("usage") or {}])


def _pod(obj: Json, _moment: Moment) -> Cells:
    return _row(obj, [each.get("usage") or {} for each in obj.get("containers") or ()])


_COLUMNS: Final = (
    Column("Name", format="name", description="Name of the resource"),
    Column("cpu", format="quantity"),
    Column("memory", format="quantity"),
    Column("Window", format="duration"),
)
NODE_METRICS: Final = Table(_COLUMNS, _node)
POD_METRICS: Final = Table(_COLUMNS, _pod)

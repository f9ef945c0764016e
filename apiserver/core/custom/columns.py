"""How custom resources are printed: name, and the columns of the definition, or else the age."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from apiserver.core.custom import jsonpath
from apiserver.core.custom.problems import number_text
from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table
from apiserver.core.table.table import name as name_of
from apiserver.core.values import Json

_AGE: Final = {
    "name": "Age",
    "type": "date",
    "description": AGE.description,
    "jsonPath": ".metadata.creationTimestamp",
}
_INT64: Final = 2**63


def table_of(columns: list[Json]) -> Table:
    """Return the table of a version's `additionalPrinterColumns`; a path is compiled when a row is first printed."""
    shown = columns or [_AGE]
    paths = tuple((each.get("type") or "", each.get("jsonPath") or "") for each in shown)

    def row(obj: Json, moment: Moment) -> Cells:
        return [name_of(obj), *(_cell(obj, kind, path, moment) for kind, path in paths)]

    return Table((NAME, *(_column(each) for each in shown)), row)


def _column(each: Json) -> Column:
    path = each.get("jsonPath") or ""
    return Column(
        each.get("name") or "",
        each.get("type") or "",
        each.get("format") or "",
        each.get("description") or f"Custom resource definition column (in JSONPath format): {path}",
        int(each.get("priority") or 0),
    )


@lru_cache(maxsize=4096)
def _compiled(path: str) -> tuple[jsonpath.Step, ...] | None:
    try:
        return jsonpath.compile_path(path)
    except ValueError:
        return None


def _cell(obj: Json, kind: str, path: str, moment: Moment) -> Any:
    steps = _compiled(path)
    found = jsonpath.find(steps, obj) if steps is not None else []
    value = found[0] if found else None
    if value is None:
        return None
    if kind == "string":
        return _text(value)
    return _TYPED[kind](value, moment) if kind in _TYPED else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return msgspec.json.encode(value, order="sorted").decode()
    return number_text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Any, _moment: Moment) -> int | None:
    return int(value) if _is_number(value) and abs(value) < _INT64 else None


def _number(value: Any, _moment: Moment) -> float | None:
    return value if _is_number(value) else None


def _boolean(value: Any, _moment: Moment) -> bool | None:
    return value if isinstance(value, bool) else None


def _date(value: Any, moment: Moment) -> str | None:
    return moment.since(value) if isinstance(value, str) else None


_TYPED: Final = {"integer": _integer, "number": _number, "boolean": _boolean, "date": _date}

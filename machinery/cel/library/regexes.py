"""`find` and `findAll`."""

from __future__ import annotations

from typing import Final

from machinery.cel import costs, regex
from machinery.cel.overloads import method
from machinery.cel.types import INT, STRING, list_of

FUNCTIONS: Final = (
    method(
        "find", (STRING, STRING), STRING, regex.find, cost=costs.by_pattern, estimate=costs.estimate_pattern
    ),
    method(
        "findAll",
        (STRING, STRING),
        list_of(STRING),
        regex.find_all,
        cost=costs.by_pattern,
        estimate=costs.estimate_pattern,
    ),
    method(
        "findAll",
        (STRING, STRING, INT),
        list_of(STRING),
        regex.find_all,
        cost=costs.by_pattern,
        estimate=costs.estimate_pattern,
    ),
)

"""What can go wrong with an expression, in the words that cel-go writes to users.

CelError
├── CompileError               it does not parse or fit its variables' types; all faults, each with its place
└── EvaluationError            it has no value for these variables; `||` and `&&` may get over one
    └── BudgetExceededError    it cost more than it was allowed to; nothing gets over it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class CelError(Exception):
    """Any fault of an expression or of its evaluation."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault at a place of an expression's text; `offset` counts characters from its beginning."""

    offset: int
    message: str


class CompileError(CelError):
    """An expression that does not compile; its text is cel-go's report, with an excerpt for each fault."""

    def __init__(self, expression: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(_report(expression, fault) for fault in self.faults))


class EvaluationError(CelError):
    """An evaluation that ended without a value."""


class BudgetExceededError(EvaluationError):
    """An evaluation that was ended since it cost too much."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def _report(expression: str, fault: Fault) -> str:
    """Return a fault with the line that it is in and a caret below its place."""
    before = expression[: fault.offset]
    row, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    line = expression.split("\n")[row].replace("\t", " ")
    return f"ERROR: <input>:{row + 1}:{column + 1}: {fault.message}\n | {line}\n | {'.' * column}^"

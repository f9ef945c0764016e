"""Logic that stands errors: `||`, `&&` and the macros `exists` and `all` are one loop over what may decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from machinery.cel.code import BUDGET, Code, Frame, Run
from machinery.cel.errors import BudgetExceededError, EvaluationError
from machinery.cel.values import Value

Turns: TypeAlias = Callable[[Frame], Iterable[tuple[Any, Code]]]
"""What is evaluated in turn: codes, each beside what it is evaluated for."""


def decided_by(turns: Turns, *, decision: bool) -> Run:
    """Return what looks for a value that decides; an error counts only where nothing does, and the first one then."""

    def decide(frame: Frame) -> Value:
        failure: EvaluationError | None = None
        for _, (run, cost) in turns(frame):
            if cost:
                frame[BUDGET].spend(cost)
            try:
                value = run(frame)
            except BudgetExceededError:
                raise
            except EvaluationError as error:
                failure = failure or error
                continue
            if value is decision:
                return decision
            if type(value) is not bool:
                failure = failure or EvaluationError("no such overload")
        if failure is not None:
            raise failure
        return not decision

    return decide

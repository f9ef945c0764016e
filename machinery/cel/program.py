"""Expressions, from their text to their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from machinery.cel.budget import PER_CALL, Budget
from machinery.cel.checker import check
from machinery.cel.code import FIRST_LOCAL, Compiled
from machinery.cel.compiler import compile_closures
from machinery.cel.environment import Environment
from machinery.cel.errors import CompileError, EvaluationError, Fault
from machinery.cel.estimate import estimate
from machinery.cel.overloads import Range
from machinery.cel.parser import parse
from machinery.cel.types import Type
from machinery.cel.values import Value

_DEPTH: Final = "expression recursion limit exceeded"


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression. It keeps nothing of an evaluation, so that any number may go on at once.

    `type` is that of its value, dyn if only an evaluation can say; `cost` is what one costs at least and at most.
    """

    text: str
    type: Type
    cost: Range
    _compiled: Compiled

    def __call__(
        self, variables: Mapping[str, Value], budget: Budget | None = None, *, per_call: int = PER_CALL
    ) -> Value:
        """Return the expression's value.

        A variable is looked up when it is needed, so that a mapping may compute it then. What the evaluation costs is
        taken from the budget, also if it fails; one evaluation costs `per_call` at most. A million units are about half
        a second of CPU: who has others to serve runs what may cost more than some 100,000 in a thread.

        Raises:
            EvaluationError: it has no value.
            BudgetExceededError: it cost more than it was allowed to.
        """
        allowed = per_call if budget is None else min(per_call, budget.left)
        meter = Budget(allowed)
        frame = [meter, variables, *[None] * (self._compiled.places - FIRST_LOCAL)]
        try:
            meter.spend(self._compiled.cost)
            return self._compiled.run(frame)
        except RecursionError:
            raise EvaluationError(_DEPTH) from None
        except (
            TypeError,
            AttributeError,
        ) as why:  # a value that is not of the type its variable was declared with
            raise EvaluationError(f"no such overload: {why}") from why
        finally:
            if budget is not None:
                budget.left -= allowed - meter.left


def compile_expression(text: str, environment: Environment) -> Program:
    """Return the program of an expression.

    Raises:
        CompileError: it does not parse, or does not fit the environment.
    """
    expression = parse(text, has_bindings=environment.has_bindings)
    try:
        found = check(text, expression, environment)
        return Program(text, found, estimate(expression), compile_closures(expression))
    except RecursionError:
        raise CompileError(text, [Fault(0, _DEPTH)]) from None

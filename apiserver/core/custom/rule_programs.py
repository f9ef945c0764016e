"""Expressions of schemas, compiled: for the type of the schema that they stand in, and once for each such schema.

Whoever has no rules does not import this, nor the language.
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from apiserver.core.custom.expressions import Outcome
from apiserver.core.custom.structural import Structural
from apiserver.core.custom.values import MISSING
from machinery.cel import (
    NONE,
    Budget,
    CompileError,
    Environment,
    EvaluationError,
    Optional,
    Program,
    Type,
    compile_expression,
    optional_of,
    type_from_schema,
)
from machinery.cel.lexer import tokens_of

SELF: Final = "self"
OLD_SELF: Final = "oldSelf"


@dataclass(frozen=True, slots=True)
class RuleOfSchema:
    """A compiled expression of a schema (`apiserver.core.custom.expressions.RuleProgram`)."""

    program: Program
    uses_old_self: bool
    optional: bool  # whether oldSelf is an optional, so that it may be used where there is no old value

    def run(self, self_value: Any, old_self: Any, budget: int) -> Outcome:
        """Evaluate it; what an evaluation raises is the outcome's error."""
        variables = {SELF: self_value}
        if self.optional:
            variables[OLD_SELF] = NONE if old_self is MISSING else Optional(present=True, value=old_self)
        elif old_self is not MISSING:
            variables[OLD_SELF] = old_self
        left = Budget(budget)
        try:
            value = self.program(variables, left)
        except EvaluationError as error:
            return Outcome(error=str(error), cost=budget - left.left)
        return Outcome(value, cost=budget - left.left)


def type_of(schema: Structural) -> Type | None:
    """Return the type of the values of a schema; None where expressions have no words for them."""
    known = schema.programs
    if SELF not in known:
        known[SELF] = type_from_schema(schema.raw, root=schema.is_resource)
    found: Type | None = known[SELF]
    return found


def compile_rule(text: str, schema: Structural, optional: bool) -> RuleOfSchema:  # noqa: FBT001 - a `CompileRule`
    """Compile an expression of a schema, or find it compiled.

    Raises:
        ValueError: it is none.
    """
    key = (text, optional)
    if key not in schema.programs:
        declared = type_of(schema)
        if declared is None:
            raise ValueError(NO_TYPE)
        try:
            schema.programs[key] = compile_typed(text, declared, optional=optional)
        except CompileError as error:
            raise ValueError(str(error)) from error
    found: RuleOfSchema = schema.programs[key]
    return found


NO_TYPE: Final = (
    "failed to construct type information for x-kubernetes-validations rules: "
    "unable to convert structural schema to CEL declarations"
)


def compile_typed(text: str, declared: Type, *, optional: bool) -> RuleOfSchema:
    """Compile an expression for values of a type.

    Raises:
        CompileError: it does not fit.
    """
    before = optional_of(declared) if optional else declared
    program = compile_expression(text, Environment({SELF: declared, OLD_SELF: before}))
    return RuleOfSchema(program, mentions_old_self(text), optional)


def mentions_old_self(text: str) -> bool:
    """Whether an expression that compiles speaks of the old value."""
    if OLD_SELF not in text:
        return False
    tokens = tokens_of(text)
    return any(
        token.kind == "name" and token.text == OLD_SELF and not (index and tokens[index - 1].text == ".")
        for index, token in enumerate(tokens)
    )

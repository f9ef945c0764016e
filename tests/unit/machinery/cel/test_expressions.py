"""What expressions are: the tables of `tests.support.cel_expressions`."""

from __future__ import annotations

import pytest

from machinery.cel import (
    DYN,
    CompileError,
    Environment,
    EvaluationError,
    compile_expression,
    type_from_schema,
)
from machinery.cel.library.authorizers import AUTHORIZER
from machinery.cel.types import Type
from tests.support import cel_expressions
from tests.support.cel_expressions import SCHEMA, Case, Error, Refused

GROUPS = "LANGUAGE RULES ADMISSION STRINGS LISTS REGEX URLS QUANTITIES NETWORKS VERSIONS FORMATS OPTIONALS TWO_VARIABLES"
_TYPED = type_from_schema(SCHEMA, root=True)


def outcome(case: Case, of: Type):
    """Return the value of a case's expression, or how it has none; its variables are of one type."""
    environment = Environment(dict.fromkeys(case.variables, of))
    try:
        return compile_expression(case.expression, environment)(case.variables)
    except CompileError as why:
        return Refused(str(why))
    except EvaluationError as why:
        return Error(str(why))


def is_as_expected(got, expected) -> bool:
    """Whether an outcome is what a table says; True is not 1 there."""
    if isinstance(expected, (Error, Refused)):
        return type(got) is type(expected) and expected.words in got.words
    return type(got) is type(expected) and got == expected


def differences(cases: tuple[Case, ...], of: Type) -> list[tuple[str, object, object]]:
    """Return the expressions that are not what their table says."""
    found = [(case.expression, outcome(case, of), case.expected) for case in cases]
    return [(text, got, expected) for text, got, expected in found if not is_as_expected(got, expected)]


@pytest.mark.parametrize("group", GROUPS.split())
def test_an_expression_is_what_the_documentation_says(group):
    """Each has its value, its error or its refusal."""
    assert differences(getattr(cel_expressions, group), DYN) == []


def test_an_expression_over_a_schema_is_what_the_documentation_says():
    """Values are of the schema's types, and what does not fit them is refused with its place."""
    assert differences(cel_expressions.TYPED, _TYPED) == []


def test_an_authorizer_is_asked_what_the_expression_says():
    """The function that decides sees the whole check."""
    assert differences(cel_expressions.AUTHORIZERS, AUTHORIZER) == []


def test_a_table_that_is_wrong_is_noticed():
    """A value, an error and a refusal that are others than those expected are differences."""
    wrong = (
        Case("1 + 1", {}, 3),
        Case("1 == 1", {}, 1),
        Case("1 / 0", {}, Refused("division by zero")),
        Case("1 / 0", {}, Error("modulus by zero")),
    )
    assert [text for text, _, _ in differences(wrong, DYN)] == [case.expression for case in wrong]

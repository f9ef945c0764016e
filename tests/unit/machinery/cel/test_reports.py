"""What users read of an expression that does not compile, and what older versions refuse."""

from __future__ import annotations

import pytest

from machinery.cel import DYN, CompileError, Environment, compile_expression, type_from_schema
from tests.support.cel_expressions import SCHEMA

TYPED = Environment({"self": type_from_schema(SCHEMA, root=True)})


def report(text: str, environment: Environment = TYPED) -> str:
    """Return the report of a compilation that fails."""
    with pytest.raises(CompileError) as caught:
        compile_expression(text, environment)
    return str(caught.value)


def test_a_fault_is_shown_in_its_line():
    """The excerpt is of the line that the fault is in, with a caret below its place."""
    assert report("self.replicas > 1 &&\n  self.nope == 2") == (
        "ERROR: <input>:2:7: undefined field 'nope'\n |   self.nope == 2\n | ......^"
    )


def test_all_faults_are_named_in_their_order():
    """One report has them all."""
    assert [line for line in report("self.a + self.b").splitlines() if "ERROR" in line] == [
        "ERROR: <input>:1:5: undefined field 'a'",
        "ERROR: <input>:1:14: undefined field 'b'",
    ]


def test_what_is_at_fault_is_not_reported_twice():
    """What an undefined field is part of is not at fault for it."""
    assert report("self.nope > 'a'").count("ERROR") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "self.replicas.startsWith('a')",
            "found no matching overload for 'startsWith' applied to 'int.(string)'",
        ),
        (
            "self.ports.sum()",
            "found no matching overload for 'sum' applied to 'list(selfType.ports.@idx).()'",
        ),
        ("self.labels + 1", "found no matching overload for '_+_' applied to '(map(string, string), int)'"),
        (
            "[1].filter(x, x)",
            "found no matching overload for '_?_:_' applied to '(int, list(int), list(int))'",
        ),
        ("self.replicas && true", "found no matching overload for '_&&_' applied to '(int, bool)'"),
        ("self.replicas.map(x, x)", "expression of type 'int' cannot be range of a comprehension"),
        ("[1].map(x.y, x)", "argument must be a simple name"),
        ("Pod{}", "undeclared reference to 'Pod' (in container '')"),
        ("self.replicas # 1", "Syntax error: token recognition error at: '#'"),
        ("(1", "Syntax error: mismatched input '<EOF>' expecting ')'"),
        ("1 2", "Syntax error: extraneous input '2' expecting <EOF>"),
        (r"'\q'", "unable to unescape string"),
        ("self.name.matches('(')", "invalid matches argument"),
    ],
)
def test_a_fault_is_said_in_the_words_that_users_know(text, message):
    """They are cel-go's."""
    assert message in report(text)


@pytest.mark.parametrize(
    ("minor", "text"),
    [
        (26, "authorizer.group('')"),
        (27, "x.?y"),
        (27, "quantity('1')"),
        (27, "1 < 1.5"),
        (28, "'%s'.format(['a'])"),
        (28, "sets.contains([1], [1])"),
        (29, "isIP('::1')"),
        (30, "format.dns1123Label()"),
        (31, "[1].all(i, v, true)"),
        (32, "semver('1.0.0')"),
    ],
)
def test_a_library_is_there_from_the_version_on_that_brought_it(minor, text):
    """The version before refuses it, and it knows it itself."""
    variables = {"x": DYN, "authorizer": DYN}
    assert "ERROR" in report(text, Environment(variables, version=(1, minor)))
    assert compile_expression(text, Environment(variables, version=(1, minor + 1))).text == text


def test_an_expression_may_not_be_deeper_than_its_bound():
    """Nesting and chains of operators both end in a report, not in a crash."""
    for text in ("(" * 2_000, "[" * 2_000, "1" + " + 1" * 2_000, "a" + ".b" * 2_000, "-(" * 1_000):
        assert "expression recursion limit exceeded" in report(text, Environment({"a": DYN}))


def test_a_long_chain_of_conditions_is_not_deep():
    """It is one list of operands."""
    text = " && ".join(["true"] * 1_000)
    assert compile_expression(text, Environment())({}) is True


def test_an_expression_may_not_be_longer_than_its_bound():
    """Nothing of it is read then."""
    assert "size exceeds limit" in report(" " * 100_001)

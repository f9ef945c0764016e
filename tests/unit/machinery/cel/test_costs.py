"""What expressions cost: estimated by the bounds of a schema, and counted while they are evaluated."""

from __future__ import annotations

import pytest

from machinery.cel import (
    DYN,
    ESTIMATED_PER_RULE,
    PER_CALL,
    Budget,
    BudgetExceededError,
    Environment,
    EvaluationError,
    Range,
    compile_expression,
    type_from_schema,
)
from tests.support.cel_expressions import SCHEMA, TYPED, Error, Refused

ENVIRONMENT = Environment(
    {"self": type_from_schema(SCHEMA, root=True), "oldSelf": type_from_schema(SCHEMA, root=True)}
)
UNBOUNDED = type_from_schema({"type": "array", "items": {"type": "string"}})


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("true", Range(0, 0)),
        ("self.replicas > 1", Range(3, 3)),  # a variable, a field, a comparison
        ("self.replicas > 1 || self.replicas < 0", Range(3, 6)),
        ("self.replicas > 1 ? self.replicas : 5", Range(3, 5)),
        ("self.name == 'abc'", Range(3, 3)),
        ("self.name.startsWith('a')", Range(3, 3)),
        ("self.tags.all(t, t == 'x')", Range(3, 53)),  # ten times five, and three
        ("self.tags.exists(t, t == 'x')", Range(3, 63)),
        ("self.tags.map(t, t + 'x')", Range(13, 13 + 10 * 20)),
        ("self.tags.filter(t, true)", Range(13, 13 + 10 * 13)),
        ("self.labels.all(k, self.labels[k] != '')", Range(3, 3 + 5 * 7)),
        ("size(self.tags)", Range(3, 3)),
        ("[1, 2, 3]", Range(10, 10)),
        ("{'a': 1}", Range(30, 30)),
        ("has(self.name)", Range(1, 1)),
        ("self.name.matches('^[a-z]+$')", Range(4, 54)),
    ],
)
def test_a_cost_is_estimated_by_the_bounds_of_the_schema(text, cost):
    """At least, at most."""
    assert compile_expression(text, ENVIRONMENT).cost == cost


def test_what_has_no_bound_may_be_as_large_as_a_request():
    """So a rule in a loop over it can cost too much to be admitted."""
    environment = Environment({"self": UNBOUNDED})
    assert compile_expression("self.all(x, x == 'a')", environment).cost.high > PER_CALL
    assert compile_expression("self.all(x, self.all(y, x == y))", environment).cost.high > 10**12


def test_a_type_may_be_asked_for_at_no_great_cost():
    """The documented test of what is a number or a string is always admitted."""
    text = "type(self.port) == string ? self.replicas > 1 : true"
    assert compile_expression(text, ENVIRONMENT).cost.high < 10


def test_an_evaluation_costs_no_more_than_was_estimated():
    """This holds for each expression of the table that has a value."""
    for case in TYPED:
        by_whole = "type(" in case.expression or "== oldSelf" in case.expression
        if isinstance(case.expected, (Error, Refused)) or by_whole:
            continue  # comparing types or whole objects is estimated at nothing, as in Kubernetes, and costs one
        program = compile_expression(case.expression, ENVIRONMENT)
        budget = Budget()
        program(case.variables, budget)
        assert Budget().left - budget.left <= program.cost.high, case.expression


def test_a_budget_is_shared_by_evaluations():
    """What one costs is not there for the next, also if it failed."""
    program = compile_expression("[1, 2, 3].map(x, x + y)", Environment({"y": DYN}))
    budget = Budget(200)
    program({"y": 1}, budget)
    first = 200 - budget.left
    with pytest.raises(EvaluationError, match="no such overload"):
        program({"y": "a"}, budget)
    assert first > 40
    assert budget.left < 200 - first


EXPLODING = (
    "l.all(a, l.all(b, l.all(c, l.all(d, l.all(e, l.all(f, a + b + c + d + e + f >= 0))))))",
    "l.map(a, l.map(b, l.map(c, l.map(d, l.map(e, l)))))",
    "l.map(a, s + s + s + s).map(x, x + x + x + x).map(x, x + x + x + x).map(x, x + x + x + x).map(x, x + x)",
    "l.all(a, l.all(b, [deep] == [deep]))",
    "l.all(a, l.all(b, deep in [deep]))",
    "l.all(a, l.all(b, sets.contains([deep], [deep])))",
    "l.all(a, l.all(b, size(deep + deep) > 0))",
    "l.all(a, s.matches('(a*)*(b|a?){20}c' + s))",
    "l.all(a, l.all(b, l.all(c, s.replace('x', s) != '')))",
    "l.all(a, l.all(b, l.all(c, s.split('').join(s) != '')))",
    "l.exists(a, l.exists(b, l.exists(c, l.filter(d, sets.contains(l, l)).size() < 0)))",
    "l.transformList(i, a, l.transformList(j, b, l.transformList(k, c, l.transformList(m, d, l))))",
)


@pytest.mark.parametrize("text", EXPLODING)
def test_an_expression_that_explodes_ends(text):
    """It runs out of its budget, or makes something that is too large."""
    program = compile_expression(text, Environment(dict.fromkeys(("l", "s", "deep"), DYN)))
    deep = [[1, 2, 3]] * 1_000
    with pytest.raises(EvaluationError):
        program({"l": list(range(60)), "s": "x" * 20_000, "deep": deep}, per_call=100_000)


def test_lists_and_strings_that_double_end():
    """Joining lists costs one, as in Kubernetes; so their size is bounded."""
    environment = Environment({"l": DYN, "s": DYN})
    lists = "[l]" + ".map(a, a + a)" * 60
    strings = "[s]" + ".map(a, a + a)" * 60
    for text in (lists, strings):
        with pytest.raises(EvaluationError):
            compile_expression(text, environment)({"l": [1], "s": "a"})


def test_nothing_gets_over_a_budget_that_is_spent():
    """Not even what gets over errors."""
    program = compile_expression("l.all(x, l.all(y, true)) || true", Environment({"l": DYN}))
    with pytest.raises(BudgetExceededError, match="actual cost limit exceeded"):
        program({"l": [1] * 1000}, per_call=1000)


ROUTES = {
    "type": "array",
    "maxItems": 64,
    "items": {
        "type": "object",
        "properties": {
            "port": {"type": "integer"},
            "protocol": {"type": "string", "maxLength": 255},
            "hostname": {"type": "string", "maxLength": 253},
        },
    },
}


def test_a_rule_that_compares_all_pairs_of_a_bounded_list_is_admitted():
    """It is one that a widely used gateway's definition has; without the bound it is refused."""
    text = (
        "self.all(a, self.exists_one(b, a.port == b.port && a.protocol == b.protocol && "
        "(has(a.hostname) && has(b.hostname) ? a.hostname == b.hostname : !has(a.hostname) && !has(b.hostname))))"
    )
    bounded = Environment({"self": type_from_schema(ROUTES)})
    program = compile_expression(text, bounded)
    assert program.cost.high < ESTIMATED_PER_RULE
    unbounded = {key: value for key, value in ROUTES.items() if key != "maxItems"}
    free = Environment({"self": type_from_schema(unbounded)})
    assert compile_expression(text, free).cost.high > ESTIMATED_PER_RULE
    listeners = [{"port": port, "protocol": "TCP"} for port in range(64)]
    assert program({"self": listeners}) is True
    assert program({"self": [*listeners[:63], listeners[0]]}) is False

"""What has not changed of a custom resource is not checked again, and nothing else comes of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from apiserver.core.custom.expressions import Outcome, check_rules
from apiserver.core.custom.structural import Structural
from apiserver.core.custom.values import MISSING, check_value
from apiserver.core.field_errors import Ratcheted

COST = 10
NUMBER = {"type": "integer", "x-kubernetes-validations": [{"rule": "positive"}, {"rule": "grows"}]}
PART = {"type": "object", "properties": {"number": NUMBER}, "x-kubernetes-validations": [{"rule": "cheap"}]}
SCHEMA = {"type": "object", "properties": {"spec": PART, "status": PART}}


@dataclass(eq=False)
class Rules:
    """Stands for the language: notes what is evaluated."""

    ran: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, text: str, _schema: Structural, _optional: bool) -> Rule:
        return Rule(text, self.ran)


@dataclass
class Rule:
    text: str
    ran: list[tuple[str, Any]]

    @property
    def uses_old_self(self) -> bool:
        return self.text == "grows"

    def run(self, self_value: Any, old_self: Any, _budget: int) -> Outcome:
        self.ran.append((self.text, self_value))
        holds = {
            "positive": lambda: self_value > 0,
            "grows": lambda: old_self is MISSING or self_value >= old_self,
            "cheap": lambda: True,
        }
        return Outcome(holds[self.text](), cost=COST)


def obj(spec: int, status: int) -> dict[str, Any]:
    return {
        "kind": "Widget",
        "metadata": {"name": "a"},
        "spec": {"number": spec},
        "status": {"number": status},
    }


def ran(rules: Rules, schema: Structural, new: Any, old: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """What is evaluated for a write, and what is found."""
    rules.ran.clear()
    found = check_rules(new, schema, rules, old)
    return list(rules.ran), [f"{type(each) is Ratcheted} {each.field}" for each in found]


def test_rules_that_held_of_a_field_are_not_evaluated_again():
    """From the second write on that leaves it as it was; of what has changed all are."""
    rules, schema = Rules(), Structural(SCHEMA, resource=True)
    every = [("cheap", {"number": 1}), ("positive", 1), ("grows", 1)]
    assert (
        ran(rules, schema, obj(1, 1), obj(1, 0))[0][:3] == every
    )  # nobody has tried them with an old value yet
    assert ran(rules, schema, obj(1, 2), obj(1, 1)) == (
        [("cheap", {"number": 2}), ("positive", 2), ("grows", 2)],
        [],
    )
    assert ran(rules, schema, obj(2, 2), obj(1, 2))[0][:3] == [
        ("cheap", {"number": 2}),
        ("positive", 2),
        ("grows", 2),
    ]
    assert ran(rules, schema, obj(1, 1), MISSING)[0] == [
        ("cheap", {"number": 1}), ("positive", 1), ("cheap", {"number": 1}), ("positive", 1)
    ]  # fmt: skip


def test_what_is_broken_is_told_every_time():
    """As a warning, of what has not changed."""
    rules, schema = Rules(), Structural(SCHEMA, resource=True)
    for status in (1, 2, 3):
        assert ran(rules, schema, obj(-1, status), obj(-1, status - 1))[1] == ["True spec.number"]
    assert ran(rules, schema, obj(-2, 3), obj(-1, 3))[1] == ["False spec.number", "False spec.number"]


@pytest.mark.parametrize("budget", range(0, 9 * COST, COST // 2))
def test_a_budget_is_spent_as_if_all_were_evaluated(budget: int):
    """To the unit: what costs too much the first time does so again."""
    new, old = obj(1, 2), obj(1, 1)
    compile_rule = Rules()
    known = Structural(SCHEMA, resource=True)
    check_rules(new, known, compile_rule, old)
    again = check_rules(new, known, compile_rule, old, budget)
    assert again == check_rules(new, Structural(SCHEMA, resource=True), compile_rule, old, budget)


def test_a_field_that_has_not_changed_is_not_walked_through():
    """What is wrong with it would not be told; of what has changed everything is."""
    schema = Structural(
        {"type": "object", "properties": {"spec": {"items": {"type": "string"}}, "status": NUMBER}}
    )
    spec = list(range(1000))
    assert (
        check_value({"spec": spec, "status": 2}, schema, "", {"spec": spec, "status": 1}, most_steps=5) == []
    )
    assert check_value({"spec": spec}, schema, "", {"spec": spec[:-1]}, most_steps=5)
    closed = Structural({"type": "object", "additionalProperties": False, "properties": {"status": NUMBER}})
    [unknown] = check_value({"x": 1, "status": 2}, closed, "", {"x": 1, "status": 1})
    assert "forbidden property" in unknown.message
    [wrong] = check_value({"spec": spec, "status": "x"}, schema, "", {"spec": spec, "status": 1})
    assert wrong.field == "status"


def test_alternatives_are_told_as_if_nothing_were_skipped():
    """The one of which most holds, what has not changed included."""
    alternatives = [
        {"properties": {"a": {"type": wanted}, "b": {"type": "integer", "minimum": least}}}
        for wanted, least in (("string", 5), ("integer", 7))
    ]
    schema = Structural({"type": "object", "anyOf": alternatives})
    told = [each.message for each in check_value({"a": 1, "b": 2}, schema, "", {"a": 1, "b": 3})]
    assert "or equal to 7" in told[1]

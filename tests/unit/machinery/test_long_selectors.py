"""Selectors of many terms: they select what their terms select one by one, and cost what an object's labels cost."""

from __future__ import annotations

from random import Random

import pytest

from machinery.model.selector_text import parse_fields, parse_labels
from machinery.model.selectors import FEW_TERMS, FieldMatcher, LabelMatcher, Requirement
from tests.support.stalls import using

OPERATORS = ("in", "notin", "exists", "!", ">", "<")


def requirement(random: Random) -> Requirement:
    operator = random.choice(OPERATORS)
    key = random.choice("abcdefgh")
    if operator in {"in", "notin"}:
        values = tuple(random.choice("123") for _ in range(random.choice((1, 2, FEW_TERMS + 4))))
        return Requirement(key, operator, values)
    return Requirement(key, operator, ("2",) if operator in {">", "<"} else ())


def test_many_conditions_on_labels_select_what_each_of_them_selects() -> None:
    """Also where they repeat and contradict each other, and with more labels than conditions."""
    random = Random(3)
    outcomes = []
    for _ in range(300):
        labels = {key: random.choice("123x") for key in random.sample("abcdefgh", random.randint(0, 8))}
        each = [requirement(random) for _ in range(90)]
        fulfilled = [one for one in each if one.matches(labels)]  # most of them, so that some are selected
        each = tuple(fulfilled * 20 if random.random() < 0.5 else [*fulfilled * 20, each[0]])
        if random.random() < 0.2:
            labels |= {f"more{number}": "1" for number in range(60)}
        expected = all(one.matches(labels) for one in each)
        assert LabelMatcher(each).matches(labels) is expected
        outcomes.append(expected)
    assert 50 < sum(outcomes) < len(outcomes) - 50


def test_many_conditions_on_fields_select_what_each_of_them_selects() -> None:
    """An absent field is the empty text."""
    random = Random(4)
    for _ in range(1_000):
        wanted = random.choice((0.0, 0.02, 0.5))
        each = tuple(
            (random.choice("abc"), random.random() < wanted, random.choice(("", "1", "2", "3", "4")))
            for _ in range(FEW_TERMS + 3)
        )
        fields = {random.choice("abcd"): random.choice(("", "1", "5")) for _ in range(3)}
        expected = all((fields.get(key, "") == value) is is_wanted for key, is_wanted, value in each)
        assert FieldMatcher(each).matches(fields) is expected


@pytest.mark.parametrize("term", ["!a{}", "a{}!=b", "a{}=b", "a{} in (b,c)", "a notin (b{})"])
def test_an_object_costs_what_its_labels_cost(term: str) -> None:
    """Eight thousand terms and five thousand objects: each with each would be 40 million comparisons."""
    matcher = parse_labels(",".join(term.format(number) for number in range(8_000)))
    with using(less_than_s=1):
        found = [matcher.matches({"a": "b", "n": str(number)}) for number in range(5_000)]
        assert hash(matcher) == hash(matcher)
    assert set(found) == {"=b" not in term.replace("!=b", "") and " in " not in term}


def test_equal_ones_are_one_key() -> None:
    """Watches of one selection are told together, however long it is."""
    text = ",".join(f"!a{number}" for number in range(100))
    assert {parse_labels(text): 1}[parse_labels(text)] == 1
    fields = ",".join(f"a!={number}" for number in range(100))
    assert {parse_fields(fields): 1}[parse_fields(fields)] == 1

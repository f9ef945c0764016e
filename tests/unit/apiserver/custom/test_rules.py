"""Rules in CEL: what a definition may ask for, and what objects are told."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.custom import expressions, language
from apiserver.core.custom.expressions import check_rules as broken_rules
from apiserver.core.custom.rule_programs import mentions_old_self
from apiserver.core.custom.rules_check import check_rules
from apiserver.core.custom.structural import Structural
from apiserver.core.custom.values import MISSING
from apiserver.core.field_errors import Ratcheted

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
AT = "spec.versions[0].schema.openAPIV3Schema"
IN_A = f"{AT}.properties[a].x-kubernetes-validations[0]"
HINT = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
TOGETHER = (
    "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
)
TOTAL = "Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of"


def ruled(kind: dict[str, Any], rule: str, **more: Any) -> dict[str, Any]:
    return {**kind, "x-kubernetes-validations": [{"rule": rule, **more}]}


def told(a: dict[str, Any]) -> list[str]:
    schema = {"type": "object", "properties": {"a": a}}
    return [f"{cause.field}: {cause.message}" for cause in check_rules(schema, AT)]


LISTED = {"type": "array", "items": STRING}
PAIR = {"type": "object", "properties": {"min": INTEGER, "max": INTEGER}}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (ruled(INTEGER, "self > 1"), []),
        (ruled(INTEGER, "self == true"), [f"{IN_A}.rule: Invalid value: {{\"rule\":\"self == true\"}}: compilation failed: ERROR: <input>:1:6: found no matching overload for '_==_' applied to '(int, bool)'\n | self == true\n | .....^"]),
        (ruled(INTEGER, "42"), [f'{IN_A}.rule: Invalid value: {{"rule":"42"}}: cel expression must evaluate to a bool']),
        (ruled(INTEGER, "self > 1", messageExpression="42"), [f'{IN_A}.messageExpression: Invalid value: {{"rule":"self > 1","messageExpression":"42"}}: messageExpression must evaluate to a string']),
        (ruled(INTEGER, "self > 1", optionalOldSelf=True), [f"{IN_A}.optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"]),
        (ruled(INTEGER, "!oldSelf.hasValue() || self >= oldSelf.value()", optionalOldSelf=True), []),
        (ruled({**INTEGER, "default": 0}, "self > 1", message="it is small"), [f'{AT}.properties[a].default: Invalid value: "integer": it is small']),
        ({"type": "array", "maxItems": 5, "items": ruled(INTEGER, "self == oldSelf")}, [f'{AT}.properties[a].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within {AT}.properties[a].items']),
        ({"x-kubernetes-preserve-unknown-fields": True, **ruled({}, "true")}, [f"{AT}.properties[a].x-kubernetes-validations: Internal error: internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations"]),
        (ruled(LISTED, "self.all(x, x.contains('gpu'))"), [f"{IN_A}.rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x {HINT}", f"{IN_A}.rule: {TOGETHER}", f"{AT}: {TOTAL} more than 100x {HINT}"]),
        (ruled(PAIR, "self.min <= self.max", messageExpression="'min (' + string(self.min) + ')'"), [f"{IN_A}.messageExpression: Forbidden: estimated messageExpression cost exceeds budget by factor of more than 100x {HINT}", f"{IN_A}.messageExpression: {TOGETHER}", f"{AT}: {TOTAL} more than 100x {HINT}"]),
        (ruled(PAIR, "self.min <= self.max", messageExpression="'min (%d)'.format([self.min])"), []),
    ],
)  # fmt: skip
def test_what_rules_a_definition_may_have(schema: dict[str, Any], expected: list[str]) -> None:
    """They compile for the type of their schema, speak of old values where there are some, and have a bounded cost."""
    assert told(schema) == expected


@pytest.mark.parametrize(("longest", "most"), [(16, 909_090), (63, 333_333), (253, 94_339), (1_024, 24_154)])
def test_a_cost_is_what_kubernetes_estimates(longest: int, most: int) -> None:
    """The longest lists of such strings that its validator was measured to take for this rule, and no longer ones."""
    listed = {"type": "array", "items": {**STRING, "maxLength": longest}}
    fits, is_too_long = ({**listed, "maxItems": items} for items in (most, most + 1))
    rule = "self.all(x, x.contains('gpu'))"
    assert told(ruled(fits, rule)) == []
    factor = "1.000009" if longest == 1_024 else "1.000000"
    found = told(ruled(is_too_long, rule))
    assert len(found) == 1
    assert found[0].startswith(
        f"{IN_A}.rule: Forbidden: estimated rule cost exceeds budget by factor of {factor[:5]}"
    )


def test_below_a_list_an_expression_counts_as_often_as_there_may_be_items() -> None:
    """As the schema allows, or as fit into a request; and all of a schema count together."""
    rule = ruled({**STRING, "maxLength": 1000}, "self.contains('x')")
    assert told({"type": "array", "maxItems": 10, "items": rule}) == []
    for times, factor in (
        (1_000_000, "40.1x"),
        (None, "42.0x"),
    ):  # 401 each: a variable, and 0.1 for each of 4,000 bytes
        bound = {} if times is None else {"maxItems": times}
        found = told({"type": "array", "items": rule, **bound})
        assert f"factor of {factor}" in found[0], found
    many = {f"p{index}": {"type": "array", "maxItems": 20_000, "items": rule} for index in range(13)}
    found = told({"type": "object", "properties": many})
    assert [each.partition(": ")[2][:60] for each in found] == [TOGETHER[:60]] * 4 + [TOTAL[:60]]


LIST_MAP = {
    "type": "array",
    "maxItems": 5,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
    "items": ruled({"type": "object", "properties": {"k": STRING, "v": INTEGER}}, "self.v >= oldSelf.v"),
}


@pytest.mark.parametrize(
    ("schema", "new", "old", "expected"),
    [
        (ruled(INTEGER, "self > 1"), 1, MISSING, ['a: Invalid value: "integer": failed rule: self > 1']),
        (ruled(INTEGER, "self >= oldSelf"), 1, 2, ['a: Invalid value: "integer": failed rule: self >= oldSelf']),
        (ruled(INTEGER, "self >= oldSelf"), 1, MISSING, []),
        (ruled(INTEGER, "!oldSelf.hasValue() || self >= oldSelf.value()", optionalOldSelf=True), 1, 2, ['a: Invalid value: "integer": failed rule: !oldSelf.hasValue() || self >= oldSelf.value()']),
        (ruled(INTEGER, "oldSelf.hasValue()", optionalOldSelf=True), 1, MISSING, ['a: Invalid value: "integer": failed rule: oldSelf.hasValue()']),
        (ruled(PAIR, "self.min <= self.max", messageExpression="'%d is over %d'.format([self.min, self.max])", fieldPath=".min", reason="FieldValueForbidden"), {"min": 3, "max": 2}, MISSING, ["a.min: Forbidden: 3 is over 2"]),
        (ruled(PAIR, "self.min <= self.max"), {"min": 3}, MISSING, ['a: Invalid value: "object": no such key: max evaluating rule: self.min <= self.max']),
        (ruled({"x-kubernetes-int-or-string": True}, "self > 5"), "x", MISSING, ["a: Invalid value: \"\": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self > 5"]),
        (LIST_MAP, [{"k": "x", "v": 1}, {"k": "y", "v": 1}], [{"k": "y", "v": 2}, {"k": "x", "v": 1}], ['a[1]: Invalid value: "object": failed rule: self.v >= oldSelf.v']),
    ],
)  # fmt: skip
def test_what_an_object_is_told(schema: dict[str, Any], new: Any, old: Any, expected: list[str]) -> None:
    """Each broken rule, at its place, in its own words."""
    root = Structural({"type": "object", "properties": {"a": schema}}, resource=True)
    before = MISSING if old is MISSING else {"a": old}
    found = broken_rules({"a": new}, root, language.compile_rule, before)
    assert [f"{cause.field}: {cause.message}" for cause in found] == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"fieldPath": ".min"}, "a.min"),
        ({"fieldPath": "['min']"}, "a.min"),
        ({"fieldPath": ".more['x.y']"}, "a.more[x.y]"),
        ({}, "a"),
    ],
)
def test_a_rule_points_at_the_field_that_it_names(more: dict[str, Any], expected: str) -> None:
    """Fields stand after dots, keys of maps in brackets, however the rule wrote them."""
    properties = {"min": INTEGER, "more": {"type": "object", "additionalProperties": INTEGER}}
    schema = ruled({"type": "object", "properties": properties}, "self.min > 1", **more)
    root = Structural({"type": "object", "properties": {"a": schema}}, resource=True)
    [cause] = broken_rules({"a": {"min": 0}}, root, language.compile_rule)
    assert cause.field == expected


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("FieldValueRequired", "Required value: no"),
        ("FieldValueForbidden", "Forbidden: no"),
        ("FieldValueDuplicate", 'Duplicate value: "integer"'),
        ("FieldValueInvalid", 'Invalid value: "integer": no'),
    ],
)
def test_a_rule_is_broken_for_the_reason_that_it_names(reason: str, message: str) -> None:
    """Which clients find in the cause."""
    root = Structural(
        {"type": "object", "properties": {"a": ruled(INTEGER, "false", message="no", reason=reason)}},
        resource=True,
    )
    [cause] = broken_rules({"a": 0}, root, language.compile_rule)
    assert (cause.reason, cause.message) == (reason, message)


DEAR = "self.all(x, x > 0)"
CALL = "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: "
OBJECT = "validation failed due to running out of cost budget, no further validation rules will be run"
MESSAGE = "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"


@pytest.mark.parametrize(
    ("rule", "more", "call", "whole", "expected"),
    [
        (DEAR, {}, 20, 1000, CALL + DEAR),
        (DEAR, {"message": "no"}, 20, 1000, f"{CALL}no"),
        (DEAR, {}, 1000, 20, OBJECT),
        ("false", {"messageExpression": "self.all(x, x > 0) ? 'a' : 'b'"}, 1000, 20, MESSAGE),
        ("false", {"messageExpression": "string(self.all(x, x > 0))"}, 20, 1000, 'no further validation rules will be run due to call cost exceeds limit for messageExpression: "string(self.all(x, x > 0))"'),
    ],
)  # fmt: skip
def test_what_costs_too_much_ends_all_rules(
    monkeypatch: pytest.MonkeyPatch, rule: str, more: dict[str, str], call: int, whole: int, expected: str
) -> None:
    """One evaluation has a bound of its own, in what all of an object have; the rules after it are not tried."""
    monkeypatch.setattr(expressions, "CALL_BUDGET", call)
    schema = ruled({"type": "array", "items": INTEGER}, rule, **more)
    schema["x-kubernetes-validations"].append({"rule": "false"})
    root = Structural({"type": "object", "properties": {"a": schema}}, resource=True)
    found = broken_rules({"a": [*range(1, 50)]}, root, language.compile_rule, budget=whole)
    assert [cause.message for cause in found] == [f'Invalid value: "array": {expected}']


@pytest.mark.parametrize(
    ("rule", "old", "is_warned", "message"),
    [
        ("self > 1", 0, True, 'Invalid value: "integer": failed rule: self > 1'),
        ("self > 1", 1, False, 'Invalid value: "integer": failed rule: self > 1'),
        ("self > oldSelf", 0, False, 'Invalid value: "integer": failed rule: self > oldSelf'),
        (
            "1 / self > 0",
            0,
            False,
            'Invalid value: "integer": division by zero evaluating rule: 1 / self > 0',
        ),
    ],
)
def test_what_has_not_changed_is_only_warned_of(rule: str, old: int, is_warned: bool, message: str) -> None:
    """Where a rule holds of the value alone, and could be evaluated."""
    root = Structural({"type": "object", "properties": {"a": ruled(INTEGER, rule)}}, resource=True)
    [cause] = broken_rules({"a": 0}, root, language.compile_rule, {"a": old})
    assert (isinstance(cause, Ratcheted), cause.message) == (is_warned, message)


def test_a_rule_is_compiled_once() -> None:
    """However many objects come by."""
    root = Structural({"type": "object", "properties": {"a": ruled(INTEGER, "self > 1")}}, resource=True)
    for value in range(3):
        broken_rules({"a": value}, root, language.compile_rule)
    schema = root.properties["a"]
    assert language.compile_rule("self > 1", schema, False) is language.compile_rule(
        "self > 1", schema, False
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("self == oldSelf", True), ("self.oldSelf > 1", False), ("'oldSelf' == self", False), ("self", False)],
)
def test_old_values_are_spoken_of_by_name(text: str, expected: bool) -> None:
    """Not by a field, nor by a text."""
    assert mentions_old_self(text) is expected


def test_what_a_rule_costs_is_not_looked_at_again() -> None:
    """A schema that was stored may stay as it is, whatever it is estimated to cost now; all together is looked at."""
    once = {
        "type": "object",
        "properties": {"a": ruled(LISTED, "self.all(x, x.contains('gpu'))")},
    }
    dear = [f"{cause.field}: {cause.message}" for cause in check_rules(once, AT)]
    assert dear
    assert dear[0].startswith(f"{IN_A}.rule: Forbidden: estimated rule cost exceeds budget by factor of")
    assert [each for each in dear if "estimated rule cost exceeds budget" in each] == dear[:1]
    again = [f"{cause.field}: {cause.message}" for cause in check_rules(once, AT, known=True)]
    assert again == dear[1:]

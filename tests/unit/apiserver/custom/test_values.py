"""Objects that break their schema, with the words of Kubernetes' validator."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.custom import formats
from apiserver.core.custom.lists import check_lists
from apiserver.core.custom.structural import Structural
from apiserver.core.custom.values import check_value
from machinery.model.patterns import compile_pattern


def told(value: Any, field: dict[str, Any], **old: Any) -> list[str]:
    root = Structural({"type": "object", "properties": {"spec": field}})
    before = {"old": {"spec": old["old"]}} if old else {}
    return [f"{cause.field}: {cause.message}" for cause in check_value({"spec": value}, root, **before)]


STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
LIST = {"type": "array", "items": STRING}


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        (1, STRING, 'spec: Invalid value: "integer": spec in body must be of type string: "integer"'),
        ("a", INTEGER, 'spec: Invalid value: "string": spec in body must be of type integer: "string"'),
        (1.5, INTEGER, 'spec: Invalid value: "number": spec in body must be of type integer: "number"'),
        (True, INTEGER, 'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"'),
        (True, NUMBER, 'spec: Invalid value: "boolean": spec in body must be of type number: "boolean"'),
        (None, STRING, 'spec: Invalid value: "null": spec in body must be of type string: "null"'),
        ([], {"type": "object"}, 'spec: Invalid value: "array": spec in body must be of type object: "array"'),
        (2**63, INTEGER, 'spec: Invalid value: "number": spec in body must be of type integer: "number"'),
        (True, {"x-kubernetes-int-or-string": True}, 'spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean"'),
        ("abc", {**STRING, "maxLength": 2}, "spec: Too long: may not be more than 2 bytes"),
        ("a", {**STRING, "minLength": 2}, 'spec: Invalid value: "a": spec in body should be at least 2 chars long'),
        ("b", {**STRING, "pattern": "^a$"}, "spec: Invalid value: \"b\": spec in body should match '^a$'"),
        ("b", {**STRING, "enum": ["x", "a"]}, 'spec: Unsupported value: "b": supported values: "x", "a"'),
        (2, {**INTEGER, "enum": [1, 3]}, 'spec: Unsupported value: 2: supported values: "1", "3"'),
        (0, {**INTEGER, "minimum": 1}, "spec: Invalid value: 0: spec in body should be greater than or equal to 1"),
        (1, {**INTEGER, "minimum": 1, "exclusiveMinimum": True}, "spec: Invalid value: 1: spec in body should be greater than 1"),
        (1.5, {**NUMBER, "maximum": 1}, "spec: Invalid value: 1.5: spec in body should be less than or equal to 1"),
        (2, {**INTEGER, "maximum": 2, "exclusiveMaximum": True}, "spec: Invalid value: 2: spec in body should be less than 2"),
        (3, {**INTEGER, "multipleOf": 2}, "spec: Invalid value: 3: spec in body should be a multiple of 2"),
        (0.35, {**NUMBER, "multipleOf": 0.1}, "spec: Invalid value: 0.35: spec in body should be a multiple of 0.1"),
        (2**31, {**INTEGER, "format": "int32"}, '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec'),
        (["a", "b"], {**LIST, "maxItems": 1}, "spec: Too many: 2: must have at most 1 items"),
        ([], {**LIST, "minItems": 1}, "spec: Invalid value: 0: spec in body should have at least 1 items"),
        (["a", 1], LIST, 'spec[1]: Invalid value: "integer": spec[1] in body must be of type string: "integer"'),
        ({"a": 1}, {"type": "object", "minProperties": 2}, "spec: Invalid value: 1: spec in body should have at least 2 properties"),
        ({"a": 1, "b": 2}, {"type": "object", "maxProperties": 1}, "spec: Too many: 2: must have at most 1 items"),
        ({}, {"type": "object", "required": ["a"]}, "spec.a: Required value"),
        ({"a": 1}, {"type": "object", "additionalProperties": False}, 'spec: Invalid value: "a": spec.a in body is a forbidden property'),
        ({"a": 1}, {"type": "object", "additionalProperties": STRING}, 'spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"'),
        ("a", {**STRING, "anyOf": [{"minLength": 2}, {"enum": ["b"]}]}, '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)'),
        ("a", {**STRING, "oneOf": [{"minLength": 2}]}, '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid'),
        ("a", {**STRING, "oneOf": [{"minLength": 1}, {"maxLength": 1}]}, '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'),
        ("a", {**STRING, "allOf": [{"minLength": 2}]}, '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf). None validated'),
        ("a", {**STRING, "allOf": [{"minLength": 2}, {"maxLength": 1}]}, '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf)'),
        ("a", {**STRING, "not": {"maxLength": 1}}, '<nil>: Invalid value: "": "spec" must not validate the schema (not)'),
        ("x", {**STRING, "format": "date-time"}, 'spec: Invalid value: "x": spec in body must be of type date-time: "x"'),
    ],
)  # fmt: skip
def test_what_breaks_a_schema(value: Any, field: dict[str, Any], expected: str) -> None:
    """Each is told in Kubernetes' words; nothing is said once the value has not changed."""
    assert expected in told(value, field)
    assert told(value, field, old=value) == []


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (1.0, INTEGER), (1, NUMBER), (None, {**STRING, "nullable": True}), ("1", {"x-kubernetes-int-or-string": True}),
        ("é" * 3, {**STRING, "maxLength": 3}), (1.0, {**INTEGER, "enum": [1]}), ("x", {**STRING, "format": "no-such"}),
        (0.3, {**NUMBER, "multipleOf": 0.1}), ({"a": None}, {"type": "object", "additionalProperties": True}),
        ("a", {**STRING, "anyOf": [{"minLength": 2}, {"maxLength": 1}]}), ({"b": 1}, {"type": "object"}),
    ],
)  # fmt: skip
def test_what_holds_to_a_schema(value: Any, field: dict[str, Any]) -> None:
    """Nothing is wrong with it."""
    assert told(value, field) == []


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", ["2024-02-29T01:02:03Z", "2024-01-01T00:00:00.5+02:00"], ["2024-01-01", "2023-02-29T00:00:00Z"]),
        ("date", ["2024-02-29"], ["2024-2-9", "2023-02-29", "x"]),
        ("byte", ["aGk="], ["aGk", "a===", ""]),
        ("ipv4", ["10.0.0.1"], ["10.0.0.256", "::1", "01.2.3.4"]),
        ("ipv6", ["::1", "fe80::1"], ["10.0.0.1", "fe80::1%eth0"]),
        ("cidr", ["10.0.0.0/8", "10.1.2.3/8", "::/0"], ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/"]),
        ("uuid", ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B8109DAD11D180B400C04FD430C8"], ["6ba7b810", "x" * 36]),
        ("uuid4", ["f47ac10b-58cc-4372-a567-0e02b2c3d479"], ["6ba7b810-9dad-11d1-80b4-00c04fd430c8"]),
        ("duration", ["1h30m", "1.5s", "-3ms", "0", "22 ns", "2 weeks"], ["1", "h", "1 fortnight", "", "1.s.2"]),
        ("quantity", ["10Gi", "500m", "1e3"], ["10Gx", ""]),
        ("mac", ["00:00:5e:00:53:01", "0000.5e00.5301"], ["00:00:5e:00:53", "0g:00:5e:00:53:01"]),
        ("uri", ["https://a/b", "/a"], ["a b", "x y:"]),
        ("email", ["a@b"], ["a", "a@b@c"]),
        ("hostname", ["a.b", "example.com"], ["-a", "a-", "a..b", "a" * 64]),
        ("hexcolor", ["#fff", "ABCDEF"], ["#ff"]),
        ("rgbcolor", ["rgb(0,128,255)"], ["rgb(0,0,256)"]),
        ("ssn", ["111-22-3333"], ["1112"]),
        ("isbn", ["0321751043", "978-0321751041"], ["0321751044"]),
        ("creditcard", ["4111 1111 1111 1111"], ["4111 1111 1111 1112"]),
        ("k8s-short-name", ["a-b"], ["A", "a.b"]),
        ("k8s-long-name", ["a.b"], ["a_b"]),
        ("password", ["", "x"], []),
    ],
)  # fmt: skip
def test_formats(name: str, good: list[str], bad: list[str]) -> None:
    """Each format takes what has it, and refuses what has not."""
    assert formats.is_known(name)
    assert [text for text in good if not formats.has_format(name, text)] == []
    assert [text for text in bad if formats.has_format(name, text)] == []


def test_no_text_stalls_a_format_or_a_pattern() -> None:
    """Megabytes that almost match, and a pattern on which backtracking engines hang, are answered at once."""
    for text in ("1" * 10**5, "1h" * 10**4 + "x", "a-" * 10**4, "a." * 10**4, "0:" * 10**4, "a@" * 10**4, "/" * 10**5 + " "):  # fmt: skip
        for name in formats._CHECKS:
            formats.has_format(name, text)
    assert compile_pattern("^(a+)+$").search("a" * 10**5 + "!") is None


@pytest.mark.parametrize("pattern", ["(a{1,100}){1,100}", "(?=a)", r"\1", "[", "a**"])
def test_patterns_that_are_none(pattern: str) -> None:
    """What RE2 does not know, or would explode, is refused."""
    with pytest.raises(ValueError, match="error parsing regexp"):
        compile_pattern(pattern)


def test_alternatives_that_multiply_are_bounded() -> None:
    """What takes too many steps is refused, and says so."""
    field: dict[str, Any] = {"maxLength": 1}
    for _ in range(12):
        field = {"anyOf": [field, field, field, field]}
    root = Structural({"properties": {"a": field}})
    found = check_value({"a": "long"}, root, most_steps=1000)
    assert [cause.message for cause in found] == [
        'Invalid value: "": its validation takes more than 1000 steps'
    ]


ITEMS = {"type": "object", "properties": {"name": STRING, "size": INTEGER}}


@pytest.mark.parametrize(
    ("kind", "is_told"),
    [({}, True), ({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}, False), ({"x-kubernetes-list-type": "atomic"}, True)],
)  # fmt: skip
def test_an_item_that_moved_is_unchanged_in_a_map_only(kind: dict[str, Any], is_told: bool) -> None:
    """Items of a map are compared by key, those of a plain list by index, those of an atomic one not at all."""
    bad, good = {"name": "a", "size": "x"}, {"name": "b", "size": 1}
    found = told([good, bad], {"type": "array", "items": ITEMS, **kind}, old=[bad])
    assert bool(found) is is_told


def test_an_unchanged_list_is_unchanged_whatever_its_type() -> None:
    """Also one whose items nobody compares."""
    bad = [{"name": 1}]
    assert told(bad, {"type": "array", "items": ITEMS, "x-kubernetes-list-type": "set"}, old=bad) == []


def test_sets_and_maps_have_nothing_twice() -> None:
    """The second of two is named, the third is not; true is not 1."""
    root = Structural(
        {
            "properties": {
                "set": {"type": "array", "x-kubernetes-list-type": "set"},
                "map": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["a", "b"],
                    "items": {"type": "object"},
                },
            }
        }
    )
    value = {"set": [1, True, 1, 1, {"x": 1, "y": 2}, {"y": 2, "x": 1}], "map": [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "z": 0}]}  # fmt: skip
    assert [f"{cause.field}: {cause.message}" for cause in check_lists(value, root)] == [
        "set[2]: Duplicate value: 1",
        'set[5]: Duplicate value: {"y":2,"x":1}',
        'map[2]: Duplicate value: {"a":1}',
    ]

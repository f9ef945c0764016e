"""Custom resources of random schemas: reading is idempotent, and what is valid stays so when it is read again."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from apiserver.core.custom import schema_types
from apiserver.core.custom.schema_rules import check_schema
from apiserver.core.custom.serving import CustomSchema, Seams
from apiserver.core.custom.structural import MOST_NESTED, is_nested_deeper
from tests.support.examples import examples

NAMES = st.sampled_from(["a", "b", "c", "spec", "metadata"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "x", "yy"]), st.just(1.5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
LEAVES = st.one_of(
    st.builds(lambda low: {"type": "integer", "minimum": low}, st.integers(-2, 2)),
    st.builds(lambda default: {"type": "integer", "default": default}, st.integers(0, 3)),
    st.sampled_from(
        [
            {"type": "string", "maxLength": 1},
            {"type": "string", "nullable": True, "default": "d"},
            {"type": "boolean"},
            {"x-kubernetes-int-or-string": True},
            {"x-kubernetes-preserve-unknown-fields": True},
            {"type": "string", "enum": ["x"], "default": "x"},
        ]
    ),
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(NAMES, inner, max_size=4)
    return st.one_of(
        st.builds(lambda given: {"type": "object", "properties": given}, fields),
        st.builds(lambda given: {"type": "object", "properties": given, "default": {}}, fields),
        st.builds(
            lambda given: {
                "type": "object",
                "properties": given,
                "x-kubernetes-preserve-unknown-fields": True,
            },
            fields,
        ),
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(lambda item: {"type": "array", "items": item, "x-kubernetes-list-type": "atomic"}, inner),
        st.builds(lambda item: {"type": "object", "additionalProperties": item}, inner),
    )


SCHEMAS = st.builds(
    lambda given: {
        "type": "object",
        "properties": {name: inner for name, inner in given.items() if name != "metadata"},
    },
    st.dictionaries(NAMES, st.recursive(LEAVES, _objects, max_leaves=8), max_size=4),
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
SEAMS = Seams(lambda raw: raw if isinstance(raw, dict) else {})


KEYWORDS = [*schema_types._KEYWORDS, "default", "externalDocs"]
TYPES = st.sampled_from(["object", "array", "string", "integer", "a(", "set", "map"])
ANY_SCHEMA = st.recursive(
    st.one_of(TYPES, SCALARS, st.just({})),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=5),
        st.dictionaries(NAMES, inner, max_size=2),
        st.lists(inner, max_size=2),
    ),
    max_leaves=15,
)


def _read_twice(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    custom, before = CustomSchema(schema, SEAMS), msgspec.json.encode(obj)
    once, _ = custom.read(msgspec.json.decode(before))
    kept = msgspec.json.encode(once)
    twice, unknown = custom.read(msgspec.json.decode(kept))
    assert msgspec.json.encode(twice, order="sorted") == msgspec.json.encode(once, order="sorted")
    assert unknown == ()


def _store_twice(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    custom = CustomSchema(schema, SEAMS)
    stored, _ = custom.read(obj)
    found = custom.check(stored)
    again, _ = custom.read(msgspec.json.decode(msgspec.json.encode(stored)))
    assert custom.check(again) == found
    assert custom.check(again, stored) == []


def _answer(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    found = check_schema(schema, "s", has_status=False)
    if found:
        assert all(cause.field.startswith(("s", "<nil>")) for cause in found)
    else:
        custom = CustomSchema(schema, SEAMS)
        custom.check(custom.read(obj)[0])


ANY = st.dictionaries(st.sampled_from(KEYWORDS), ANY_SCHEMA, max_size=6)


@examples(100)
@given(SCHEMAS, OBJECTS)
def test_reading_is_idempotent(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    """Read once or twice, an object is the same; the second time it has no unknown fields."""
    _read_twice(schema, obj)


@examples(100)
@given(SCHEMAS, OBJECTS)
def test_what_is_valid_stays_valid(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    """An object that was stored can be stored again, and is never refused for what has not changed."""
    _store_twice(schema, obj)


@examples(100)
@given(ANY, OBJECTS)
def test_any_schema_is_answered(schema: dict[str, Any], obj: dict[str, Any]) -> None:
    """Whatever it says, it is refused with causes; and one that is taken serves objects."""
    _answer(schema, obj)


@examples(100)
@given(st.integers(1, 300), st.booleans())
def test_depth_is_found_without_recursion(depth: int, in_lists: bool) -> None:
    """A value is nested deeper than its depth never."""
    value: Any = {}
    for _ in range(depth - 1):
        value = [value] if in_lists else {"a": value}
    assert is_nested_deeper(value, MOST_NESTED) is (depth > MOST_NESTED)

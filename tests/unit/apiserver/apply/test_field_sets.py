"""Sets of fields in the form of FieldsV1: read, written, united and taken from each other."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.apply import elements
from apiserver.core.apply.field_set import (
    contains,
    difference,
    difference_below,
    intersection,
    ordered,
    paths,
    read,
    union,
)

_A = {"f:a": {}}
_A_B = {"f:a": {"f:b": {}}}
_BOTH = {"f:a": {".": {}, "f:b": {}}}


@pytest.mark.parametrize(
    ("one", "other", "united", "shared", "left"),
    [
        ({}, _A, _A, {}, {}),
        (_A, {}, _A, {}, _A),
        (_A, _A, _A, _A, {}),
        (_A, _A_B, _BOTH, {}, _A),
        (_A_B, _A, _BOTH, {}, _A_B),
        (_BOTH, _A, _BOTH, _A, _A_B),
        (_BOTH, _A_B, _BOTH, _A_B, _A),
        (_BOTH, _BOTH, _BOTH, _BOTH, {}),
        (
            {"f:a": {}, "f:b": {}},
            {"f:b": {}, "f:c": {}},
            {"f:a": {}, "f:b": {}, "f:c": {}},
            {"f:b": {}},
            {"f:a": {}},
        ),
    ],
)
def test_members_are_told_from_what_is_on_the_way_to_members(
    one: Any, other: Any, united: Any, shared: Any, left: Any
) -> None:
    """Union, intersection and difference look at each path on its own, not at what is below it."""
    assert union(one, other) == united
    assert intersection(one, other) == shared
    assert difference(one, other) == left


def test_a_difference_below_takes_what_is_under_a_member_too() -> None:
    """What a subresource resets is gone with all that is in it."""
    assert difference_below({"f:spec": {"f:a": {}, "f:b": {}}, "f:status": {"f:a": {}}}, {"f:spec": {}}) == {
        "f:status": {"f:a": {}}
    }


def test_a_difference_that_takes_nothing_is_the_same_set() -> None:
    """Entries that a write does not touch are known by that, and not written anew."""
    assert difference(_BOTH, {"f:a": {"f:c": {}}, "f:x": {}}) is _BOTH


def test_paths_come_level_by_level() -> None:
    """The members of a level come before what is below any of them."""
    fields = {"f:a": {"f:x": {}}, "f:b": {}, "f:c": {".": {}, "f:d": {}}}
    assert list(paths(fields)) == [("f:b",), ("f:c",), ("f:a", "f:x"), ("f:c", "f:d")]
    assert contains(fields, ("f:c",))
    assert not contains(fields, ("f:a",))
    assert not contains(fields, ())


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (None, {}),
        ({".": {}}, {}),
        ({"f:a": {".": {}}}, {"f:a": {}}),
        ({'k:{"b": 1, "a": "x"}': {}}, {'k:{"a":"x","b":1}': {}}),
        ({'v:"a<b"': {}}, {'v:"a\\u003cb"': {}}),
        ({"v:1.0": {}, "v:1": {"f:a": {}}}, {"v:1": {".": {}, "f:a": {}}}),
        ({"i:03": {}}, {"i:3": {}}),
        ({"f:": {}, "f:a:b": {}}, {"f:": {}, "f:a:b": {}}),
    ],
)
def test_fields_of_a_client_are_read_into_one_form(raw: Any, fields: Any) -> None:
    """Equal sets are equal values, however a client wrote them."""
    assert read(raw) == fields


@pytest.mark.parametrize(
    "raw",
    [
        [],
        "f:a",
        {"a": {}},
        {"f:a": 5},
        {"f:a": {"f:b": []}},
        {"k:[1]": {}},
        {"k:{": {}},
        {"v:": {}},
        {"i:x": {}},
        {"": {}},
        {"i:²": {}},
    ],
)
def test_what_is_no_set_of_fields_is_refused(raw: Any) -> None:
    """Bad fields are an error that names the place."""
    with pytest.raises(ValueError, match=r"path element|JSON|fields have to be"):
        read(raw)


def test_a_bomb_of_fields_is_refused() -> None:
    """Fields that are nested deeper than Python goes are an error as others are."""
    raw: Any = {}
    for _ in range(100_000):
        raw = {"f:a": raw}
    with pytest.raises(ValueError, match="too deeply"):
        read(raw)
    while raw:
        raw = raw.popitem()[1]


def test_elements_stand_in_upstreams_order() -> None:
    """Fields come before keys, keys before values, and numbers by their size."""
    texts = ['v:"b"', "v:10", "v:9", 'k:{"port":443}', 'k:{"port":80}', "i:10", "i:2", "f:b", "f:a", "."]
    fields: Any = {text: {} for text in texts}
    assert list(ordered(fields)) == [
        ".",
        "f:a",
        "f:b",
        'k:{"port":80}',
        'k:{"port":443}',
        "v:9",
        "v:10",
        'v:"b"',
        "i:2",
        "i:10",
    ]


def test_a_path_is_told_as_messages_have_it() -> None:
    """Keys are shown with their names, values with a sign of equality."""
    path = ("f:spec", 'k:{"name":"web","port":80}', "f:args", 'v:"x"', "i:3")
    assert elements.describe(path) == '.spec[name="web",port=80].args[="x"][3]'


def test_keys_of_equal_numbers_and_truths_are_different() -> None:
    """True is not 1, though Python thinks so."""
    assert elements.key(("a",), (True,)) == 'k:{"a":true}'
    assert elements.key(("a",), (1,)) == 'k:{"a":1}'
    assert elements.value(1) == "v:1"
    assert elements.value(True) == "v:true"

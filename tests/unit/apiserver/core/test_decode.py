"""JSON of clients."""

from __future__ import annotations

import json

import pytest

from apiserver.core.decode import read_any, read_json
from machinery.model.errors import BadRequest
from tests.support.stalls import using


@pytest.mark.parametrize("find_duplicates", [True, False])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\ud800", "\ufffd"),
        (r"a\udfffb\ud83d", "a\ufffdb\ufffd"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\\ud800", r"\ud800"),
        (r"\u003c\n", "<\n"),
    ],
)
def test_half_a_character_is_replaced(text: str, value: str, find_duplicates: bool):
    """As Go does it; a string with half of a surrogate pair could not be stored."""
    body = f'{{"a":"{text}"}}'.encode()
    assert read_json(body, find_duplicates=find_duplicates) == ({"a": value}, ())
    assert read_any(body) == {"a": value}


def test_repeated_keys_are_found_where_they_are():
    """With their paths; the last one counts."""
    body = b'{"a":{"b":1,"b":2},"l":[{"c":1,"c":3}]}'
    assert read_json(body) == ({"a": {"b": 2}, "l": [{"c": 3}]}, ("a.b", "l[0].c"))
    assert read_json(body, find_duplicates=False)[1] == ()


def test_a_key_that_comes_again_and_again_is_told_once():
    """In the order of their second places."""
    assert read_json(b'{"b":1,"a":1,"a":2,"b":2,"a":3}')[1] == ("a", "b")


def test_of_many_repeated_keys_a_hundred_are_told():
    """As many as Kubernetes names; their paths are cut, since keys may be as long as the body."""
    body = b",".join(b'"k%d":1,"k%d":2' % (number, number) for number in range(30_000))
    with using(less_than_s=3):
        obj, repeated = read_json(b"{%b}" % body)
    assert len(obj) == 30_000
    assert repeated == tuple(f"k{number}" for number in range(100))


def test_a_path_of_a_long_key_costs_nothing_where_nothing_is_told():
    """Each value below it has it in its path."""
    body = b'{"%b":[%b,{"y":1,"y":2}]}' % (b"k" * 1_000_000, b",".join([b'{"x":1}'] * 20_000))
    with using(less_than_s=3):
        _, repeated = read_json(body)
    assert repeated == ("k" * 1000,)


@pytest.mark.parametrize("find_duplicates", [True, False])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'{"a":NaN}', b'{"a":Infinity}', b"\xff", b'{"a":"\xff"}', b"[" * 100_000],
)
def test_what_is_no_json_object_is_refused(body: bytes, find_duplicates: bool):
    """Whatever the bytes are."""
    with pytest.raises(BadRequest):
        read_json(body, find_duplicates=find_duplicates)


def test_a_nested_body_is_read():
    """As deep as objects are."""
    assert read_any(json.dumps({"a": [[[{}]]]}).encode()) == {"a": [[[{}]]]}

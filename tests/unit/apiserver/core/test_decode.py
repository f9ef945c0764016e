"""JSON of clients."""

from __future__ import annotations

import json

import pytest

from apiserver.core.decode import read_any, read_json
from machinery.model.errors import BadRequest


@pytest.mark.parametrize("find_repeated", [True, False])
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
def test_half_a_character_is_replaced(text: str, value: str, find_repeated: bool):
    """As Go does it; a string with half of a surrogate pair could not be stored."""
    body = f'{{"a":"{text}"}}'.encode()
    assert read_json(body, "Pod", find_repeated=find_repeated) == ({"a": value}, False)
    assert read_any(body) == {"a": value}


def test_repeated_keys_are_found_where_they_are():
    """The last one counts; the object remembers all of them."""
    body = b'{"a":{"b":1,"b":2},"l":[{"c":1,"c":3}]}'
    obj, repeats = read_json(body, "Pod")
    assert (obj, repeats) == ({"a": {"b": 2}, "l": [{"c": 3}]}, True)
    assert obj["a"].pairs == (("b", 1), ("b", 2))
    assert read_json(body, "Pod", find_repeated=False) == (obj, False)
    assert read_json(b'{"a":{"b":1},"l":[{"b":1}]}', "Pod")[1] is False


@pytest.mark.parametrize(
    ("body", "repeats"),
    [
        (rb'{"a":"\"","b":"\\"}', False),
        (rb'{ "a" : "\"" , "a" : "\"" }', True),
        (rb'{"a":"\u0022","b":1}', False),
        (rb'{"a":"\u0022\u0022","b":1,"b":2}', True),  # has as many marks when it is written again
        (rb'{"a":"\\u0022","b":{"c":1,"c":1}}', True),
        (rb'{"a":"\u00e4","\u0061":1}', True),
        (b'{"a":1e400}', False),
        (b'\xef\xbb\xbf{"a":1,"a":2}', True),
        (b'{"a":null,"a":null}', True),
    ],
)
def test_repeated_keys_are_found_whatever_else_is_in_a_body(body: bytes, repeats: bool):
    """Quotation marks and escapes among it."""
    obj, found = read_json(body, "Pod")
    assert (obj, found) == (json.loads(body), repeats)


@pytest.mark.parametrize("find_repeated", [True, False])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'{"a":NaN}', b'{"a":Infinity}', b"\xff", b'{"a":"\xff"}', b"[" * 100_000],
)
def test_what_is_no_json_object_is_refused(body: bytes, find_repeated: bool):
    """Whatever the bytes are."""
    with pytest.raises(BadRequest):
        read_json(body, "Pod", find_repeated=find_repeated)


OBJECT = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
)


@pytest.mark.parametrize(
    ("body", "problem", "shown"),
    [
        (b"", "unexpected end of JSON input", "<empty>"),
        (b"{", "unexpected end of JSON input", "{"),
        (b"kind: Pod", "invalid character 'k' looking for beginning of value", "6b696e643a20506f64"),
        (b'{"kind": "Pod", "metadata": {"name": }}', "invalid character '}' looking for beginning of value",
         '{"kind": "Pod", "metadata": {" ...'),
        (b"[]", f"json: cannot unmarshal array into Go value of type {OBJECT}", "5b5d"),
        (b'{"apiVersion":1}', "json: cannot unmarshal number into Go struct field .apiVersion of type string", '{"apiVersion":1}'),
        (b'{"kind":["Pod"]}', "json: cannot unmarshal array into Go struct field .kind of type string", '{"kind":["Pod"]}'),
    ],
)  # fmt: skip
def test_a_body_without_a_type_is_unrecognized(body: bytes, problem: str, shown: str):
    """In Kubernetes' words, with what it begins with: as it is where it looks like an object, else as hexadecimal digits."""
    with pytest.raises(BadRequest) as refused:
        read_json(body, "Pod")
    begun = "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: "
    assert refused.value.message == f"{begun}{problem} ({shown})"


def test_a_nested_body_is_read():
    """As deep as objects are."""
    assert read_any(json.dumps({"a": [[[{}]]]}).encode()) == {"a": [[[{}]]]}

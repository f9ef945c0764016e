"""What is no JSON is told in the words of Go's encoding/json."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machinery.model.go_json import mismatch, syntax_error
from tests.support.examples import examples

END = "unexpected end of JSON input"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", END),
        (b"  ", END),
        (b"{", END),
        (b'{"a"', END),
        (b'{"a":1', END),
        (b'"abc', END),
        (b'"ab\\', END),
        (b'"ab\\u00', END),
        (b"-", END),
        (b"tru", END),
        (b"1.", END),
        (b"1e", END),
        (b"abc", "invalid character 'a' looking for beginning of value"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"{1:2}", "invalid character '1' looking for beginning of object key string"),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[1}", "invalid character '}' after array element"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b"01", "invalid character '1' after top-level value"),
        (b"1.2.3", "invalid character '.' after top-level value"),
        (b'"a\nb"', "invalid character '\\n' in string literal"),
        (b'"\\x"', "invalid character 'x' in string escape code"),
        (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
        (b"-a", "invalid character 'a' in numeric literal"),
        (b"1.a", "invalid character 'a' after decimal point in numeric literal"),
        (b"1e+a", "invalid character 'a' in exponent of numeric literal"),
        (b"trve", "invalid character 'v' in literal true (expecting 'u')"),
        (b"nil", "invalid character 'i' in literal null (expecting 'u')"),
        (b"'a'", "invalid character '\\'' looking for beginning of value"),
        (b"\x00", "invalid character '\\x00' looking for beginning of value"),
        ("é".encode(), "invalid character 'Ã' looking for beginning of value"),
        (b"\x80", "invalid character '\\u0080' looking for beginning of value"),
        (b"[" * 10_001, "exceeded max depth"),
        (b' {"a": [1, -0.5e+3, true, null, "\\u00e9\\n"], "b": {}} ', ""),
    ],
)
def test_a_fault_is_named_with_its_place(text: bytes, problem: str) -> None:
    """Which character, and what was being read."""
    assert syntax_error(text) == problem


@examples(40)
@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8),
       st.integers(min_value=1, max_value=20))  # fmt: skip
def test_what_is_json_is_not_faulty_and_half_of_it_is(value: object, cut: int) -> None:
    """Whatever is written by another writer; a container that was cut off ends too soon."""
    text = json.dumps(value).encode()
    assert syntax_error(text) == ""
    if text[:1] in b"{[" and cut < len(text):
        assert syntax_error(text[:-cut]) == END


def test_a_value_of_another_type_is_named() -> None:
    """As Go names the types of JSON."""
    told = [mismatch(value, "T").split()[3] for value in ([], {}, "", 1, 1.5, True)]
    assert told == ["array", "object", "string", "number", "number", "bool"]

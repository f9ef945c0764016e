"""What Go's encoding/json says of a text that is no JSON: kube-apiserver hands it on to its callers.

Only looked for where something else has refused the text. https://pkg.go.dev/encoding/json
"""

from __future__ import annotations

import re
from typing import Final

_DEEPEST: Final = 10_000
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')  # without its end
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_HEX: Final = re.compile(rb"[0-9a-fA-F]{0,4}")
_LITERALS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}
_VALUE, _KEY = "looking for beginning of value", "looking for beginning of object key string"
_AFTER_KEY, _AFTER_PAIR = "after object key", "after object key:value pair"
_AFTER_ITEM, _AFTER_ALL = "after array element", "after top-level value"
_GO_TYPES: Final = {
    bool: "bool",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class _Wrong(Exception):  # noqa: N818 - it carries what is wrong to the one function that asks
    """The text is no JSON."""


def syntax_error(text: bytes) -> str:
    """Return what is wrong with a text as JSON; "" where it is some."""
    try:
        _scan(text)
    except _Wrong as wrong:
        return str(wrong)
    return ""


def mismatch(value: object, go_type: str) -> str:
    """Return what Go says of a JSON value that does not fit a type."""
    found = next((name for type_, name in _GO_TYPES.items() if isinstance(value, type_)), "null")
    return f"json: cannot unmarshal {found} into Go value of type {go_type}"


def _scan(text: bytes) -> None:
    """Go through the text, token by token: no value is made."""
    closing: list[bytes] = []
    wanted, may_close, at = _VALUE, False, 0
    while True:
        at = _space(text, at)
        sign = text[at : at + 1]
        if not sign and wanted == _AFTER_ALL:
            return
        if not sign:
            raise _Wrong("unexpected end of JSON input")
        if may_close and sign == closing[-1]:
            closing.pop()
            at += 1
            wanted, may_close = _after_value(closing)
            continue
        may_close = False
        if wanted == _VALUE:
            wanted, may_close, at = _begin(text, at, sign, closing)
        elif wanted == _KEY and sign == b'"':
            wanted, at = _AFTER_KEY, _string(text, at)
        elif wanted == _AFTER_KEY and sign == b":":
            wanted, at = _VALUE, at + 1
        elif sign == b"," and wanted in {_AFTER_PAIR, _AFTER_ITEM}:
            wanted, at = _KEY if wanted == _AFTER_PAIR else _VALUE, at + 1
        else:
            raise _unexpected(text, at, wanted)


def _begin(text: bytes, at: int, sign: bytes, closing: list[bytes]) -> tuple[str, bool, int]:
    """Read a scalar, or the sign that opens a container."""
    if sign not in {b"{", b"["}:
        at = _scalar(text, at, sign)
        return (*_after_value(closing), at)
    closing.append(b"}" if sign == b"{" else b"]")
    if len(closing) > _DEEPEST:
        raise _Wrong("exceeded max depth")
    return (_KEY if sign == b"{" else _VALUE), True, at + 1


def _after_value(closing: list[bytes]) -> tuple[str, bool]:
    if not closing:
        return _AFTER_ALL, False
    return _AFTER_PAIR if closing[-1] == b"}" else _AFTER_ITEM, True


def _space(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _scalar(text: bytes, at: int, sign: bytes) -> int:
    if sign == b'"':
        return _string(text, at)
    if word := _LITERALS.get(sign):
        return _literal(text, at, word)
    if sign == b"-" or sign.isdigit():
        return _number(text, at)
    raise _unexpected(text, at, _VALUE)


def _string(text: bytes, at: int) -> int:
    found = _STRING.match(text, at)
    end = found.end() if found else at
    if text[end : end + 1] == b'"':
        return end + 1
    if text[end : end + 1] != b"\\":
        raise _unexpected(text, end, "in string literal")
    if text[end + 1 : end + 2] != b"u":
        raise _unexpected(text, end + 1, "in string escape code")
    digits = _HEX.match(text, end + 2)
    raise _unexpected(text, digits.end() if digits else end + 2, "in \\u hexadecimal character escape")


def _literal(text: bytes, at: int, word: bytes) -> int:
    for offset in range(1, len(word)):
        if text[at + offset : at + offset + 1] != word[offset : offset + 1]:
            place = f"in literal {word.decode()} (expecting '{chr(word[offset])}')"
            raise _unexpected(text, at + offset, place)
    return at + len(word)


def _number(text: bytes, at: int) -> int:
    found = _NUMBER.match(text, at)
    if found is None:
        raise _unexpected(text, at + 1, "in numeric literal")
    end, follows = found.end(), text[found.end() : found.end() + 1]
    has_exponent = b"e" in found[0].lower()
    if follows == b"." and b"." not in found[0] and not has_exponent:
        raise _unexpected(text, end + 1, "after decimal point in numeric literal")
    if follows in {b"e", b"E"} and not has_exponent:
        signed = text[end + 1 : end + 2] in {b"+", b"-"}
        raise _unexpected(text, end + 1 + signed, "in exponent of numeric literal")
    return end


def _unexpected(text: bytes, at: int, place: str) -> _Wrong:
    if at >= len(text):
        return _Wrong("unexpected end of JSON input")
    return _Wrong(f"invalid character {_quoted(text[at])} {place}")


def _quoted(code: int) -> str:
    """Write a byte as Go quotes the letter of this number."""
    letter = chr(code)
    named = {"'": "\\'", '"': '"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f"}
    named |= {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    if letter in named:
        return f"'{named[letter]}'"
    if letter.isprintable():
        return f"'{letter}'"
    return f"'\\x{code:02x}'" if code < 0x80 else f"'\\u{code:04x}'"

r"""Label and field selectors as they stand in a query, read.

    label selector   a=b,c==d,e!=f,g in (h,i),j notin (k),l,!m,n>5
    field selector   a=b,c!=d, with `\\,`, `\\=` and `\\\\` for themselves in values

What cannot be read raises ValueError in the words of Kubernetes' own parsers, by which clients know what they typed.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from machinery.model.names import label_key_errors
from machinery.model.selectors import (
    EXISTS,
    GREATER,
    IN,
    LESS,
    NOT_EXISTS,
    NOT_IN,
    FieldMatcher,
    LabelMatcher,
    Requirement,
    checked,
    quoted,
)

_TOKEN: Final = re.compile(r"[ \t\r\n]*(==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+)")
_SIGNS: Final = frozenset({"=", "==", "!=", "!", "<", ">", "(", ")", ","})
_OPERATORS: Final = {"in": IN, "notin": NOT_IN, "=": IN, "==": IN, "!=": NOT_IN, ">": GREATER, "<": LESS}
_EXPECTED: Final = "in, notin, =, ==, !=, gt, lt"
_END: Final = ""
_FIELD_OPERATOR: Final = re.compile("!=|==|=")


def parse_labels(text: str) -> LabelMatcher:
    """Read a label selector.

    Raises:
        ValueError: it is none.
    """
    tokens = _Tokens(text)
    requirements = []
    while (lexeme := tokens.ahead) != _END:
        if not (_is_word(lexeme) or lexeme == "!"):
            raise ValueError(f"found '{lexeme}', expected: !, identifier, or 'end of string'")
        try:
            requirements.append(_requirement(tokens))
        except ValueError as error:
            raise ValueError(f"unable to parse requirement: {error}") from error
        _check_following(tokens)
    return LabelMatcher(tuple(sorted(requirements, key=_key)))


def parse_fields(text: str) -> FieldMatcher:
    """Read a field selector; its conditions are in the order of their texts.

    Raises:
        ValueError: it is none.
    """
    terms = sorted(term for term in _field_terms(text) if term)
    return FieldMatcher(tuple(_field_term(term, text) for term in terms))


class _Tokens:
    """The tokens of a text, one after the other; the end is the empty text, as often as it is asked for."""

    def __init__(self, text: str) -> None:
        self._rest: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self.ahead = self._next()

    def _next(self) -> str:
        found = next(self._rest, None)
        return found[1] if found else _END

    def take(self) -> str:
        lexeme, self.ahead = self.ahead, self._next()
        return lexeme


def _key(requirement: Requirement) -> str:
    return requirement.key


def _is_word(lexeme: str) -> bool:
    return lexeme != _END and lexeme not in _SIGNS


def _requirement(tokens: _Tokens) -> Requirement:
    key = tokens.take()
    is_negated = key == "!"
    if is_negated:
        key = tokens.take()
    if not _is_word(key):
        raise ValueError(f"found '{key}', expected: identifier")
    if errors := label_key_errors(key):
        raise ValueError(f"<nil>: Invalid value: {quoted(key)}: {'; '.join(errors)}")
    if is_negated or tokens.ahead in {_END, ","}:
        return Requirement(key, NOT_EXISTS if is_negated else EXISTS)
    sign = tokens.take()
    if sign not in _OPERATORS:
        raise ValueError(f"found '{sign}', expected: {_EXPECTED}")
    values = _values(tokens) if sign in {"in", "notin"} else (_exact_value(tokens),)
    return checked(Requirement(key, _OPERATORS[sign], values))


def _check_following(tokens: _Tokens) -> None:
    """Check that a requirement is followed by the end, or by a comma and another one."""
    if tokens.ahead == _END:
        return
    if (lexeme := tokens.take()) != ",":
        raise ValueError(f"found '{lexeme}', expected: ',' or 'end of string'")
    if not (_is_word(tokens.ahead) or tokens.ahead == "!"):
        raise ValueError(f"found '{tokens.ahead}', expected: identifier after ','")


def _exact_value(tokens: _Tokens) -> str:
    if tokens.ahead in {_END, ","}:
        return ""
    lexeme = tokens.take()
    if not _is_word(lexeme):
        raise ValueError(f"found '{lexeme}', expected: identifier")
    return lexeme


def _values(tokens: _Tokens) -> tuple[str, ...]:
    """Read values between parentheses, each once and in order; nothing between two commas is the empty value."""
    if (lexeme := tokens.take()) != "(":
        raise ValueError(f"found '{lexeme}' expected: '('")
    if tokens.ahead == ")":
        tokens.take()
        return ("",)
    if not (_is_word(tokens.ahead) or tokens.ahead == ","):
        raise ValueError(f"found '{tokens.ahead}', expected: ',', ')' or identifier")
    found = set(_listed(tokens))
    tokens.take()
    return tuple(sorted(found))


def _listed(tokens: _Tokens) -> Iterator[str]:
    """Yield the values up to the parenthesis that closes their list."""
    is_first = True
    while tokens.ahead != ")":
        lexeme = tokens.take()
        if lexeme == ",":
            if is_first or tokens.ahead in {",", ")"}:
                yield ""
        elif not _is_word(lexeme):
            raise ValueError(f"found '{lexeme}', expected: ',', or identifier")
        elif tokens.ahead not in {",", ")"}:
            raise ValueError(f"found '{tokens.ahead}', expected: ',' or ')'")
        else:
            yield lexeme
        is_first = False


class _FieldTerm(NamedTuple):
    name: str
    is_wanted: bool
    value: str


def _field_terms(text: str) -> list[str]:
    """Part a text at the commas that no backslash escapes."""
    return list(_parted(text)) if "\\" in text else text.split(",")


def _parted(text: str) -> Iterator[str]:
    begin = index = 0
    while index < len(text):
        if text[index] == ",":
            yield text[begin:index]
            begin = index + 1
        index += 2 if text[index] == "\\" else 1
    yield text[begin:]


def _field_term(term: str, text: str) -> _FieldTerm:
    found = _FIELD_OPERATOR.search(term)
    if found is None:
        raise ValueError(f"invalid selector: '{text}'; can't understand '{term}'")
    return _FieldTerm(term[: found.start()], found[0] != "!=", _unescaped(term[found.end() :]))


def _unescaped(value: str) -> str:
    signs = iter(value)
    found = []
    for sign in signs:
        if sign == "\\":
            escaped = next(signs, "")
            if escaped not in {"\\", ",", "="}:
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{escaped}")
            found.append(escaped)
        elif sign in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(sign)}")
        else:
            found.append(sign)
    return "".join(found)

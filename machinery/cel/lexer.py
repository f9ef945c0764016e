"""Tokens of an expression (cel-spec, "Syntax").

One pattern reads them all; it has no nested repetition, so that it takes linear time on anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from machinery.cel.errors import CompileError, Fault

LONGEST: Final = 100_000  # characters of an expression

_STRING: Final = r"""(?:
    [rR]\"\"\"(?s:.)*?\"\"\" | [rR]'''(?s:.)*?''' | [rR]"[^"\r\n]*" | [rR]'[^'\r\n]*'
  | \"\"\"(?:[^\\"]|\\(?s:.)|"(?!""))*\"\"\" | '''(?:[^\\']|\\(?s:.)|'(?!''))*'''
  | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*'
)"""
_TOKEN: Final = re.compile(
    rf"""
    (?P<skip>[ \t\r\n\f]+|//[^\n]*)
  | (?P<bytes>[bB]{_STRING}|[rR][bB](?:"[^"\r\n]*"|'[^'\r\n]*'))
  | (?P<string>{_STRING})
  | (?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])
  | (?P<int>0x[0-9a-fA-F]+|\d+)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{{}}])
    """,
    re.VERBOSE | re.ASCII,
)
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"`?])|x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2}))"
)
_SIMPLE: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A token: what it is ("name", "int", "operator"…; "end" at the end), its text and its place."""

    kind: str
    text: str
    offset: int


def tokens_of(expression: str) -> list[Token]:
    """Return an expression's tokens, with one of kind "end" after the last.

    Raises:
        CompileError: there is something that is no token.
    """
    if len(expression) > LONGEST:
        size = f"expression code point size exceeds limit: size: {len(expression)}, limit {LONGEST}"
        raise CompileError("", [Fault(0, size)])
    found, at = [], 0
    while at < len(expression):
        token = _TOKEN.match(expression, at)
        if token is None:
            raise CompileError(expression, [Fault(at, _unknown(expression, at))])
        if token.lastgroup != "skip":
            found.append(Token(token.lastgroup or "", token[0], at))
        at = token.end()
    return [*found, Token("end", "<EOF>", len(expression))]


def _unknown(expression: str, at: int) -> str:
    shown = expression[at:] if expression[at] in "\"'" else expression[at]
    return f"Syntax error: token recognition error at: '{shown.splitlines()[0] if shown.strip() else shown}'"


def read_string(text: str) -> str:
    """Return what a string's token stands for.

    Raises:
        ValueError: there is an escape that is none.
    """
    raw = text[0] in "rR"
    inner = _unquote(text[1:] if raw else text)
    return inner if raw or "\\" not in inner else _unescape(inner)


def read_bytes(text: str) -> bytes:
    """Return what a token of bytes stands for.

    Raises:
        ValueError: there is an escape that is none.
    """
    text = text.lstrip("bB")
    raw = text[0] in "rR"
    inner = _unquote(text.lstrip("rRbB") if raw else text)
    if raw or "\\" not in inner:
        return inner.encode()
    return _unescape_bytes(inner)


def _unquote(text: str) -> str:
    width = 3 if text[:3] in {'"""', "'''"} and len(text) >= 6 else 1
    return text[width:-width]


def _unescape(inner: str) -> str:
    parts, at = [], 0
    while (mark := inner.find("\\", at)) >= 0:
        parts.append(inner[at:mark])
        escape = _ESCAPE.match(inner, mark)
        if escape is None:
            raise ValueError("unable to unescape string")
        parts.append(_character(escape))
        at = escape.end()
    return "".join((*parts, inner[at:]))


def _unescape_bytes(inner: str) -> bytes:
    """Return bytes; an escape is one byte there, and other characters are their UTF-8."""
    parts, at = bytearray(), 0
    while (mark := inner.find("\\", at)) >= 0:
        parts += inner[at:mark].encode()
        escape = _ESCAPE.match(inner, mark)
        if escape is None or escape[4] or escape[5]:
            raise ValueError("unable to unescape string")
        parts.append(ord(_character(escape)))
        at = escape.end()
    return bytes(parts + inner[at:].encode())


def _character(escape: re.Match[str]) -> str:
    simple, small_hex, large_hex, short, long, octal = escape.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    code = int(octal, 8) if octal else int(small_hex or large_hex or short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError("unable to unescape string")
    return chr(code)

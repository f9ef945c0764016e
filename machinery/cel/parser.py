"""Expressions from their tokens: a Pratt parser with a bound on how deep parts may be nested.

cel-spec's grammar; the words of its faults are those that cel-go's users know. Macros are told apart in
`machinery.cel.macros` as their calls are read.
"""

from __future__ import annotations

from typing import Final

from machinery.cel import macros
from machinery.cel.errors import CompileError, Fault
from machinery.cel.lexer import Token, read_bytes, read_string, tokens_of
from machinery.cel.syntax import (
    Call,
    Conditional,
    Entry,
    Expression,
    Identifier,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Message,
    Select,
)
from machinery.cel.values import INT_MAX, INT_MIN, UINT_MAX, UInt

DEEPEST: Final = 250  # parts within parts, as in cel-go

RESERVED: Final = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "null",
        "return",
        "true",
        "var",
        "void",
        "while",
    ],
)
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_LEVELS: Final = {
    "||": 1,
    "&&": 2,
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
}
_EXPECTED: Final = "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"


def parse(expression: str, *, has_bindings: bool = False) -> Expression:
    """Return an expression's parts; `has_bindings` says whether `cel.bind` is a macro.

    Raises:
        CompileError: it is none.
    """
    parser = _Parser(expression, has_bindings=has_bindings)
    try:
        return parser.whole()
    except RecursionError:  # a caller who is deep himself leaves less than DEEPEST
        raise CompileError(expression, [parser.too_deep()]) from None


class _Parser:
    def __init__(self, text: str, *, has_bindings: bool) -> None:
        self._text = text
        self._has_bindings = has_bindings
        self._tokens = tokens_of(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> Expression:
        found = self._expression()
        if self._peek.kind != "end":
            raise self._fault(self._peek, self._unexpected(self._peek, "<EOF>"))
        return found

    def too_deep(self) -> Fault:
        """Return the fault of an expression with too many parts within parts."""
        return Fault(0, f"expression recursion limit exceeded: {DEEPEST}")

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _is(self, *texts: str) -> bool:
        token = self._peek
        return token.text in texts and token.kind in {"operator", "name"}

    def _skip(self, text: str) -> bool:
        if self._is(text):
            self._next += 1
            return True
        return False

    def _expect(self, text: str) -> Token:
        if self._is(text):
            return self._take()
        raise self._fault(self._peek, self._unexpected(self._peek, f"'{text}'"))

    def _fault(self, token: Token, message: str) -> CompileError:
        return CompileError(self._text, [Fault(token.offset, message)])

    @staticmethod
    def _unexpected(token: Token, wanted: str) -> str:
        word = "extraneous" if wanted == "<EOF>" and token.kind != "operator" else "mismatched"
        return f"Syntax error: {word} input '{token.text}' expecting {wanted}"

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise CompileError(self._text, [self.too_deep()])
        found = self._operation(1)
        if self._is("?"):
            place = self._take()
            then = self._operation(1)
            self._expect(":")
            otherwise = self._expression()
            found = Conditional(offset=place.offset, condition=found, then=then, otherwise=otherwise)
        self._depth -= 1
        return found

    def _operation(self, lowest: int) -> Expression:
        """Read operands and the operators between them that bind at least so tightly."""
        left, length = self._unary(), 0
        while self._is(*_LEVELS) and (level := _LEVELS[self._peek.text]) >= lowest:
            place = self._take()
            right = self._operation(level + 1)
            if place.text in {"&&", "||"}:
                left = _join(place, left, right)
                continue
            length += 1
            if self._depth + length > DEEPEST:
                raise CompileError(self._text, [self.too_deep()])
            name = "@in" if place.text == "in" else f"_{place.text}_"
            left = Call(offset=place.offset, function=name, arguments=[left, right])
        return left

    def _unary(self) -> Expression:
        if not self._is("!", "-"):
            return self._member(self._primary())
        first = self._take()
        times = 1
        while self._skip(first.text):
            times += 1
        if first.text == "-" and times == 1 and self._peek.kind in {"int", "double"}:
            return self._member(self._number(self._take(), first))
        operand = self._unary() if self._is("!", "-") else self._member(self._primary())
        if times % 2 == 0:
            return operand
        return Call(offset=first.offset, function=f"{first.text}_", arguments=[operand])

    def _member(self, found: Expression) -> Expression:
        length = 0
        while self._is(".", "[", "{"):
            length += 1
            if self._depth + length > DEEPEST:
                raise CompileError(self._text, [self.too_deep()])
            place = self._take()
            if place.text == ".":
                found = self._selection(found, place)
            elif place.text == "[":
                found = self._index(found, place)
            else:
                found = self._message(found, place)
        return found

    def _selection(self, operand: Expression, place: Token) -> Expression:
        optional = self._skip("?")
        name = self._take()
        if name.kind != "name" or name.text in {"in", *_CONSTANTS}:
            wanted = "IDENTIFIER"
            raise self._fault(
                name,
                f"Syntax error: no viable alternative at input '.{name.text}'"
                if name.kind != "end"
                else self._unexpected(name, wanted),
            )
        if not self._is("(") or optional:
            return Select(offset=place.offset, operand=operand, field=name.text, optional=optional)
        opening = self._take()
        arguments = self._arguments(")")
        if self._has_bindings and (bound := macros.expand_bind(self._text, operand, name.text, arguments)):
            return bound
        expanded = macros.expand_method(self._text, operand, name.text, arguments, opening.offset)
        if expanded is not None:
            return expanded
        return Call(offset=opening.offset, function=name.text, arguments=[operand, *arguments], member=True)

    def _index(self, operand: Expression, place: Token) -> Expression:
        name = "_[?_]" if self._skip("?") else "_[_]"
        index = self._expression()
        self._expect("]")
        return Call(offset=place.offset, function=name, arguments=[operand, index])

    def _message(self, name: Expression, place: Token) -> Expression:
        path = dotted(name)
        if path is None:
            raise self._fault(place, self._unexpected(place, "<EOF>"))
        entries: list[Entry] = []
        while not self._is("}"):
            optional = self._skip("?")
            field = self._take()
            if field.kind != "name":
                raise self._fault(field, self._unexpected(field, "IDENTIFIER"))
            key = Literal(offset=field.offset, value=field.text)
            entries.append(self._entry(key, optional=optional))
            if not self._skip(","):
                break
        self._expect("}")
        return Message(offset=place.offset, name=path, entries=entries)

    def _entry(self, key: Expression, *, optional: bool) -> Entry:
        place = self._expect(":")
        return Entry(offset=place.offset, key=key, value=self._expression(), optional=optional)

    def _arguments(self, closing: str) -> list[Expression]:
        found: list[Expression] = []
        while not self._is(closing):
            found.append(self._expression())
            if not self._skip(","):
                break
        self._expect(closing)
        return found

    def _primary(self) -> Expression:
        token = self._take()
        match token.kind:
            case "name":
                return self._name(token)
            case "int" | "uint" | "double":
                return self._number(token, None)
            case "string" | "bytes":
                return self._text_literal(token)
            case "operator":
                return self._bracketed(token)
        raise self._fault(token, f"Syntax error: mismatched input '{token.text}' {_EXPECTED}")

    def _bracketed(self, token: Token) -> Expression:
        match token.text:
            case "(":
                found = self._expression()
                self._expect(")")
                return found
            case "[":
                return self._list(token)
            case "{":
                return self._map(token)
            case "." if self._peek.kind == "name":
                return self._name(self._take())
        raise self._fault(token, f"Syntax error: mismatched input '{token.text}' {_EXPECTED}")

    def _name(self, token: Token) -> Expression:
        if token.text in _CONSTANTS:
            return Literal(offset=token.offset, value=_CONSTANTS[token.text])
        if token.text == "in":
            raise self._fault(token, f"Syntax error: mismatched input 'in' {_EXPECTED}")
        if token.text in RESERVED:
            raise self._fault(token, f"reserved identifier: {token.text}")
        if not self._is("("):
            return Identifier(offset=token.offset, name=token.text)
        opening = self._take()
        arguments = self._arguments(")")
        expanded = macros.expand_function(self._text, token.text, arguments, opening.offset)
        if expanded is not None:
            return expanded
        return Call(offset=opening.offset, function=token.text, arguments=arguments)

    def _number(self, token: Token, minus: Token | None) -> Literal:
        sign, place = (-1, minus) if minus else (1, token)
        if token.kind == "double":
            return Literal(offset=place.offset, value=sign * float(token.text))
        digits = token.text.rstrip("uU")
        number = sign * (int(digits, 16) if digits.startswith("0x") else int(digits[:40]))
        if token.kind == "uint":
            if number > UINT_MAX:
                raise self._fault(token, "invalid uint literal")
            return Literal(offset=place.offset, value=UInt(number))
        if not INT_MIN <= number <= INT_MAX:
            raise self._fault(token, "invalid int literal")
        return Literal(offset=place.offset, value=number)

    def _text_literal(self, token: Token) -> Literal:
        try:
            value = read_string(token.text) if token.kind == "string" else read_bytes(token.text)
        except ValueError:
            raise self._fault(token, "invalid string literal: unable to unescape string") from None
        return Literal(offset=token.offset, value=value)

    def _list(self, place: Token) -> ListOf:
        elements: list[Expression] = []
        optional: set[int] = set()
        while not self._is("]"):
            if self._skip("?"):
                optional.add(len(elements))
            elements.append(self._expression())
            if not self._skip(","):
                break
        self._expect("]")
        return ListOf(offset=place.offset, elements=elements, optional=frozenset(optional))

    def _map(self, place: Token) -> MapOf:
        entries: list[Entry] = []
        while not self._is("}"):
            optional = self._skip("?")
            entries.append(self._entry(self._expression(), optional=optional))
            if not self._skip(","):
                break
        self._expect("}")
        return MapOf(offset=place.offset, entries=entries)


def _join(place: Token, left: Expression, right: Expression) -> Logic:
    """Return a chain with one more operand."""
    conjunction = place.text == "&&"
    if isinstance(left, Logic) and left.conjunction is conjunction:
        left.operands.append(right)
        return left
    return Logic(offset=place.offset, conjunction=conjunction, operands=[left, right])


def dotted(expression: Expression) -> str | None:
    """Return the path that plain selections spell ("a.b.c"); None if it is none."""
    names: list[str] = []
    while isinstance(expression, Select) and not expression.optional:
        names.append(expression.field)
        expression = expression.operand
    if not isinstance(expression, Identifier):
        return None
    return ".".join((expression.name, *reversed(names)))

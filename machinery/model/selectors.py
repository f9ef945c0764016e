"""Label and field selectors.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.names import label_key_errors, label_value_errors

IN: Final = "in"
NOT_IN: Final = "notin"
EXISTS: Final = "exists"
NOT_EXISTS: Final = "!"
GREATER: Final = ">"
LESS: Final = "<"
_FROM_API: Final = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": NOT_EXISTS}

_TOKEN: Final = re.compile(r"\s*(==|!=|=|!|<|>|\(|\)|,|[^\s=!<>(),]+)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil it; NotIn is also fulfilled where the label is absent."""
        value = labels.get(self.key)
        if self.operator == IN:
            return value in self.values if value is not None else False
        if self.operator == NOT_IN:
            return value is None or value not in self.values
        if self.operator == EXISTS:
            return value is not None
        if self.operator == NOT_EXISTS:
            return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        try:
            have, bound = int(value), int(self.values[0])
        except ValueError:
            return False
        return have > bound if self.operator == GREATER else have < bound

    def __str__(self) -> str:
        if self.operator == EXISTS:
            return self.key
        if self.operator == NOT_EXISTS:
            return f"!{self.key}"
        if self.operator in {GREATER, LESS}:
            return f"{self.key}{self.operator}{self.values[0]}"
        if len(self.values) == 1:
            return f"{self.key}{'=' if self.operator == IN else '!='}{self.values[0]}"
        return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """Conditions that all have to hold; none at all match everything, unless `nothing`."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return not self.nothing and all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class FieldMatcher:
    """Conditions (field, wanted or not, value) that all have to hold."""

    requirements: tuple[tuple[str, bool, str], ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The fields that the matcher looks at, for the one who knows which of them a kind has."""
        return frozenset(key for key, _, _ in self.requirements)

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields is selected; an absent field is the empty text."""
        return all((fields.get(key, "") == value) is wanted for key, wanted, value in self.requirements)


EVERYTHING: Final = LabelMatcher()
NOTHING: Final = LabelMatcher(nothing=True)


def equal_to(labels: Mapping[str, str]) -> LabelMatcher:
    """Return what matches whoever has all of these labels; no check is made of them."""
    return LabelMatcher(tuple(Requirement(key, IN, (value,)) for key, value in sorted(labels.items())))


def from_selector(selector: LabelSelector | None) -> LabelMatcher:
    """Read a metav1.LabelSelector: None matches nothing, an empty one everything.

    Raises:
        ValueError: an operator, key or value is none; the text names it.
    """
    if selector is None:
        return NOTHING
    equal = [_checked(Requirement(key, IN, (value,))) for key, value in sorted(selector.matchLabels.items())]
    others = []
    for item in selector.matchExpressions:
        if item.operator not in _FROM_API:
            raise ValueError(f"{item.operator!r} is not a valid label selector operator")
        others.append(_checked(Requirement(item.key, _FROM_API[item.operator], tuple(item.values))))
    return LabelMatcher((*equal, *others))


def parse_labels(text: str) -> LabelMatcher:
    """Read a selector as it stands in a query: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>5`.

    Raises:
        ValueError: the text names the part that does not fit.
    """
    tokens = _tokens(text)
    requirements = []
    while tokens:
        requirements.append(_requirement(tokens, text))
        if tokens and (sign := tokens.popleft()) != ",":
            raise ValueError(f"unable to parse requirement: found {sign!r}, expected: ',' or end of {text!r}")
        if not tokens and text.rstrip().endswith(","):
            raise ValueError(f"unable to parse requirement: {text!r} ends with ','")
    return LabelMatcher(tuple(requirements))


def parse_fields(text: str) -> FieldMatcher:
    r"""Read a field selector: `a=b,c!=d`; `\,`, `\=` and `\\` stand for themselves in values.

    Raises:
        ValueError: the text names the part that does not fit.
    """
    terms = re.findall(r"(?:\\.|[^,\\])+", text, re.DOTALL)  # split at the commas that no backslash escapes
    if "".join(terms).count("\\") != text.count("\\"):
        raise ValueError(f"invalid field selector: {text!r} ends with a backslash")
    return FieldMatcher(tuple(_field_term(term, text) for term in terms))


def _tokens(text: str) -> deque[str]:
    tokens: deque[str] = deque()
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if not found:
            raise ValueError(f"unable to parse requirement: unexpected {text[position : position + 100]!r}")
        tokens.append(found[1])
        position = found.end()
    return tokens


_SIGNS: Final = frozenset({"=", "==", "!=", "!", "<", ">", "(", ")", ","})


def _requirement(tokens: deque[str], text: str) -> Requirement:
    if tokens[0] == "!":
        tokens.popleft()
        return _checked(Requirement(_word(tokens, text, "a key after '!'"), NOT_EXISTS))
    key = _word(tokens, text, "a key")
    operator = tokens[0] if tokens else ","
    if operator == ",":
        return _checked(Requirement(key, EXISTS))
    tokens.popleft()
    if operator in {IN, NOT_IN}:
        return _checked(Requirement(key, operator, _values(tokens, text)))
    if operator in {GREATER, LESS}:
        return _checked(Requirement(key, operator, (_word(tokens, text, "a number"),)))
    if operator in {"=", "==", "!="}:
        value = tokens.popleft() if tokens and tokens[0] not in _SIGNS else ""
        return _checked(Requirement(key, NOT_IN if operator == "!=" else IN, (value,)))
    raise ValueError(
        f"unable to parse requirement: found {operator!r}, expected: in, notin, =, ==, !=, > or <"
    )


def _word(tokens: deque[str], text: str, what: str) -> str:
    if not tokens or tokens[0] in _SIGNS:
        found = repr(tokens[0]) if tokens else "the end"
        raise ValueError(f"unable to parse requirement: found {found}, expected: {what} in {text!r}")
    return tokens.popleft()


def _values(tokens: deque[str], text: str) -> tuple[str, ...]:
    if not tokens or tokens.popleft() != "(":
        raise ValueError(f"unable to parse requirement: expected '(' after in or notin in {text!r}")
    values: list[str] = []
    wanting = True  # a value, or the empty one between two commas
    while tokens and tokens[0] != ")":
        word = tokens.popleft()
        if word == ",":
            if wanting:
                values.append("")
            wanting = True
        elif word in _SIGNS or not wanting:
            raise ValueError(f"unable to parse requirement: found {word!r}, expected: ',' or ')' in {text!r}")
        else:
            values.append(word)
            wanting = False
    if not tokens:
        raise ValueError(f"unable to parse requirement: no ')' in {text!r}")
    tokens.popleft()
    return tuple([*values, ""] if wanting else values)


def _checked(requirement: Requirement) -> Requirement:
    if errors := label_key_errors(requirement.key):
        raise ValueError(f"key: Invalid value: {requirement.key!r}: {'; '.join(errors)}")
    _check_count(requirement)
    for value in requirement.values:
        if errors := label_value_errors(value):
            raise ValueError(f"values[{requirement.key}]: Invalid value: {value!r}: {'; '.join(errors)}")
    return requirement


def _check_count(requirement: Requirement) -> None:
    key, count = requirement.key, len(requirement.values)
    if requirement.operator in {IN, NOT_IN} and not count:
        raise ValueError(f"values[{key}]: for 'in', 'notin' operators, values set can't be empty")
    if requirement.operator in {EXISTS, NOT_EXISTS} and count:
        raise ValueError(f"values[{key}]: values set must be empty for exists and does not exist")
    if requirement.operator in {GREATER, LESS} and not re.fullmatch(r"-?\d+", requirement.values[0]):
        raise ValueError(f"values[{key}]: for 'Gt', 'Lt' operators, the value must be an integer")


def _field_term(term: str, text: str) -> tuple[str, bool, str]:
    found = re.fullmatch(r"([^=!\\]+)(!=|==|=)((?:\\.|[^\\])*)", term, re.DOTALL)
    if not found:
        raise ValueError(f"invalid selector: {text!r}; can't understand {term!r}")
    key, operator, value = found.groups()
    return key.strip(), operator != "!=", _unescaped(value, text)


def _unescaped(value: str, text: str) -> str:
    for escape in re.findall(r"\\(.)", value, re.DOTALL):
        if escape not in "\\,=":
            raise ValueError(f"invalid field selector: invalid escape sequence: \\{escape} in {text!r}")
    if re.search(r"(?<!\\)(?:\\\\)*=", value):
        raise ValueError(f"invalid field selector: unescaped '=' in value: {value!r}")
    return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)

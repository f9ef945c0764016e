"""Label and field selectors: what they match. `machinery.model.selector_text` reads them.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps
from typing import Final

from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.names import label_key_errors, label_value_errors

IN: Final = "in"
NOT_IN: Final = "notin"
EXISTS: Final = "exists"
NOT_EXISTS: Final = "!"
GREATER: Final = ">"
LESS: Final = "<"
FEW_TERMS: Final = 16  # that are compared one by one
_NO_VALUES: Final[frozenset[str]] = frozenset()
_FROM_API: Final = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": NOT_EXISTS}

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")


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
    """Conditions that all have to hold; none at all match everything, unless `nothing`.

    Those that are many are arranged once: an object then costs what its own labels cost, not what all of them do.
    """

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    _arranged: LongLabels | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Arrange conditions that are many."""
        if _is_long(self.requirements):
            object.__setattr__(self, "_arranged", long_labels(self.requirements))

    def __hash__(self) -> int:
        """Return the same for equal ones; where the conditions are many it is known."""
        return self._arranged.hash if self._arranged else hash((self.requirements, self.nothing))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        if self._arranged is not None:
            return not self.nothing and self._arranged.matches(labels)
        return not self.nothing and all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class FieldMatcher:
    """Conditions (field, wanted or not, value) that all have to hold; many are arranged, as those on labels."""

    requirements: tuple[tuple[str, bool, str], ...] = ()
    _arranged: LongFields | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Arrange conditions that are many."""
        if len(self.requirements) > FEW_TERMS:
            object.__setattr__(self, "_arranged", long_fields(self.requirements))

    def __hash__(self) -> int:
        """Return the same for equal ones; where the conditions are many it is known."""
        return self._arranged.hash if self._arranged else hash(self.requirements)

    @property
    def keys(self) -> frozenset[str]:
        """The fields that the matcher looks at, for the one who knows which of them a kind has."""
        return frozenset(key for key, _, _ in self.requirements)

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields is selected; an absent field is the empty text."""
        if self._arranged is not None:
            return self._arranged.matches(fields)
        return all((fields.get(key, "") == value) is wanted for key, wanted, value in self.requirements)


class LongLabels:
    """Many conditions on labels, by the labels that they are about."""

    __slots__ = ("_others", "_unwanted", "_wanted", "hash")

    def __init__(
        self,
        hash_: int,
        wanted: Mapping[str, frozenset[str]],
        unwanted: Mapping[str, frozenset[str] | None],
        others: Sequence[Requirement],
    ) -> None:
        """Note which labels have to be there with which values, and which must not with some, or any (None)."""
        self.hash = hash_
        self._wanted = wanted
        self._unwanted = unwanted
        self._others = others

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether all of them hold."""
        if len(self._wanted) > len(labels):
            return False
        if any(labels.get(key) not in values for key, values in self._wanted.items()):
            return False
        fewer = labels if len(labels) < len(self._unwanted) else self._unwanted
        if any(key in labels and self._refuses(key, labels[key]) for key in fewer):
            return False
        return all(each.matches(labels) for each in self._others)

    def _refuses(self, key: str, value: str) -> bool:
        values = self._unwanted.get(key, _NO_VALUES)
        return values is None or value in values


def long_labels(requirements: Sequence[Requirement]) -> LongLabels:
    """Arrange many conditions on labels."""
    wanted: dict[str, frozenset[str]] = {}
    unwanted: dict[str, set[str] | None] = {}
    others: dict[Requirement, None] = {}
    for each in requirements:
        match each.operator:
            case "in":
                values = frozenset(each.values)
                wanted[each.key] = wanted.get(each.key, values) & values
            case "notin":
                known = unwanted.setdefault(each.key, set())
                if known is not None:
                    known.update(each.values)
            case "!":
                unwanted[each.key] = None
            case _:
                others[each] = None
    frozen = {key: None if values is None else frozenset(values) for key, values in unwanted.items()}
    return LongLabels(hash((tuple(requirements), len(requirements))), wanted, frozen, tuple(others))


class LongFields:
    """Many conditions on fields, by the fields that they are about: there are few of those."""

    __slots__ = ("_unwanted", "_wanted", "hash")

    def __init__(
        self, hash_: int, wanted: Mapping[str, frozenset[str]], unwanted: Mapping[str, set[str]]
    ) -> None:
        self.hash = hash_
        self._wanted = wanted
        self._unwanted = unwanted

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether all of them hold."""
        return all(fields.get(key, "") in values for key, values in self._wanted.items()) and all(
            fields.get(key, "") not in values for key, values in self._unwanted.items()
        )


def long_fields(requirements: Sequence[tuple[str, bool, str]]) -> LongFields:
    """Arrange many conditions on fields."""
    wanted: dict[str, frozenset[str]] = {}
    unwanted: dict[str, set[str]] = {}
    for key, is_wanted, value in requirements:
        if is_wanted:
            values = frozenset((value,))
            wanted[key] = wanted.get(key, values) & values
        else:
            unwanted.setdefault(key, set()).add(value)
    return LongFields(hash(tuple(requirements)), wanted, unwanted)


def _is_long(requirements: Sequence[Requirement]) -> bool:
    if len(requirements) > FEW_TERMS:
        return True
    return any(len(each.values) > FEW_TERMS for each in requirements)


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
    equal = [checked(Requirement(key, IN, (value,))) for key, value in sorted(selector.matchLabels.items())]
    others = []
    for item in selector.matchExpressions:
        if item.operator not in _FROM_API:
            raise ValueError(f"{item.operator!r} is not a valid label selector operator")
        others.append(checked(Requirement(item.key, _FROM_API[item.operator], tuple(item.values))))
    return LabelMatcher((*equal, *others))


def checked(requirement: Requirement) -> Requirement:
    """Return a requirement whose key and values are well-formed.

    Raises:
        ValueError: they are not; in Kubernetes' words, all of what is wrong.
    """
    key, values = requirement.key, requirement.values
    found = [
        f"key: Invalid value: {quoted(key)}: {'; '.join(errors)}"
        for errors in [label_key_errors(key)]
        if errors
    ]
    found += _value_errors(requirement)
    for index, value in enumerate(values):
        if errors := label_value_errors(value):
            found.append(f"values[{index}][{key}]: Invalid value: {quoted(value)}: {'; '.join(errors)}")
    if found:
        raise ValueError(found[0] if len(found) == 1 else f"[{', '.join(found)}]")
    return requirement


def _value_errors(requirement: Requirement) -> list[str]:
    """Find what does not fit the operator."""
    operator, values = requirement.operator, requirement.values
    if operator in {IN, NOT_IN} and not values:
        return ["values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"]
    if operator in {EXISTS, NOT_EXISTS} and values:
        given = quoted(values)
        return [f"values: Invalid value: {given}: values set must be empty for exists and does not exist"]
    if operator in {GREATER, LESS} and not is_integer(values[0]):
        text = "for 'Gt', 'Lt' operators, the value must be an integer"
        return [f"values[0]: Invalid value: {quoted(values[0])}: {text}"]
    return []


def quoted(value: object) -> str:
    """Return a text, or several, as messages have it."""
    return dumps(value, ensure_ascii=False)


def is_integer(text: str) -> bool:
    """Whether a text is a whole number of 64 bits."""
    return bool(_INTEGER.fullmatch(text)) and -(1 << 63) <= int(text) < 1 << 63

"""Semantic versions (semver.org)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from machinery.cel.errors import EvaluationError
from machinery.cel.overloads import function, method
from machinery.cel.types import BOOL, INT, STRING, abstract

SEMVER: Final = abstract("kubernetes.Semver")

_NUMBER: Final = r"0|[1-9]\d{0,19}"
_PART: Final = r"[0-9A-Za-z-]+"
_VERSION: Final = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PART}(?:\.{_PART})*))?(?:\+({_PART}(?:\.{_PART})*))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class SemverValue:
    """A version. What is behind a plus does not count when versions are compared."""

    numbers: tuple[int, int, int]
    pre_release: tuple[int | str, ...]

    type_name = "kubernetes.Semver"

    @property
    def rank(self) -> tuple[object, ...]:
        """What versions are ordered by: a pre-release is before its release, numbers are before words."""
        words = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in self.pre_release)
        return (*self.numbers, not self.pre_release, words)


def parse_semver(text: str, normalize: bool = False) -> SemverValue:  # noqa: FBT001, FBT002 - as the function is called
    """Return the version that a text names; "v1.2" and "01.2" are named only if normalized.

    Raises:
        EvaluationError: it names none.
    """
    found = _VERSION.fullmatch(_normalized(text) if normalize else text)
    if found is None:
        raise EvaluationError(f'"{text}" is no semantic version')
    parts = (found[4] or "").split(".") if found[4] else []
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in parts):
        raise EvaluationError(f'Numeric PreRelease version must not contain leading zeroes "{text}"')
    numbers = int(found[1]), int(found[2]), int(found[3])
    return SemverValue(numbers, tuple(int(part) if part.isdigit() else part for part in parts))


def _normalized(text: str) -> str:
    parts = text.removeprefix("v").split(".", 2)
    stripped = [re.sub(r"^0+(?=\d)", "", part) for part in parts]
    if len(stripped) < 3 and any(mark in stripped[-1] for mark in "+-"):
        raise EvaluationError("short version cannot contain PreRelease/Build meta data")
    return ".".join((*stripped, "0", "0")[:3] if len(stripped) < 3 else stripped)


def _is_semver(text: str, normalize: bool = False) -> bool:  # noqa: FBT001, FBT002 - as the function is called
    try:
        parse_semver(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(one: SemverValue, other: SemverValue) -> int:
    mine, theirs = one.rank, other.rank
    return (mine > theirs) - (mine < theirs)


FUNCTIONS: Final = (
    function("semver", (STRING,), SEMVER, parse_semver),
    function("semver", (STRING, BOOL), SEMVER, parse_semver),
    function("isSemver", (STRING,), BOOL, _is_semver),
    function("isSemver", (STRING, BOOL), BOOL, _is_semver),
    method("major", (SEMVER,), INT, lambda one: one.numbers[0]),
    method("minor", (SEMVER,), INT, lambda one: one.numbers[1]),
    method("patch", (SEMVER,), INT, lambda one: one.numbers[2]),
    method("isGreaterThan", (SEMVER, SEMVER), BOOL, lambda one, other: _compare(one, other) > 0),
    method("isLessThan", (SEMVER, SEMVER), BOOL, lambda one, other: _compare(one, other) < 0),
    method("compareTo", (SEMVER, SEMVER), INT, _compare),
)

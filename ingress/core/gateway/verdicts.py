"""Conditions, in the specification's words.

https://gateway-api.sigs.k8s.io/reference/spec/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from machinery.model.conditions import find, set_condition
from machinery.model.k8s.meta_v1 import Condition

ACCEPTED: Final = "Accepted"
PROGRAMMED: Final = "Programmed"
RESOLVED_REFS: Final = "ResolvedRefs"
CONFLICTED: Final = "Conflicted"
PARTIALLY_INVALID: Final = "PartiallyInvalid"
_LONGEST: Final = 1024  # characters of a message; more than a reader takes in


class Verdict(NamedTuple):
    """A condition without its time and its generation."""

    type: str
    status: bool
    reason: str
    message: str = ""


def good(type_: str) -> Verdict:
    """Return the verdict that says nothing but its type."""
    return Verdict(type_, True, type_)  # noqa: FBT003 - as the API has it


def bad(type_: str, reason: str, message: str) -> Verdict:
    """Return what is wrong."""
    return Verdict(type_, False, reason, message)  # noqa: FBT003 - as the API has it


def written(
    before: Sequence[Condition], verdicts: Iterable[Verdict], generation: int, now_text: str, *gone: str
) -> list[Condition]:
    """Return the conditions with the verdicts in them; those of other types stay, except for those that are `gone`.

    What somebody has said of a later generation stays, too: the object that is judged here is old.
    """
    found = [each for each in before if each.type not in gone]
    for verdict in verdicts:
        old = find(found, verdict.type)
        if old is not None and (old.observedGeneration or 0) > generation:
            continue
        found = set_condition(found, _condition(verdict, generation), now_text=now_text)
    return found


def _condition(verdict: Verdict, generation: int) -> Condition:
    return Condition(
        type=verdict.type,
        status="True" if verdict.status else "False",
        reason=verdict.reason,
        message=verdict.message[:_LONGEST],
        observedGeneration=generation,
        lastTransitionTime="",
    )

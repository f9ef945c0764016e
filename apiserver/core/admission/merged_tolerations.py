"""Tolerations that cover one another: who tolerates more tolerates less."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from apiserver.core.values import Json
from machinery.model.taints import NO_EXECUTE


def merge_tolerations(tolerations: Sequence[Json]) -> list[Json]:
    """Return tolerations, without those that another one of them covers; of equal ones the first stays."""
    merged: list[Json] = []
    for index, each in enumerate(tolerations):
        later = (other for other in tolerations[index + 1 :] if other != each)
        if not any(_covers(other, each) for other in (*merged, *later)):
            merged.append(each)
    return merged


def all_covered(tolerations: Collection[Json], allowed: Collection[Json]) -> bool:
    """Whether every toleration is covered by one of those that are allowed."""
    return all(any(_covers(other, each) for other in allowed) for each in tolerations)


def _covers(one: Json, other: Json) -> bool:
    if one == other:
        return True
    operator, key = one.get("operator", ""), one.get("key", "")
    if key != other.get("key", "") and not (not key and operator == "Exists"):
        return False
    effect, other_effect = one.get("effect", ""), other.get("effect", "")
    if effect and effect != other_effect:
        return False
    if effect == NO_EXECUTE and one.get("tolerationSeconds") is not None:
        other_s = other.get("tolerationSeconds")
        if other_s is None or other_s > one["tolerationSeconds"]:
            return False
    if operator in {"", "Equal"}:
        return other.get("operator") == "Equal" and other.get("value", "") == one.get("value", "")
    return bool(operator == "Exists")

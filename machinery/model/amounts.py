"""Amounts of resources by their names (v1.ResourceList), to be added and compared: what limits and quotas count with.

Exact, and shown in the family of suffixes that the first of the added amounts was written in, as upstream shows sums.
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final, NamedTuple, TypeAlias

from machinery.model.json_objects import Json
from machinery.model.quantity import Family, format_amount, parse_in_family


class Amount(NamedTuple):
    """How much of one resource, and how that is written."""

    value: Fraction
    family: Family = Family.DECIMAL

    def __str__(self) -> str:
        return format_amount(self.value, self.family)

    def plus(self, other: Amount) -> Amount:
        """Return the sum."""
        return Amount(self.value + other.value, self.family if self.value else other.family)


Amounts: TypeAlias = Mapping[str, Amount]

ZERO: Final = Amount(Fraction(0))


def whole(number: int) -> Amount:
    """Return a count."""
    return Amount(Fraction(number))


def read(listed: Json | None) -> dict[str, Amount]:
    """Read a ResourceList that was checked; None is an empty one.

    Raises:
        ValueError: an amount is none.
    """
    return {name: Amount(*parse_in_family(text)) for name, text in (listed or {}).items()}


def added(some: Amounts, more: Amounts) -> dict[str, Amount]:
    """Return the sum of each resource that is in any of both."""
    result = dict(some)
    add_to(result, more)
    return result


def add_to(total: dict[str, Amount], more: Amounts) -> None:
    """Add to a sum that the caller owns."""
    for name, amount in more.items():
        total[name] = total[name].plus(amount) if name in total else amount


def greatest(some: Amounts, others: Amounts) -> dict[str, Amount]:
    """Return the larger amount of each resource that is in any of both."""
    result = dict(some)
    raise_to(result, others)
    return result


def raise_to(most: dict[str, Amount], others: Amounts) -> None:
    """Raise amounts that the caller owns to others that are larger."""
    for name, amount in others.items():
        if name not in most or amount.value > most[name].value:
            most[name] = amount


def growth(new: Amounts, old: Amounts) -> dict[str, Amount]:
    """Return by how much each resource has grown; 0 where it has not."""
    return {
        name: Amount(max(Fraction(0), amount.value - old.get(name, ZERO).value), amount.family)
        for name, amount in new.items()
    }


def only(amounts: Amounts, names: Iterable[str]) -> dict[str, Amount]:
    """Return the amounts of some resources."""
    return {name: amounts[name] for name in names if name in amounts}


def without_zeros(amounts: Amounts) -> dict[str, Amount]:
    """Return the amounts that are not 0."""
    return {name: amount for name, amount in amounts.items() if amount.value}


def exceeding(amounts: Amounts, limits: Amounts) -> list[str]:
    """Return the resources of which there is more than their limit, in order; no limit is no limit."""
    return sorted(
        name for name, limit in limits.items() if name in amounts and amounts[name].value > limit.value
    )


def shown(amounts: Amounts) -> str:
    """Return amounts as messages have them: `cpu=1,memory=1Gi`."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))


def to_json(amounts: Amounts) -> Json:
    """Return a ResourceList."""
    return {name: str(amounts[name]) for name in sorted(amounts)}

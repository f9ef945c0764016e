"""Whether a write fits into the quotas of its namespace, and what it takes of each.

https://kubernetes.io/docs/concepts/policy/resource-quotas/#how-kubernetes-resourcequotas-work
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from machinery.model import amounts
from machinery.model.amounts import Amount, Amounts
from machinery.model.json_objects import Json, metadata
from machinery.model.quota.evaluators import Evaluator, evaluator
from machinery.model.quota.limited import Limited, uncovered
from machinery.model.quota.usage import Moment


class Write(NamedTuple):
    """A write of one object, as it would be stored."""

    resource: tuple[str, str]  # group and plural
    obj: Json
    old: Json | None = None
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The write does not fit; `reason` is what follows `pods "web" is forbidden: `."""

    reason: str


@dataclass(frozen=True, slots=True)
class Charged:
    """The write fits: `by_quota` has, by the quota's name, what is to be added to its `status.used`. Nothing: no charge."""

    by_quota: Mapping[str, Amounts] = field(default_factory=dict)


Decision: TypeAlias = Refused | Charged
NO_CHARGE: Final = Charged()


def decide(quotas: Sequence[Json], write: Write, moment: Moment, limits: Sequence[Limited] = ()) -> Decision:
    """Judge a write by the quotas of its namespace, as they are stored: what counts is their status.

    It is refused by the first quota, in the order given, that wants resources named which it does not name, or whose use
    nobody has counted yet; then where it takes what is among `limits`, and no quota is about that; then by the first that it
    does not fit into. What makes nothing larger fits, however much there is.
    """
    counting = evaluator(*write.resource)
    if not counting.counts(write.subresource, write.obj, write.old):
        return NO_CHARGE
    concerned = [
        quota for quota in quotas if _tracked(counting, quota) and counting.matches(quota, write.obj)
    ]
    for quota in concerned:
        if problem := _incomplete(counting, quota, write.obj):
            return Refused(problem)
    usage = counting.usage(write.obj, moment)
    if negative := sorted(name for name, amount in usage.items() if amount.value < 0):
        return Refused(f"quota usage is negative for resource(s): {','.join(negative)}")
    before = {} if write.old is None else counting.usage(write.old, moment)
    if limits and (problem := _uncovered(counting, quotas, concerned, write, usage, before, limits)):
        return Refused(problem)
    charges: dict[str, Amounts] = {}
    for quota in concerned:
        counted_before = write.old is not None and counting.matches(quota, write.old)
        grown = amounts.growth(usage, before) if counted_before else usage
        charge = amounts.without_zeros(amounts.only(grown, _hard(quota)))
        if write.subresource != "status" and (problem := _exceeded(quota, charge)):
            return Refused(problem)
        if charge:
            charges[_name(quota)] = charge
    return Charged(charges) if charges else NO_CHARGE


def _uncovered(
    counting: Evaluator,
    quotas: Sequence[Json],
    concerned: Sequence[Json],
    write: Write,
    usage: Amounts,
    before: Amounts,
    limits: Sequence[Limited],
) -> str:
    if not amounts.without_zeros(amounts.growth(usage, before)):
        return ""
    covered = frozenset[str]().union(*(_tracked(counting, quota) for quota in concerned))
    own = [limit for limit in limits if limit.resource == write.resource]
    return uncovered(own, usage, covered, quotas, write.obj, counting.in_scope)


def _tracked(counting: Evaluator, quota: Json) -> frozenset[str]:
    return counting.tracked(frozenset(_hard(quota)))


def _incomplete(counting: Evaluator, quota: Json, obj: Json) -> str:
    """Return what an object or a quota lacks for being judged."""
    tracked = _tracked(counting, quota)
    if missing := counting.missing(obj, tracked):
        return f"failed quota: {_name(quota)}: {missing}"
    if tracked - _status(quota, "used").keys():
        return f"status unknown for quota: {_name(quota)}, resources: {','.join(sorted(tracked))}"
    return ""


def _exceeded(quota: Json, charge: Amounts) -> str:
    hard, used = amounts.read(_hard(quota)), amounts.read(_status(quota, "used"))
    after = amounts.only(amounts.added(used, charge), charge)
    names = amounts.exceeding(after, hard)
    if not names:
        return ""
    requested, so_far, limited = (amounts.shown(amounts.only(each, names)) for each in (charge, used, hard))
    return f"exceeded quota: {_name(quota)}, requested: {requested}, used: {so_far}, limited: {limited}"


def with_charge(quota: Json, charge: Amounts) -> Json:
    """Return a quota whose status has a charge added."""
    used = amounts.added(amounts.read(_status(quota, "used")), charge)
    return {**quota, "status": {**(quota.get("status") or {}), "used": amounts.to_json(used)}}


def without_charge(quota: Json, charge: Amounts) -> Json:
    """Return a quota whose status has a charge taken back: what `with_charge` undoes."""
    used = amounts.read(_status(quota, "used"))
    left = {
        name: Amount(amount.value - charge[name].value, amount.family) if name in charge else amount
        for name, amount in used.items()
    }
    return {**quota, "status": {**(quota.get("status") or {}), "used": amounts.to_json(left)}}


def is_counted(quota: Json) -> bool:
    """Whether the status of a quota knows all its limits, and how much is used of each: until then it holds nothing back."""
    wanted = ((quota.get("spec") or {}).get("hard")) or {}
    return wanted.keys() <= _hard(quota).keys() <= _status(quota, "used").keys()


def observed_use(
    quota: Json, objects: Mapping[tuple[str, str], Iterable[Json]], moment: Moment
) -> dict[str, Amount]:
    """Count afresh what objects, by group and plural, take of the hard limits in a quota's spec.

    Every resource of the limits that is about one of the given kinds is in the result, with 0 where there is nothing.
    """
    hard = frozenset(((quota.get("spec") or {}).get("hard")) or ())
    used: dict[str, Amount] = {}
    for resource, listed in objects.items():
        counting = evaluator(*resource)
        names = counting.tracked(hard)
        if not names:
            continue
        amounts.add_to(used, dict.fromkeys(names, amounts.ZERO))
        for obj in listed:
            if counting.matches(quota, obj):
                amounts.add_to(used, amounts.only(counting.usage(obj, moment), names))
    return used


def _hard(quota: Json) -> Json:
    return _status(quota, "hard")


def _status(quota: Json, field_name: str) -> Json:
    return (quota.get("status") or {}).get(field_name) or {}


def _name(quota: Json) -> str:
    return str(metadata(quota).get("name", ""))

"""What may only be taken where a quota says how much: an administrator's configuration of quotas.

https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from machinery.model.amounts import Amounts
from machinery.model.json_objects import Json
from machinery.model.quota import scopes


class Limited(NamedTuple):
    """Resources of one kind of objects, by what their names contain, and objects in one of some scopes."""

    resource: tuple[str, str]  # group and plural
    contains: tuple[str, ...] = ()
    scopes: tuple[Json, ...] = ()  # v1.ScopedResourceSelectorRequirement


def uncovered(
    limits: Iterable[Limited],
    usage: Amounts,
    covered: Collection[str],
    quotas: Sequence[Json],
    obj: Json,
    match: scopes.Match,
) -> str:
    """Return why an object may not be made without one more quota; "" where it may.

    `covered` are the resources that quotas which are about the object limit; `quotas` are all of its namespace.
    """
    limits = list(limits)
    taken = [name for name, amount in usage.items() if amount.value > 0]
    named = {name for name in taken for limit in limits if any(text in name for text in limit.contains)}
    if missing := sorted(named.difference(covered)):
        return f"insufficient quota to consume: {','.join(missing)}"
    wanted = [scope for limit in limits for scope in limit.scopes if match(scope, obj)]
    known = {
        scope.get("scopeName")
        for quota in quotas
        if wanted
        for scope in scopes.requirements(quota)
        if match(scope, obj)
    }
    left = [_shown(scope) for scope in wanted if scope.get("scopeName") not in known]
    return f"insufficient quota to match these scopes: [{' '.join(left)}]" if left else ""


def _shown(scope: Json) -> str:
    return f"{{{scope.get('scopeName')} {scope.get('operator')} [{' '.join(scope.get('values') or ())}]}}"

"""Evictions against PodDisruptionBudgets: each is compared and set on the budget, so that no two take the same disruption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from apiserver import objects
from apiserver.core import disruption
from apiserver.core.catalogue import Catalogue
from apiserver.core.kind import Kind
from apiserver.core.values import Json, metadata
from apiserver.registry.reads import Reads
from apiserver.request import Request
from apiserver.storage.interface import Storage, Written
from machinery.model.errors import DeadlineExceeded

_ATTEMPTS: Final = 20
_RESOURCE: Final = ("policy", "poddisruptionbudgets")


@dataclass(frozen=True, slots=True)
class Unbudgeted:
    """An eviction that disturbs nobody as long as the pod stays as it is."""

    budget: str = ""  # of a pod that is not ready; "" for one that does not run yet


class DisruptionBudgets:
    """What the budgets of a namespace say of an eviction."""

    def __init__(self, catalogue: Catalogue, storage: Storage, reads: Reads, now: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._storage = storage
        self._reads = reads
        self._now = now

    async def take(self, request: Request, pod: Json, *, dry_run: bool) -> Unbudgeted | None:
        """Charge the eviction of a pod, which a request asks for, to its budget, if it is under one.

        Return why it was charged to none although it may have to be a moment later; None where that cannot be.

        Raises:
            TooManyRequests: the budget allows no disruption now.
            Forbidden: the budget cannot be counted with.
            InternalError: the pod is under more than one.
            DeadlineExceeded: others wrote the budget all the time.
        """
        kind = self._catalogue.stored(*_RESOURCE)
        if kind is None:
            return None
        if not disruption.needs_budget(pod):
            return Unbudgeted() if disruption.may_become_ready(pod) else None
        namespace = metadata(pod)["namespace"]
        budgets = await self._reads.list(kind, _listing(request, kind))
        found = disruption.budget_of((objects.decode(each.json) for each in budgets.items), pod)
        if found is None:
            return None
        name = metadata(found)["name"]
        key = kind.key(namespace, name)
        for _ in range(_ATTEMPTS):
            stored = await self._storage.get(key)
            if stored is None:
                return None
            budget = objects.decode_at(kind, stored.value, stored.revision)
            taken = disruption.with_eviction(budget, pod, self._now())
            if taken is budget:
                return Unbudgeted(name)
            if dry_run or await self._written(key, taken, stored.revision):
                return None
        raise DeadlineExceeded(f'couldn\'t update PodDisruptionBudget "{name}" due to conflicts')

    async def _written(self, key: str, budget: Json, revision: int) -> bool:
        return isinstance(await self._storage.update(key, objects.encode(budget), revision), Written)


def _listing(request: Request, kind: Kind) -> Request:
    """Return the request that lists a kind in the namespace of another one."""
    return Request(
        user=request.user,
        verb="list",
        group=kind.group,
        version=kind.version,
        resource=kind.plural,
        namespace=request.namespace,
    )

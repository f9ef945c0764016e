"""ResourceQuota: what a write takes of the quotas of its namespace is in their status before the object is stored.

Each charge is compared and set on the quota's revision, so that several apiservers never admit more than a quota has, and
all writes of a namespace that wait at one time are charged together. A write that is then not stored is given back, where
nobody else has written the quota meanwhile; whatever stays too much, the ResourceQuota controller counts afresh.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from apiserver import objects
from apiserver.aside import aside, weigh
from apiserver.core import answers
from apiserver.core.admission.attributes import Attributes, forbidden
from apiserver.core.catalogue import Catalogue
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.storage.interface import Storage, Stored, Written
from apiserver.watch_cache_feed import Feed
from apiserver.watch_cache_selection import Selected
from machinery.model.amounts import Amounts
from machinery.model.errors import ApiError
from machinery.model.k8s import served
from machinery.model.quota.decision import (
    Charged,
    Refused,
    Write,
    decide,
    is_counted,
    with_charge,
    without_charge,
)
from machinery.model.quota.limited import Limited
from machinery.model.quota.usage import Moment

NAME: Final = "ResourceQuota"  # of the plugin
_REMEMBERED: Final = 1_000  # quotas written here; what is forgotten is read again where the cache is behind
ATTEMPTS: Final = 12  # of a batch, against other apiservers and the controller
_RESOURCE: Final = ("", "resourcequotas")
_UNCOUNTED: Final = frozenset(
    {
        ("", "events"),
        ("events.k8s.io", "events"),
        *((each.group, each.plural) for each in (*served.REVIEWS, *served.POSTED)),
    }
)


@dataclass(slots=True)
class _Quota:
    """A quota as it is known here."""

    obj: Json
    revision: int
    era: int  # grows whenever somebody else has written it: what was charged before may have been counted afresh


@dataclass(slots=True)
class _Waiter:
    """A write that waits to be charged."""

    write: Write
    attributes: Attributes
    is_done: bool = False
    error: ApiError | None = None
    wanted: dict[str, Amounts] = field(default_factory=dict)  # by quota, decided and not stored
    charged: dict[str, tuple[Amounts, int]] = field(default_factory=dict)  # stored, in which era


@dataclass(frozen=True, slots=True)
class Charge:
    """What a write took of its namespace's quotas."""

    quotas: Quotas
    namespace: str
    by_quota: Mapping[str, tuple[Amounts, int]]

    async def keep(self) -> None:
        """The write happened: it is charged for."""

    async def drop(self) -> None:
        """The write did not happen: undo the charge."""
        await self.quotas.refund(self.namespace, self.by_quota)


class Quotas:
    """Charges writes to the quotas of their namespaces."""

    def __init__(
        self,
        catalogue: Catalogue,
        storage: Storage,
        feed: Feed,
        moment: Callable[[], Moment],
        limits: Sequence[Limited] = (),
    ) -> None:
        self._catalogue = catalogue
        self._storage = storage
        self._feed = feed
        self._moment = moment
        self._limits = tuple(limits)
        self._limited = frozenset(limit.resource for limit in limits)
        kind = catalogue.stored(*_RESOURCE)
        self._cache = None if kind is None else feed.cache(kind)
        self._turns: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, list[_Waiter]] = {}  # by namespace
        self._own: dict[str, _Quota] = {}  # what was written here last, by storage key

    def concern(self, attributes: Attributes) -> bool:
        """Whether the namespace of a request has quotas, or needs one: a look into an index."""
        if self._limited and attributes.namespace and attributes.resource in self._limited:
            return True
        if self._cache is None or self._cache.is_empty or not attributes.namespace:
            return False
        return attributes.resource not in _UNCOUNTED and self._cache.has_any(attributes.namespace)

    async def charge(self, attributes: Attributes, obj: Json, old: Json | None) -> Charge | None:
        """Charge a write, in turn with the others of its namespace; None where it takes nothing.

        Raises:
            Forbidden: it does not fit.
            Conflict: others wrote the quotas all the time.
        """
        write = Write(attributes.resource, obj, old, attributes.subresource)
        namespace, waiter = attributes.namespace, _Waiter(write, attributes)
        self._waiting.setdefault(namespace, []).append(waiter)
        turn = self._turns.setdefault(namespace, asyncio.Lock())
        try:
            async with turn:
                if not waiter.is_done:
                    await self._serve(namespace)
        finally:
            self._tidy(namespace, waiter, turn)
        if waiter.error is not None:
            raise waiter.error
        return Charge(self, namespace, waiter.charged) if waiter.charged else None

    async def refund(self, namespace: str, by_quota: Mapping[str, tuple[Amounts, int]]) -> None:
        """Undo a charge, where nobody but this server has written the quota since."""
        kind = self._catalogue.stored(*_RESOURCE)
        if kind is None:
            return
        for name, (amounts, era) in by_quota.items():
            known = self._own.get(kind.key(namespace, name))
            if known is not None and known.era == era:
                await self._write(kind, namespace, name, without_charge(known.obj, amounts), known)

    def _tidy(self, namespace: str, waiter: _Waiter, turn: asyncio.Lock) -> None:
        waiting = self._waiting.get(namespace, [])
        if not waiter.is_done and waiter in waiting:  # cancelled
            waiting.remove(waiter)
        if not waiting and not turn.locked():
            self._waiting.pop(namespace, None)
            self._turns.pop(namespace, None)

    async def _serve(self, namespace: str) -> None:
        """Charge all who wait; where that is cut short, those who come next do."""
        batch = self._waiting.pop(namespace, [])
        try:
            await self._charge_all(namespace, batch)
        finally:
            if rest := [waiter for waiter in batch if not waiter.is_done]:
                self._waiting[namespace] = [*rest, *self._waiting.get(namespace, ())]

    async def _charge_all(self, namespace: str, batch: Sequence[_Waiter]) -> None:
        kind = self._catalogue.stored(*_RESOURCE)
        if kind is None:
            _finish(batch)
            return
        known = await self._current(kind, namespace)
        names = list(known)
        for _ in range(ATTEMPTS):
            waiting = [waiter for waiter in batch if not waiter.is_done]
            weight = sum(weigh(known[name].obj) for name in names) * len(waiting)
            before = {name: known[name].obj for name in names}
            after = await aside(weight, _decide_all, waiting, before, self._moment(), self._limits)
            failed = await self._write_all(kind, namespace, known, after, waiting)
            refused = [waiter for waiter in waiting if waiter.error is not None]
            for waiter in refused:
                await self.refund(namespace, waiter.charged)
                waiter.charged = {}
            _finish(each for each in waiting if each.error is not None or not (each.wanted.keys() & failed))
            names = [name for name in failed if name in known]
            if all(waiter.is_done for waiter in batch):
                return
        for waiter in batch:
            if not waiter.is_done:
                waiter.error = answers.conflict(kind, names[0])
        _finish(batch)

    async def _write_all(
        self,
        kind: Kind,
        namespace: str,
        known: dict[str, _Quota],
        after: Mapping[str, Json],
        waiting: Sequence[_Waiter],
    ) -> set[str]:
        """Store what was charged; returns the quotas that had moved on, of which `known` has the newest."""
        failed: set[str] = set()
        for name, obj in after.items():
            if obj is known[name].obj:
                continue
            written = await self._write(kind, namespace, name, obj, known[name])
            if written is not None:
                known[name] = written
                for waiter in waiting:
                    if name in waiter.wanted:
                        waiter.charged[name] = (waiter.wanted[name], written.era)
                continue
            failed.add(name)
            if (live := await self._live(kind, namespace, name)) is None:
                del known[name]  # whoever deleted it wants it to hold no longer
            else:
                known[name] = live
        return failed

    async def _write(self, kind: Kind, namespace: str, name: str, obj: Json, known: _Quota) -> _Quota | None:
        """Compare and set; None where somebody else was faster."""
        key = kind.key(namespace, name)
        outcome = await self._storage.update(key, objects.encode(obj), known.revision)
        if not isinstance(outcome, Written):
            self._own.pop(key, None)
            return None
        if len(self._own) >= _REMEMBERED:
            self._own.clear()
        self._own[key] = written = _Quota(obj, outcome.revision, known.era)
        return written

    async def _live(self, kind: Kind, namespace: str, name: str) -> _Quota | None:
        stored = await self._storage.get(kind.key(namespace, name))
        return None if stored is None else self._seen(kind, stored)

    def _seen(self, kind: Kind, stored: Stored) -> _Quota:
        obj = objects.decode_at(kind, stored.value, stored.revision)
        return _Quota(obj, stored.revision, stored.revision)

    async def _current(self, kind: Kind, namespace: str) -> dict[str, _Quota]:
        """Return the quotas of a namespace by name.

        Where the cache is behind, a charge finds that out, as it is compared with the quota's revision. A quota that is not counted
        is charged with nothing: whether it is counted by now is looked up.
        """
        known = self._known(kind, namespace)
        for name in [name for name, quota in known.items() if not is_counted(quota.obj)]:
            if (live := await self._live(kind, namespace, name)) is None:
                del known[name]
            else:
                known[name] = live
        return known

    def _known(self, kind: Kind, namespace: str) -> dict[str, _Quota]:
        """Return the quotas of a namespace by name: as the cache has them, or as they were written here after that."""
        found: dict[str, _Quota] = {}
        for cached in self._feed.cache(kind).list(Selected(namespace)):
            obj = objects.decode(cached.json)
            name = obj["metadata"]["name"]
            own = self._own.get(kind.key(namespace, name))
            if own is None or own.revision < cached.revision:
                self._own.pop(kind.key(namespace, name), None)
                own = _Quota(obj, cached.revision, cached.revision)
            found[name] = own
        return found


def _decide_all(
    waiting: Sequence[_Waiter], quotas: Mapping[str, Json], moment: Moment, limits: Sequence[Limited]
) -> Mapping[str, Json]:
    """Decide on each write after those before it; returns the quotas with all charges."""
    running = dict(quotas)
    for waiter in waiting:
        waiter.wanted = {}
        concerned = (
            list(running.values())
            if not waiter.charged
            else [quota for name, quota in running.items() if name not in waiter.charged]
        )
        decision = decide(concerned, waiter.write, moment, () if waiter.charged else limits)
        match decision:
            case Refused(reason):
                waiter.error = forbidden(waiter.attributes, waiter.write.obj, reason)
            case Charged(by_quota) if not waiter.attributes.dry_run:
                waiter.wanted = dict(by_quota)
                for name, amounts in by_quota.items():
                    running[name] = with_charge(running[name], amounts)
    return running


def _finish(waiters: Iterable[_Waiter]) -> None:
    for waiter in waiters:
        waiter.is_done = True

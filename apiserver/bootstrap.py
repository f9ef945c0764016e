"""Writes what every cluster has from the beginning: idempotent, and at every start.

It compares with the watch cache first, so a start that finds everything in its place writes nothing. What nobody here
needs is written when the apiserver is ready already: a start is not to wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from apiserver import objects
from apiserver.core import bootstrap, bootstrap_rbac
from apiserver.core.bootstrap import Key, Lacking, Misdirected, Missing, Repair
from apiserver.core.catalogue import Catalogue
from apiserver.core.flow import suggested
from apiserver.core.values import Json, metadata
from apiserver.lookup import own_request
from apiserver.registry import Registry
from apiserver.request import Request
from apiserver.watch_cache_feed import Feed
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, Conflict, NotFound
from machinery.model.insist import insist, tell_first
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from machinery.model.log import EventLog

_RETRY: Final = Backoff(initial_s=0.5, cap_s=0.5)  # wall seconds
_FLOWS: Final = (served.FLOW_SCHEMAS, served.PRIORITY_LEVEL_CONFIGURATIONS)
_RBAC: Final = (served.ROLES, served.ROLE_BINDINGS, served.CLUSTER_ROLES, served.CLUSTER_ROLE_BINDINGS)


class Bootstrap:
    """Brings the cluster's own objects about."""

    def __init__(self, catalogue: Catalogue, registry: Registry, feed: Feed, log: EventLog) -> None:
        self._catalogue = catalogue
        self._registry = registry
        self._feed = feed
        self._log = log

    async def run(self) -> None:
        """Write what is missing. The caches have to be filled.

        Raises:
            ApiError: the store does not answer, or refuses an object.
        """
        known = {obj.place for obj in self._feed.cache(served.NAMESPACES).every()}
        namespaces = [bootstrap.namespace(name) for name in bootstrap.NAMESPACES if name not in known]
        classes = {obj.place for obj in self._feed.cache(served.PRIORITY_CLASSES).every()}
        lacking = [obj for obj in bootstrap.priority_classes() if metadata(obj)["name"] not in classes]
        if bootstrap.SYSTEM not in known:  # the first time: who deletes the class does not get it again
            await self.create(bootstrap.default_storage_class())
        repairs = bootstrap.plan_rbac(bootstrap_rbac.NEEDED, self._existing())
        flows, changed_flows = suggested.plan(self._of(_FLOWS))
        await _all(self.create(obj) for obj in (*namespaces, *lacking, *flows))
        await _all(self.update(obj) for obj in changed_flows)
        await _all(self._execute(repair) for repair in repairs)
        if namespaces or lacking or repairs or flows or changed_flows:
            self._log.info("bootstrapped", namespaces=len(namespaces), rbac_objects=len(repairs))

    async def uphold_flows(self) -> None:
        """Write the FlowSchemas and PriorityLevelConfigurations that are not as they should be.

        Raises:
            ApiError: the store does not answer, or refuses an object.
        """
        missing, changed = suggested.plan(self._of(_FLOWS))
        await _all(self.create(obj) for obj in missing)
        await _all(self.update(obj) for obj in changed)

    async def complete(self) -> None:
        """Write the roles that nobody here needs, where they are missing.

        Raises:
            ApiError: the store does not answer, or refuses an object.
        """
        repairs = bootstrap.plan_rbac(bootstrap_rbac.others(), self._existing())
        await _all(self._execute(repair) for repair in repairs)

    async def run_until_done(self, clock: Clock) -> None:
        """Write what is missing, tried again until the store accepts it."""
        await self._insist(self.run, clock)

    async def complete_until_done(self, clock: Clock) -> None:
        """Write the other roles, tried again until the store accepts them."""
        await self._insist(self.complete, clock)

    async def _insist(self, write: Callable[[], Awaitable[None]], clock: Clock) -> None:
        async def attempt() -> None:
            await self._feed.wait_ready()
            await write()

        await insist(attempt, clock, _RETRY, tell_first(self._log.warning, "bootstrap_failed", every=20))

    async def create(self, obj: Json) -> None:
        """Create an object; that another apiserver was faster is as good.

        Raises:
            ApiError: the registry refuses for another reason.
        """
        with suppress(AlreadyExists):
            await self._registry.create(self._request("create", obj, body=objects.to_json(obj)))

    async def update(self, obj: Json) -> None:
        """Replace an object; that another apiserver was faster is as good.

        Raises:
            ApiError: the registry refuses for another reason.
        """
        with suppress(Conflict, NotFound):
            await self._registry.update(
                self._request("update", obj, name=metadata(obj)["name"], body=objects.to_json(obj))
            )

    async def _execute(self, repair: Repair) -> None:
        match repair:
            case Missing(obj):
                await self.create(obj)
            case Lacking(obj):
                await self.update(obj)
            case Misdirected(obj):
                with suppress(NotFound):
                    await self._registry.delete(self._request("delete", obj, name=metadata(obj)["name"]))
                await self.create(obj)

    def _of(self, kinds: Iterable[KindNames]) -> dict[tuple[str, str], Json]:
        caches = (self._feed.cache(kind) for kind in kinds)
        decoded = (objects.decode(obj.json) for cache in caches for obj in cache.every())
        return {(obj["kind"], metadata(obj)["name"]): obj for obj in decoded}

    def _existing(self) -> dict[Key, Json]:
        caches = (self._feed.cache(kind) for kind in _RBAC)
        decoded = (objects.decode(obj.json) for cache in caches for obj in cache.every())
        return {bootstrap.key_of(obj): obj for obj in decoded}

    def _request(self, verb: str, obj: Json, **fields: Any) -> Request:
        kind = self._catalogue.of_type(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise NotFound(f"{obj['apiVersion']} {obj['kind']} is not served")
        return own_request(verb, kind, namespace=metadata(obj).get("namespace", ""), **fields)


async def _all(writes: Iterable[Awaitable[None]]) -> None:
    """Wait for writes that are under way together.

    Raises:
        ApiError: one of them failed; all have ended.
    """
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome

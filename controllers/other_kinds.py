"""Kinds that extension servers serve: found out from their discovery, and brought to the controllers as those of definitions are.

A server that is away keeps its kinds: what is in their caches stays there until it says otherwise.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from controllers.core.api_services import ApiService, kinds_of
from controllers.core.caches import Source
from controllers.core.metadata_only import MetadataOnly
from controllers.custom_kinds import LaterKindsOf
from machinery.client.api import Api
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.log import EventLog
from machinery.model.requests import EventType
from machinery.model.resources import Resource
from machinery.model.store import Change

LOOK_S: Final = 30.0  # cluster seconds between two looks at what servers serve


class OtherKinds:
    """Follows the APIServices that lead elsewhere; without one, nothing is asked."""

    def __init__(self, api: Api, kinds: LaterKindsOf, clock: Clock, log: EventLog) -> None:
        self._api = api
        self._kinds = kinds
        self._clock = clock
        self._log = log
        self._services: dict[str, ApiService] = {}  # by name
        self._sources: dict[str, dict[Resource[MetadataOnly], Source[MetadataOnly]]] = {}  # by APIService
        self._changed = asyncio.Event()

    def follow(self, change: Change[ApiService]) -> None:
        """Note an APIService as it is now."""
        service = change.object
        name = service.metadata.name
        if change.kind is not EventType.DELETED and service.is_remote:
            self._services[name] = service
            self._changed.set()
            return
        if self._services.pop(name, None) is not None:
            self._bring(name, ())

    async def run(self) -> None:
        """Look at what is served again and again, until cancelled."""
        while True:
            if not self._services:
                await self._changed.wait()
            self._changed.clear()
            for name, service in list(self._services.items()):
                if service.is_available:
                    await self._look(name, service)
            with suppress(TimeoutError):
                async with self._clock.timeout(LOOK_S):
                    await self._changed.wait()

    async def _look(self, name: str, service: ApiService) -> None:
        spec = service.spec
        try:
            resources = await self._api.discover(spec.group, spec.version)
        except ApiError as error:
            self._log.info("kinds_not_discovered", apiservice=name, error=error)
            return
        if name in self._services:
            self._bring(name, kinds_of(resources, spec.group, spec.version))

    def _bring(self, name: str, kinds: tuple[Resource[MetadataOnly], ...]) -> None:
        """Have just these kinds of an APIService."""
        known = self._sources.setdefault(name, {})
        for kind in [each for each in known if each not in kinds]:
            self._kinds.remove(known.pop(kind))
        for kind in kinds:
            if kind not in known and not self._kinds.has(kind):
                known[kind] = self._kinds.add(kind)
        if not known:
            del self._sources[name]

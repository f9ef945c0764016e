"""Writes the APIServices of what this server serves itself, and removes those of what is gone.

Every apiserver does it. The caches show all kinds at one revision, so who sees an APIService sees the definition that it was
written for; of several that decide the same one is faster, and the others find it done.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Final

from apiserver import objects
from apiserver.aggregation.services import ApiServices
from apiserver.core.aggregation.priorities import BUILT_IN, METRICS, GroupVersion, priority_of
from apiserver.core.aggregation.registration import (
    ON_START,
    Action,
    Create,
    Remove,
    Replace,
    decide,
    local,
    name_of,
)
from apiserver.core.catalogue import Catalogue
from apiserver.core.kind import Kind
from apiserver.core.values import Json, metadata
from apiserver.lookup import own_request
from apiserver.registry import Registry
from apiserver.request import DeleteOptions, WriteOptions
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, ApiError, Conflict, NotFound
from machinery.model.insist import Failures, tell_first
from machinery.model.k8s import served
from machinery.model.log import EventLog

_RETRY: Final = Backoff(0.1, 5.0)  # wall seconds
_AS: Final = WriteOptions(field_manager="kube-apiserver")


class Registration:
    """Looks after APIServices by their names; nothing is looked at that has not changed."""

    def __init__(
        self,
        services: ApiServices,
        catalogue: Catalogue,
        registry: Registry,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._services = services
        self._registry = registry
        self._clock = clock
        self._log = log
        built_in = {(names.group, names.version) for names in catalogue.served()} & BUILT_IN.keys()
        self._built_in = {
            name_of(*place): local(*place, BUILT_IN[place], ON_START) for place in sorted(built_in)
        }
        self._unseen = set(self._built_in)  # those that were not available yet
        if METRICS in {(names.group, names.version) for names in catalogue.computed}:
            self._built_in[name_of(*METRICS)] = local(*METRICS, priority_of(*METRICS), manner="")
        self._custom: Counter[GroupVersion] = Counter()  # how many kinds there are of each version
        self._custom_names: dict[str, GroupVersion] = {}
        self._changed: dict[str, None] = {}
        self._has_changed = asyncio.Event()
        self._at_start: frozenset[str] = frozenset()
        self._done: set[str] = set()
        catalogue.subscribe(self._come, self._gone)
        services.subscribe(self._note)

    def problem(self) -> str:
        """Return which APIServices have not been seen available yet; "" where all have."""
        return f"missing APIService: {' '.join(sorted(self._unseen))}" if self._unseen else ""

    async def run(self) -> None:
        """Look after them for ever. The registry has to be open."""
        failures = Failures(self._clock, _RETRY, tell_first(self._log.warning, "apiservices_not_kept"))
        self._at_start = frozenset(self._services.names())
        for name in (*self._built_in, *self._custom_names, *self._at_start):
            self._note(name)
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            names, self._changed = self._changed, {}
            found = await asyncio.gather(*map(self._tried, names))
            errors = [error for error in found if error is not None]
            if errors:
                failures.note(errors[0])
            else:
                failures.forget()
            await failures.pause()

    def _come(self, kind: Kind) -> None:
        if kind.verbs and (kind.group, kind.version) not in BUILT_IN:
            place = (kind.group, kind.version)
            self._custom[place] += 1
            self._custom_names[name_of(*place)] = place
            self._note(name_of(*place))

    def _gone(self, kind: Kind) -> None:
        place = (kind.group, kind.version)
        if not kind.verbs or place not in self._custom:
            return
        self._custom[place] -= 1
        if not self._custom[place]:
            del self._custom[place]
            del self._custom_names[name_of(*place)]
        self._note(name_of(*place))

    def _note(self, name: str) -> None:
        if name in self._unseen and (head := self._services.find(name)) and head.is_available:
            self._unseen.discard(name)
        self._changed[name] = None
        self._has_changed.set()

    async def _tried(self, name: str) -> ApiError | None:
        """Keep an APIService; return why it could not be done, and has to be tried again."""
        try:
            await self._keep(name)
        except ApiError as error:
            self._note(name)
            return error
        return None

    async def _keep(self, name: str) -> None:
        action = decide(
            self._wanted(name),
            self._services.read(name),
            was_there=name in self._at_start,
            is_done=name in self._done,
        )
        if action is not None:
            await self._execute(action)
        self._done.add(name)

    def _wanted(self, name: str) -> Json | None:
        place = self._custom_names.get(name)
        return local(*place) if place is not None else self._built_in.get(name)

    async def _execute(self, action: Action) -> None:
        """Write; that another apiserver was faster is as good, and comes as a change.

        Raises:
            ApiError: the registry refuses for another reason, or the store does not answer.
        """
        kind = served.API_SERVICES
        with suppress(AlreadyExists, Conflict, NotFound):
            match action:
                case Create(obj):
                    await self._registry.create(
                        own_request("create", kind, writing=_AS, body=objects.to_json(obj))
                    )
                case Replace(obj):
                    name = metadata(obj)["name"]
                    await self._registry.update(
                        own_request("update", kind, name=name, writing=_AS, body=objects.to_json(obj))
                    )
                case Remove(name, uid):
                    await self._registry.delete(
                        own_request("delete", kind, name=name, deleting=DeleteOptions(uid=uid))
                    )

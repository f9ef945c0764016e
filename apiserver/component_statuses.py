"""ComponentStatuses: the store is asked for its revision, the leases of the other components are read."""

from __future__ import annotations

import asyncio
from typing import Final

from apiserver import objects
from apiserver.core import answers, component_health
from apiserver.core.kind import Kind, make_kind
from apiserver.core.values import spec
from apiserver.lookup import own_request
from apiserver.objects import CachedObject
from apiserver.registry.posted import Posted
from apiserver.registry.reads import Reads, selection
from apiserver.request import ListReply, ObjectReply, Request, SharedItems
from apiserver.storage.interface import Storage
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s import served

_KIND: Final = make_kind(served.COMPONENT_STATUSES)  # its rules are those of every kind; nothing is stored
_NAMESPACE: Final = "kube-system"  # of the components' leases


class ComponentStatuses:
    """Answers get and list."""

    def __init__(self, storage: Storage, reads: Reads, leases: Kind, clock: Clock) -> None:
        self._storage = storage
        self._reads = reads
        self._leases = leases
        self._clock = clock

    async def get(self, request: Request, _posted: Posted) -> ObjectReply:
        """Read the status of one component.

        Raises:
            NotFound: there is no component of this name.
        """
        if request.name not in component_health.NAMES:
            raise answers.not_found(_KIND, request.name)
        return ObjectReply((await self._status(request.name)).json)

    async def list(self, request: Request) -> ListReply:
        """Read the statuses of the components that are selected, all in one page.

        Raises:
            BadRequest: a selector makes no sense.
        """
        selected = selection(_KIND, request)
        every = await asyncio.gather(*map(self._status, component_health.NAMES))
        found = SharedItems([each for each in every if selected.matches(each)])
        return ListReply(_KIND.api_version, _KIND.kind, found, 0, is_cached=False, items_say_kind=False)

    async def _status(self, name: str) -> CachedObject:
        try:
            problem = await self._problem(name)
        except ApiError as error:
            problem = error.message
        status = component_health.status_of(_KIND, name, problem)
        return CachedObject(name, objects.to_json(status), 0, "", {}, {"metadata.name": name})

    async def _problem(self, name: str) -> str:
        if name == component_health.STORE:
            await self._storage.revision()
            return self._storage.problem
        lease_name = component_health.LEASES[name]
        asked = own_request("get", self._leases, namespace=_NAMESPACE, name=lease_name)
        lease = await self._reads.current(self._leases, asked)
        renewed = spec(lease).get("renewTime")
        renewed_s = self._clock.timescale.parse(renewed) if renewed else 0.0
        return component_health.lease_problem(lease, renewed_s, self._clock.now())

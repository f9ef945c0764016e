"""Keeps the Service `kube-dns` and this server's slice in place, where the server is no workload of the cluster.

The two are applied at the start and whenever either has changed; the same again costs the apiserver a request and nobody an
event. A Service that selects pods is somebody else's DNS: then the slice is taken away. At the end it stays: a server that
is restarted is back before anybody could find another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from dns.core.announced import NAMESPACE, SERVICE, is_ours_to_announce, service_object, slice_object
from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import NotFound
from machinery.model.insist import insist, tell_first
from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.log import EventLog
from machinery.model.requests import PatchType
from machinery.model.resources import ENDPOINT_SLICES, SERVICES
from machinery.model.store import Change, Store, key_of

BACKOFF: Final = Backoff(0.1, 5.0)  # wall seconds


class Announcement:
    """Says where the server is."""

    def __init__(
        self,
        api: Api,
        services: Store[Service],
        *,
        name: str,
        address: str,
        port: int,
        cluster_ip: str,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._api = api
        self._services = services
        self._service = service_object(cluster_ip)
        self._slice = slice_object(f"{SERVICE}-{name}", address, port)
        self._slice_key = (NAMESPACE, f"{SERVICE}-{name}")
        self._clock = clock
        self._log = log
        self._dirty = asyncio.Event()
        self._dirty.set()

    def on_service(self, change: Change[Service]) -> None:
        """Note that the Service has changed; like the other a callback of an informer."""
        if key_of(change.object) == (NAMESPACE, SERVICE):
            self._dirty.set()

    def on_slice(self, change: Change[EndpointSlice]) -> None:
        """Note that the slice has changed."""
        if key_of(change.object) == self._slice_key:
            self._dirty.set()

    async def run(self, on_announced: Callable[[], None]) -> None:
        """Announce until cancelled; tell of each success."""
        told = tell_first(self._log.warning, "announcement_failed", every=20)
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await insist(self._announce, self._clock, BACKOFF, told)
            on_announced()

    async def _announce(self) -> None:
        if not is_ours_to_announce(self._services.get(NAMESPACE, SERVICE)):
            await self._withdraw()
            return
        apply = PatchType.APPLY
        await self._api.patch(SERVICES, SERVICE, self._service, namespace=NAMESPACE, kind=apply)
        await self._api.patch(
            ENDPOINT_SLICES, self._slice_key[1], self._slice, namespace=NAMESPACE, kind=apply
        )

    async def _withdraw(self) -> None:
        try:
            await self._api.delete(ENDPOINT_SLICES, self._slice_key[1], namespace=NAMESPACE)
        except NotFound:
            return
        self._log.info("withdrawn", why="the Service kube-dns selects pods")

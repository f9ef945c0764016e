"""The Service `kubernetes` and its endpoints: the apiservers that are alive.

Each apiserver keeps a key with a ttl in the store, and now and then writes the addresses of all that have one into
the EndpointSlice. One that dies is gone from it when its keys are. There are two keys, renewed in turn, since a ttl
cannot be prolonged: one of them is always there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Final, NamedTuple

from apiserver import objects
from apiserver.bootstrap import Bootstrap
from apiserver.core import bootstrap
from apiserver.core.values import Json
from apiserver.storage.interface import Differs, Storage
from apiserver.watch_cache_feed import Feed
from machinery.model.errors import ApiError, Invalid
from machinery.model.k8s import served
from machinery.model.log import EventLog

PERIOD_S: Final = 10.0  # wall seconds
_TTL_S: Final = 15  # wall seconds, more than a period; the store may double it
_PREFIX: Final = "/registry/masterleases/"
_PLACE: Final = "default/kubernetes"
_CIDR_PLACE: Final = "kubernetes"


class Addresses(NamedTuple):
    """Where the apiservers are found: the Service's address, and this apiserver's own."""

    service_ip: str
    address: str
    port: int
    service_cidrs: tuple[str, ...] = ()  # of the ServiceCIDR `kubernetes`; none is written without


class Presence:
    """Keeps this apiserver among the endpoints of the Service `kubernetes`."""

    def __init__(
        self, storage: Storage, feed: Feed, bootstrap_: Bootstrap, addresses: Addresses, log: EventLog
    ) -> None:
        self._storage = storage
        self._feed = feed
        self._bootstrap = bootstrap_
        self._service = bootstrap.kubernetes_service(addresses.service_ip, addresses.port)
        self._address, self._port = addresses.address, addresses.port
        self._service_cidrs = addresses.service_cidrs
        self._failures = 0
        self._keys = cycle(f"{_PREFIX}{self._address}/{number}" for number in (0, 1))
        self._log = log

    async def keep(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look after it for ever; `sleep` takes wall seconds."""
        while True:
            await sleep(PERIOD_S)
            await self.ensure()

    async def ensure(self) -> None:
        """Write what is missing: Service, own key, endpoints. What does not work now is tried again later."""
        try:
            await self._ensure()
            self._failures = 0
        except ApiError as error:
            if not self._failures:
                self._log.warning("kubernetes_service_not_kept", error=error)
            self._failures += 1

    async def _ensure(self) -> None:
        await self._feed.fresh()
        if self._feed.cache(served.SERVICES).get(_PLACE) is None:
            await self._create_service()
        if self._service_cidrs and self._feed.cache(served.SERVICE_CIDRS).get(_CIDR_PLACE) is None:
            await self._bootstrap.create(bootstrap.kubernetes_cidr(self._service_cidrs))
        if bootstrap.can_be_endpoint(self._address):
            await self._renew(next(self._keys))
            await self._show(await self._alive())

    async def _create_service(self) -> None:
        try:
            await self._bootstrap.create(self._service)
        except Invalid:  # its address is taken: by the same Service, if another apiserver was faster
            await self._feed.fresh()
            if self._feed.cache(served.SERVICES).get(_PLACE) is None:
                raise

    async def _renew(self, key: str) -> None:
        outcome = await self._storage.create(key, self._address.encode(), ttl_s=_TTL_S)
        if isinstance(outcome, Differs) and outcome.current:
            await self._storage.delete(key, outcome.current.revision)
            await self._storage.create(key, self._address.encode(), ttl_s=_TTL_S)

    async def _alive(self) -> list[str]:
        page = await self._storage.list(_PREFIX)
        return sorted({item.value.decode() for item in page.items} | {self._address})

    async def _show(self, addresses: list[str]) -> None:
        wanted = bootstrap.kubernetes_endpoints(addresses, self._port)
        found = self._feed.cache(served.ENDPOINT_SLICES).get(_PLACE)
        if found is None:
            await self._bootstrap.create(wanted)
        elif not bootstrap.shows(current := objects.decode(found.json), addresses, self._port):
            changed = {"endpoints": wanted["endpoints"], "ports": wanted["ports"]}
            await self._bootstrap.update({**current, **changed})
        await self._show_endpoints(bootstrap.kubernetes_endpoints_object(addresses, self._port))

    async def _show_endpoints(self, wanted: Json) -> None:
        """Write the same in the older form."""
        found = self._feed.cache(served.ENDPOINTS).get(_PLACE)
        if found is None:
            await self._bootstrap.create(wanted)
        elif (current := objects.decode(found.json)).get("subsets") != wanted["subsets"]:
            await self._bootstrap.update({**current, "subsets": wanted["subsets"]})

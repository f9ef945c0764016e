"""The DNS server, put together: informers of Services, EndpointSlices and namespaces, and the sockets.

Questions are answered from when all three are known: until then nobody listens, and clients ask again.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from dns.announcement import Announcement
from dns.answering import MOST_HOT, Answering
from dns.config import DnsConfig
from dns.core.hot import HotAnswers
from dns.core.settings import Settings
from dns.core.upstream import Remembered, Upstream, read_nameservers
from dns.core.zone import (
    BY_ADDRESS,
    BY_SERVICE,
    View,
    Zone,
    addresses_of_service,
    addresses_of_slice,
    services_of,
    tags_of_service,
    tags_of_slice,
)
from dns.exchange import exchange
from dns.forwarder import Forwarder
from dns.listeners import Doors
from dns.pages import AnswerMetrics, HealthPages
from dns.settings import FollowedSettings
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.fields import IDENTITY, trimmer
from machinery.model.k8s.core_v1 import Namespace, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.resources import ENDPOINT_SLICES, NAMESPACES, SERVICES
from machinery.model.store import Change
from machinery.process.control import served_on_tcp
from machinery.process.run import Process

SERVICE_FIELDS: Final = (
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.externalName",
    "spec.ports",
    "spec.selector",
    "spec.type",
)
SLICE_FIELDS: Final = ("addressType", "endpoints", "metadata.labels", "ports")
_MOST_REMEMBERED: Final = 2_000  # answers of other servers


async def serve(config: DnsConfig, process: Process) -> None:
    """Run until cancelled.

    Raises:
        ListenError: an address cannot be listened on.
    """
    api = process.connect()
    try:
        await Dns(config, process, api).run()
    finally:
        await api.aclose()


class Dns:
    """The informers and the sockets."""

    def __init__(self, config: DnsConfig, process: Process, api: Api) -> None:
        self._config = config
        self._process = process
        self._api = api
        clock, log = process.clock, process.log
        self._services: Informer[Service] = Informer(
            api,
            SERVICES,
            clock=clock,
            indexers={BY_ADDRESS: addresses_of_service},
            keep=trimmer(Service, SERVICE_FIELDS),
            log=log,
        )
        self._slices: Informer[EndpointSlice] = Informer(
            api,
            ENDPOINT_SLICES,
            clock=clock,
            indexers={BY_SERVICE: services_of, BY_ADDRESS: addresses_of_slice},
            keep=trimmer(EndpointSlice, SLICE_FIELDS),
            log=log,
        )
        self._namespaces: Informer[Namespace] = Informer(
            api, NAMESPACES, clock=clock, keep=trimmer(Namespace, IDENTITY), log=log
        )
        view = View(self._services.store, self._slices.store, self._namespaces.store)
        self._zone = Zone(view, config.cluster_domain.strip(".").lower(), ttl_s=config.ttl_s)
        self._hot = HotAnswers(MOST_HOT)
        self._flags = self._others = (
            self._upstream()
        )  # whom to ask: by the flags, and by the settings over them
        self._forwarder: Forwarder | None = None
        self._settings = FollowedSettings(api, self._use, clock=clock, log=log)
        self._is_open = False
        process.health.add_check(
            "sync", lambda: "" if self._is_open else "the cluster's objects are not known yet"
        )

    async def run(self) -> None:
        """Watch and answer until cancelled."""
        informers = (self._services, self._slices, self._namespaces)
        async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
            config, pages = self._config, HealthPages(self._process.health)
            for listen in dict.fromkeys((config.health_listen, config.ready_listen, config.metrics_listen)):
                await stack.enter_async_context(served_on_tcp(pages, listen))
            tasks.create_task(self._settings.run(), name="settings")
            for informer in informers:
                tasks.create_task(informer.run(), name=f"informer-{informer.resource.plural}")
            for informer in informers:
                await informer.synced()
            self._services.subscribe(self._on_service)
            self._slices.subscribe(self._on_slice)
            self._namespaces.subscribe(self._on_namespace)
            doors = self._make_doors(tasks)
            await self._settings.known()
            ports = await doors.open(self._config.doors)
            self._is_open = True
            try:
                await self._announce(ports[0])
            finally:
                doors.close()

    def _make_doors(self, tasks: asyncio.TaskGroup) -> Doors:
        config, process = self._config, self._process
        self._forwarder = Forwarder(
            self._others,
            exchange,
            Remembered(_MOST_REMEMBERED, config.remembered_s),
            tasks=tasks,
            clock=process.clock,
            log=process.log,
            timeout_s=config.upstream_timeout_s,
            most=config.most_forwarded,
            failures=process.metrics.counter(
                "dns_upstream_failures_total", "Questions that another server left without answer", ["server"]
            ),
        )
        answering = Answering(self._zone, self._hot, self._forwarder)
        process.metrics.add(AnswerMetrics(answering.tally))
        return Doors(
            answering,
            tasks=tasks,
            clock=process.clock,
            most_connections=config.most_connections,
            idle_s=config.idle_s,
        )

    async def _announce(self, port: int) -> None:
        """Say where the server is, for as long as it runs; a workload of the cluster need not."""
        config, process = self._config, self._process
        if not config.announce_address:
            process.ready()
            await asyncio.Event().wait()
        announcement = Announcement(
            self._api,
            self._services.store,
            name=process.name,
            address=config.announce_address,
            port=config.announce_port or port,
            cluster_ip=config.cluster_dns,
            clock=process.clock,
            log=process.log,
        )
        self._services.subscribe(announcement.on_service)
        self._slices.subscribe(announcement.on_slice)
        await announcement.run(process.ready)

    def _use(self, settings: Settings) -> None:
        """Answer by other settings from now on."""
        self._others = settings.over(self._flags)
        self._zone.hosts = settings.hosts
        self._zone.note_change()
        self._hot.clear()
        if self._forwarder is not None:
            self._forwarder.use(self._others)

    def _upstream(self) -> Upstream:
        config = self._config
        own = {config.cluster_dns, config.announce_address, *(door.host for door in config.doors)}
        servers = config.servers or read_nameservers(_read(config.resolv_conf), own)
        return Upstream(tuple(servers), config.stubs)

    def _on_service(self, change: Change[Service]) -> None:
        self._forget(tags_of_service(change))

    def _on_slice(self, change: Change[EndpointSlice]) -> None:
        self._forget(tags_of_slice(change))

    def _on_namespace(self, change: Change[Namespace]) -> None:
        if change.old is None or change.new is None:
            self._forget({f"{change.object.metadata.name}/"})

    def _forget(self, tags: set[str]) -> None:
        if tags:
            self._zone.note_change()
            self._hot.drop(tags)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""

"""The proxy, put together: informers of Services, EndpointSlices and Nodes, and for each family of addresses a loop that writes to the kernel.

Run in the node's network namespace, as root of it (CAP_NET_ADMIN). At the end nothing is taken away: pods go on
reaching Services while the proxy is being restarted.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Final, NamedTuple

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.fields import trimmer
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.load_balancers import ANNOUNCER
from machinery.model.resources import ENDPOINT_SLICES, NODES, SERVICES
from machinery.process.run import Process
from proxy.addresses import Addresses
from proxy.cleanup import clean_up
from proxy.commands import Commands
from proxy.config import ProxyConfig
from proxy.conntrack import Conntrack
from proxy.core.desired import Desired
from proxy.core.families import Family, family_of
from proxy.core.topology import ZONE_LABEL
from proxy.health import HealthServers
from proxy.nft import Nft, Turns
from proxy.peers import Peers
from proxy.policing import Policing
from proxy.redirects import switch_off_redirects
from proxy.routes import Routes, enable_forwarding, sees_bridged
from proxy.sync import BY_SERVICE, Kernel, Stores, Syncer, services_of

SERVICE_FIELDS: Final = (
    f"metadata.annotations[{ANNOUNCER}]",
    "metadata.labels",
    "spec",
    "status.loadBalancer.ingress",
)
SLICE_FIELDS: Final = ("addressType", "endpoints", "metadata.labels", "ports")
NODE_FIELDS: Final = (f"metadata.labels[{ZONE_LABEL}]", "spec", "status.addresses")
_MIN_PERIOD_S: Final = 5.0  # wall seconds: a fast cluster clock is no reason to look all the time


async def serve(config: ProxyConfig, process: Process) -> None:
    """Run until cancelled; the rules stay. With `--cleanup` remove them instead.

    Raises:
        CommandError: the node does not forward packets, and cannot be made to; or something could not be removed.
    """
    if config.cleanup:
        await clean_up(Commands(process.clock, config.command_timeout_s), process.log)
        return
    if not config.tunnel:
        for cidr in config.cluster_cidr.split(","):
            enable_forwarding(family_of(cidr))
        if kept := switch_off_redirects():
            process.log.info("redirects_kept", interfaces=kept)
    api = process.connect()
    try:
        await (Peers if config.tunnel else Proxy)(config, process, api).run()
    finally:
        await api.aclose()


class _Plane(NamedTuple):
    """What serves one family of addresses."""

    desired: Desired
    health: HealthServers
    syncer: Syncer


class Proxy:
    """The informers of one node, and a loop for each family of addresses."""

    def __init__(self, config: ProxyConfig, process: Process, api: Api) -> None:
        self._process = process
        clock, log = process.clock, process.log
        self._services: Informer[Service] = Informer(
            api, SERVICES, clock=clock, keep=trimmer(Service, SERVICE_FIELDS), log=log
        )
        self._slices: Informer[EndpointSlice] = Informer(
            api,
            ENDPOINT_SLICES,
            clock=clock,
            indexers={BY_SERVICE: services_of},
            keep=trimmer(EndpointSlice, SLICE_FIELDS),
            log=log,
        )
        self._nodes: Informer[Node] = Informer(
            api, NODES, clock=clock, keep=trimmer(Node, NODE_FIELDS), log=log
        )
        self._elapsed = process.metrics.histogram("proxy_sync_seconds", "Wall time of a successful sync")
        turns, stores = Turns(), Stores(self._services.store, self._slices.store, self._nodes.store)
        self._unwritten = {family_of(each) for each in config.cluster_cidr.split(",")}
        self._planes = [
            self._make_plane(config, cidr, stores, turns) for cidr in config.cluster_cidr.split(",")
        ]
        self._policing: Policing | None = None
        if config.network_policies:
            policies = [each.desired.policies for each in self._planes]
            self._policing = Policing(api, policies, self._wake, clock=clock, log=log)
            for each, look in zip(self._planes, self._policing.looks, strict=True):
                each.syncer.look_also(look)
        process.health.add_check("sync", self._problem)

    async def run(self) -> None:
        """Watch and write until cancelled."""
        async with AsyncExitStack() as doors, asyncio.TaskGroup() as tasks:
            for plane in self._planes:
                await doors.enter_async_context(plane.health)
            for informer in (self._services, self._slices, self._nodes):
                tasks.create_task(informer.run(), name=f"informer-{informer.resource.plural}")
            for informer in (self._services, self._slices, self._nodes):
                await informer.synced()
            for plane in self._planes:
                self._services.subscribe(plane.syncer.on_service)
                self._slices.subscribe(plane.syncer.on_slice)
                self._nodes.subscribe(plane.syncer.on_node)
            if self._policing:
                tasks.create_task(self._policing.run(), name="policing")
                await self._policing.known()
            for plane in self._planes:
                tasks.create_task(plane.syncer.run(), name=f"sync-{plane.desired.family.name}")

    def _make_plane(self, config: ProxyConfig, cidr: str, stores: Stores, turns: Turns) -> _Plane:
        """Make what serves one family of addresses."""
        process, family = self._process, family_of(cidr)
        commands = Commands(process.clock, config.command_timeout_s)
        health = HealthServers(lambda: not self._problem(), process.log, family)
        desired = Desired(
            config.node_name,
            cidr,
            sees_bridged=sees_bridged(family),
            node_ports=config.nodeport_addresses,
            family=family,
        )
        kernel = Kernel(
            Nft(commands, process.log, family, turns),
            Routes(commands, family),
            Conntrack(commands, family),
            health,
            Addresses(commands, process.log, family),
        )
        syncer = Syncer(
            desired,
            stores,
            kernel,
            clock=process.clock,
            log=process.log,
            period_s=max(config.sync_period_s, process.clock.timescale.cluster(_MIN_PERIOD_S)),
            min_gap_s=config.min_sync_gap_s,
            on_success=partial(self._on_success, family),
        )
        return _Plane(desired, health, syncer)

    def _problem(self) -> str:
        return "; ".join(filter(None, (each.syncer.problem for each in self._planes)))

    def _wake(self) -> None:
        for each in self._planes:
            each.syncer.wake()

    def _on_success(self, family: Family, elapsed_s: float) -> None:
        self._elapsed.observe(elapsed_s)
        self._unwritten.discard(family)
        if not self._unwritten:
            self._process.ready()

"""The proxy, put together: informers of Services, EndpointSlices and Nodes, and the loop that writes to the kernel.

Run in the node's network namespace, as root of it (CAP_NET_ADMIN). At the end nothing is taken away: pods go on
reaching Services while the proxy is being restarted.
"""

from __future__ import annotations

import asyncio
from typing import Final

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
from proxy.core.topology import ZONE_LABEL
from proxy.health import HealthServers
from proxy.nft import Nft
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
        enable_forwarding()
        if kept := switch_off_redirects():
            process.log.info("redirects_kept", interfaces=kept)
    api = process.connect()
    try:
        await (Peers if config.tunnel else Proxy)(config, process, api).run()
    finally:
        await api.aclose()


class Proxy:
    """The informers and the loop of one node."""

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
        self._desired = Desired(
            config.node_name,
            config.cluster_cidr,
            sees_bridged=sees_bridged(),
            node_ports=config.nodeport_addresses,
        )
        self._elapsed = process.metrics.histogram("proxy_sync_seconds", "Wall time of a successful sync")
        self._health = HealthServers(lambda: not self._syncer.problem, process.log)
        self._syncer = self._make_syncer(config)
        self._policing: Policing | None = None
        if config.network_policies:
            self._policing = Policing(api, self._desired.policies, self._syncer.wake, clock=clock, log=log)
            self._syncer.look_also(self._policing.look)
        process.health.add_check("sync", lambda: self._syncer.problem)

    async def run(self) -> None:
        """Watch and write until cancelled."""
        async with self._health, asyncio.TaskGroup() as tasks:
            for informer in (self._services, self._slices, self._nodes):
                tasks.create_task(informer.run(), name=f"informer-{informer.resource.plural}")
            for informer in (self._services, self._slices, self._nodes):
                await informer.synced()
            self._services.subscribe(self._syncer.on_service)
            self._slices.subscribe(self._syncer.on_slice)
            self._nodes.subscribe(self._syncer.on_node)
            if self._policing:
                tasks.create_task(self._policing.run(), name="policing")
                await self._policing.known()
            await self._syncer.run()

    def _make_syncer(self, config: ProxyConfig) -> Syncer:
        process = self._process
        commands = Commands(process.clock, config.command_timeout_s)
        return Syncer(
            self._desired,
            Stores(self._services.store, self._slices.store, self._nodes.store),
            Kernel(
                Nft(commands, process.log),
                Routes(commands),
                Conntrack(commands),
                self._health,
                Addresses(commands, process.log),
            ),
            clock=process.clock,
            log=process.log,
            period_s=max(config.sync_period_s, process.clock.timescale.cluster(_MIN_PERIOD_S)),
            min_gap_s=config.min_sync_gap_s,
            on_success=self._on_success,
        )

    def _on_success(self, elapsed_s: float) -> None:
        self._elapsed.observe(elapsed_s)
        self._process.ready()

"""The ingress controller, put together: informers, the loop that configures the proxy, and the proxy itself.

Until everything is known and the proxy has its first configuration nobody listens. At the end the proxy takes nothing new and
finishes what it has.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Final

from ingress.config import IngressConfig
from ingress.default_certificate import make_default_certificate
from ingress.gateway_reporting import GatewayReporter
from ingress.generations import Generations
from ingress.haproxy import HAProxy, ProxyError
from ingress.reporting import Reporter
from ingress.syncer import Source, Syncer
from ingress.watching import Watched
from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.client.leader import LeaderElector
from machinery.model.k8s.core_v1 import Service
from machinery.model.profile import intervals
from machinery.process.instance import is_own_past, new_identity
from machinery.process.run import Process

COMPONENT: Final = "ingress"
_FINISH_S: Final = 7.0  # wall seconds, of those that a process has to drain in


async def serve(config: IngressConfig, process: Process) -> None:
    """Run until cancelled.

    Raises:
        ProxyError: the proxy has ended, or cannot be started.
        OSError: the folder for its configuration cannot be written to.
    """
    api = _connect(config, process)
    try:
        await Controller(config, process, api).run()
    finally:
        await api.aclose()


def _connect(config: IngressConfig, process: Process) -> Api:
    """Open the door to the apiserver: as the ServiceAccount whose token there is, else with a certificate."""
    if not config.token_file:
        return process.connect()
    from machinery.client.rest_transport import Token, connect_rest

    token = Token(config.token_file, config.ca_file, server_name=config.tls_server_name)
    return connect_rest(
        config.server, token, caller=process.name, seam=process.seam, clock=process.clock, log=process.log
    )


def has_ipv6() -> bool:
    """Whether something can listen by IPv6 here."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


class Controller:
    """The parts."""

    def __init__(self, config: IngressConfig, process: Process, api: Api) -> None:
        self._config = config
        self._process = process
        self._api = api
        clock, log = process.clock, process.log
        self._watched = Watched(api, clock, log, config.publish_service)
        self._events = EventRecorder(api, component=COMPONENT, host=process.name, clock=clock, log=log)
        gateways, services = self._watched.gateways, self._watched.services.store
        front = GatewayReporter(
            api, gateways, services, self._published, config.controller, clock=clock, log=log
        )
        ingresses, classes = self._watched.ingresses.store, self._watched.classes.store
        self._reporter = Reporter(
            api, self._events, ingresses, classes, self._published, front, clock=clock, log=log
        )
        self._generations = Generations(config.state_dir)
        self._haproxy = HAProxy(
            config.haproxy,
            self._generations.current,
            config.proxy.admin_socket,
            clock=clock,
            reload_s=config.reload_timeout_s,
        )
        self._reloads = process.metrics.counter("ingress_reloads_total", "New configurations of the proxy")
        self._syncer = self._make_syncer()
        process.health.add_check("proxy", lambda: self._syncer.problem)

    async def run(self) -> None:
        """Watch and configure until cancelled.

        Raises:
            ProxyError: the proxy has ended by itself.
        """
        self._generations.clear()
        async with asyncio.TaskGroup() as tasks:
            await self._watched.begin(tasks)
            self._watched.tell(self._syncer)
            self._watched.ingresses.subscribe(lambda _change: self._reporter.wake())
            self._watched.services.subscribe(lambda _change: self._reporter.wake())
            self._watched.gateways.subscribe(lambda _change: self._reporter.wake())
            tasks.create_task(self._events.run(), name="events")
            tasks.create_task(
                self._reporter.run(self._candidate if self._config.lease else None), name="report"
            )
            tasks.create_task(self._watch_proxy(), name="proxy")
            try:
                await self._syncer.run()
            finally:
                await self._haproxy.end(_FINISH_S)

    def _make_syncer(self) -> Syncer:
        config, process = self._config, self._process
        certificate = make_default_certificate(process.clock.wall_ns() / 1e9)
        source = Source(self._watched.view, self._watched.slices_of, config.controller, certificate)
        return Syncer(
            source,
            self._haproxy,
            self._generations,
            replace(config.proxy, by_ipv6=has_ipv6()),
            clock=process.clock,
            log=process.log,
            reload_gap_s=config.reload_gap_s,
            on_plan=self._reporter.on_plan,
            on_success=self._on_success,
        )

    def _on_success(self, reloaded: bool) -> None:  # noqa: FBT001 - a callback
        if reloaded:
            self._reloads.add(1)
        self._reporter.on_running()
        self._process.ready()

    async def _watch_proxy(self) -> None:
        code = await self._haproxy.ended()
        if not self._haproxy.is_ending:
            raise ProxyError(f"the proxy has ended with {code}")

    def _candidate(self) -> LeaderElector:
        namespace, name = self._config.lease.split("/")
        identity, table = new_identity(self._process.name), intervals(self._config.profile)
        return LeaderElector(
            self._api,
            namespace=namespace,
            name=name,
            identity=identity,
            clock=self._process.clock,
            lease_duration_s=table.leader_lease_s,
            renew_deadline_s=table.leader_renew_deadline_s,
            retry_period_s=table.leader_retry_s,
            is_own_past=lambda holder: is_own_past(holder, identity),
            log=self._process.log,
        )

    def _published(self) -> Service | None:
        if not self._config.publish_service:
            return None
        return self._watched.services.store.get(*self._config.publish_service.split("/"))

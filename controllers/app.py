"""The controllers, put together: shared informers, a candidate for the lease, and, while it leads, every controller."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial as bind
from pathlib import Path
from typing import Any, Final

from controllers.config import ControllersConfig
from controllers.core.actions import Count
from controllers.core.api_services import API_SERVICES, ApiService
from controllers.core.caches import Caches, Source
from controllers.core.controller import (
    Autoscaling,
    Build,
    Controller,
    EvictionRates,
    Settings,
    SignCertificate,
    SignToken,
)
from controllers.core.definitions import DEFINITIONS, Definition
from controllers.core.kinds import KINDS
from controllers.custom_kinds import CustomKinds, LaterKindsOf, note
from controllers.informers import Informers
from controllers.manager import Manager
from controllers.other_kinds import OtherKinds
from controllers.own_metrics import OwnMetrics, count_in
from controllers.signing import Authority
from controllers.switches import switched_on
from controllers.table import CONTROLLERS
from machinery.client.api import Api
from machinery.client.fenced import fenced
from machinery.client.leader import LeaderElector, component_candidate
from machinery.client.limited import limited
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.model.profile import intervals
from machinery.process import published_schemas
from machinery.process.instance import is_own_past, new_identity
from machinery.process.run import Process
from machinery.wire.objects import decoder_for

LEASE: Final = "kube-controller-manager"
REQUESTS_AT_ONCE: Final = 24  # of all controllers together: the lease and the caches are not among them


async def serve(
    config: ControllersConfig, process: Process, *, random_ints: Callable[[int], int] = secrets.randbelow
) -> None:
    """Follow the cluster, and control it while we hold the lease, until cancelled; `random_ints` makes new names.

    Raises:
        LeadershipLost: the lease could not be kept; the process ends, and starts afresh.
    """
    api = process.connect()
    settings = _settings(config)
    identity = new_identity(process.name)
    controllers = build(
        api,
        process.clock,
        process.log,
        settings,
        identity=identity,
        table=switched_on(config.controllers, CONTROLLERS),
        random_ints=random_ints,
        checks_writes=config.check_invariants,
        count=bind(count_in, process.metrics),
    )
    queues = {manager.name: manager.queue for manager in controllers.managers}
    process.metrics.add(OwnMetrics(LEASE, queues, lambda: controllers.elector.is_leading))
    try:
        await controllers.run(process.ready)
    finally:
        await api.aclose()


def build(
    api: Api,
    clock: Clock,
    log: EventLog,
    settings: Settings,
    *,
    identity: str,
    table: Iterable[Build] = CONTROLLERS,
    random_ints: Callable[[int], int] = secrets.randbelow,
    checks_writes: bool = False,
    count: Callable[[Count], None] = lambda _count: None,
) -> Controllers:
    """Build every controller of the table over caches that they share, and the candidate for their lease.

    With `checks_writes` a controller that writes what it does not declare ends the process.

    Raises:
        ValueError: what two controllers ask of one cache contradicts.
    """
    caches, controllers = _asking(table, settings)
    definitions, services = _asked_for_kinds(caches)
    informers = Informers(caches, api, clock, log)
    for controller in controllers:
        for noted in controller.notes:
            informers.subscribe(noted.source, bind(note, noted, clock))
    elector = _elector(api, clock, log, settings, identity)
    leading = limited(fenced(api, elector.fence, elector.held), REQUESTS_AT_ONCE)
    managers = [
        Manager(
            controller,
            informers,
            leading,
            clock=clock,
            log=log,
            random_ints=random_ints,
            checks_writes=checks_writes,
            count=count,
        )
        for controller in controllers
    ]
    kinds = LaterKindsOf(caches, informers, controllers, managers, clock)
    informers.subscribe(definitions, CustomKinds(kinds).follow)
    others = OtherKinds(api, kinds, clock, log)
    informers.subscribe(services, others.follow)
    return Controllers(informers, managers, elector, others)


def _settings(config: ControllersConfig) -> Settings:
    return Settings(
        intervals=intervals(config.profile),
        kinds=KINDS,
        cluster_cidr=config.cluster_cidr,
        load_balancer_pool=config.load_balancer_pool,
        root_ca=_read(config.root_ca_file),
        sign_token=_signer_of_tokens(config.service_account_private_key_file),
        sign_certificate=_signing(config),
        published=published_schemas.document,
        evictions=EvictionRates(
            config.node_eviction_rate,
            config.secondary_node_eviction_rate,
            config.large_cluster_size_threshold,
            config.unhealthy_zone_threshold,
        ),
        ended_pods=config.terminated_pod_gc_threshold,
        autoscaling=Autoscaling(
            config.horizontal_pod_autoscaler_sync_period_s,
            config.horizontal_pod_autoscaler_downscale_stabilization_s,
            config.horizontal_pod_autoscaler_tolerance,
            config.horizontal_pod_autoscaler_cpu_initialization_period_s,
            config.horizontal_pod_autoscaler_initial_readiness_delay_s,
        ),
        signing_duration_s=config.cluster_signing_duration_s,
        legacy_token_period_s=config.legacy_service_account_token_clean_up_period_s,
    )


def _elector(api: Api, clock: Clock, log: EventLog, settings: Settings, identity: str) -> LeaderElector:
    return component_candidate(
        api,
        LEASE,
        identity=identity,
        clock=clock,
        table=settings.intervals,
        log=log,
        is_own_past=lambda holder: is_own_past(holder, identity),
    )


def prepare() -> None:
    """Make what every process would else make for itself: how objects are read, and cut down to what is kept of them.

    The processes that are forked afterwards share it.
    """
    caches, _ = _asking(CONTROLLERS, Settings(intervals("default"), KINDS))
    _asked_for_kinds(caches)
    for request in caches.requests.values():
        request.keep()
        decoder_for(request.resource.type)


def _asking(table: Iterable[Build], settings: Settings) -> tuple[Caches, list[Controller[Any]]]:
    """Return the controllers, and all caches that they have asked for."""
    caches = Caches()
    return caches, [build_one(caches, settings) for build_one in table]


def _asked_for_kinds(caches: Caches) -> tuple[Source[Definition], Source[ApiService]]:
    """Ask for what says which kinds there are beside those of the table."""
    fields = ("spec", "status")
    return caches.ask(DEFINITIONS, fields=fields), caches.ask(API_SERVICES, fields=fields)


@dataclass(frozen=True, slots=True)
class Controllers:
    """A process's share of controlling a cluster."""

    informers: Informers
    managers: list[Manager[Any]]
    elector: LeaderElector
    others: OtherKinds

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Follow the cluster, and control it while holding the lease, until cancelled.

        `on_ready` is called when the caches are in sync: a standby is as ready as a leader. On the way out the
        controllers end first, then the lease is released, then the informers end.

        Raises:
            LeadershipLost: the lease could not be kept.
        """
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(self.informers.run(), name="informers")
            discovering = tasks.create_task(self.others.run(), name="other-kinds")
            tasks.create_task(self._say_ready(on_ready), name="ready")
            await self.elector.run(self._control)
            following.cancel()
            discovering.cancel()

    async def _say_ready(self, on_ready: Callable[[], None]) -> None:
        await self.informers.synced()
        on_ready()

    async def _control(self) -> None:
        """Run every controller until cancelled, from caches that are in sync."""
        await self.informers.synced()
        async with asyncio.TaskGroup() as tasks:
            for manager in self.managers:
                tasks.create_task(manager.run(), name=manager.name)


def _signer_of_tokens(path: str) -> SignToken | None:
    """Return what signs tokens; the key is read when there is one to sign."""
    if not path:
        return None

    def sign(claims: dict[str, Any]) -> str:
        from machinery.process.token_key import TokenKey  # seldom needed

        return TokenKey.load(path).sign(claims)

    return sign


def _signing(config: ControllersConfig) -> SignCertificate | None:
    if not config.cluster_signing_cert_file:
        return None
    return Authority(config.cluster_signing_cert_file, config.cluster_signing_key_file).sign


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if path else ""

"""The controllers, put together: shared informers, a candidate for the lease, and, while it leads, every controller."""

from __future__ import annotations

import asyncio
import secrets
import socket
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from controllers.config import ControllersConfig
from controllers.informers import World
from controllers.manager import Manager
from controllers.specs import CONTROLLERS
from machinery.client.api import Api
from machinery.client.leader import LeaderElector
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.model.profile import Intervals, intervals
from machinery.process.run import Process

LEASE_NAMESPACE = "kube-system"
LEASE = "kube-controller-manager"


async def serve(
    config: ControllersConfig, process: Process, *, random_ints: Callable[[int], int] = secrets.randbelow
) -> None:
    """Follow the cluster, and control it while we hold the lease, until cancelled.

    On the way out the controllers end first, then the lease is released, then the informers end.

    Raises:
        LeadershipLost: the lease could not be kept; the process ends, and starts afresh.
    """
    api = process.connect()
    root_ca = _read(config.root_ca_file)
    world = World(api, process.clock, process.log, cluster_cidr=config.cluster_cidr, root_ca=root_ca)
    table = intervals(config.profile)
    try:
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(informer.run()) for informer in world.informers]
            tasks.create_task(_say_ready(world, process))
            await stand(
                world,
                api,
                process.clock,
                table,
                process.log,
                identity=_identity(),
                random_ints=random_ints,
            )
            for task in following:
                task.cancel()
    finally:
        await api.aclose()


async def stand(
    world: World,
    api: Api,
    clock: Clock,
    table: Intervals,
    log: EventLog,
    *,
    identity: str,
    random_ints: Callable[[int], int] = secrets.randbelow,
) -> None:
    """Be a candidate for the lease, and control the cluster while holding it, until cancelled.

    Raises:
        LeadershipLost: the lease could not be kept.
    """
    elector = LeaderElector(
        api,
        namespace=LEASE_NAMESPACE,
        name=LEASE,
        identity=identity,
        clock=clock,
        lease_duration_s=table.leader_lease_s,
        renew_deadline_s=table.leader_renew_deadline_s,
        retry_period_s=table.leader_retry_s,
        log=log,
    )
    await elector.run(partial(control, world, api, clock, table, log, random_ints=random_ints))


async def control(
    world: World,
    api: Api,
    clock: Clock,
    table: Intervals,
    log: EventLog,
    *,
    random_ints: Callable[[int], int] = secrets.randbelow,
) -> None:
    """Run every controller until cancelled, from caches that are in sync; `random_ints` makes new names."""
    await world.synced()
    async with asyncio.TaskGroup() as tasks:
        for row in CONTROLLERS:
            manager = Manager(row, world, api, clock, table, log, random_ints)
            tasks.create_task(manager.run(), name=row.name)


async def _say_ready(world: World, process: Process) -> None:
    """A standby is as ready as a leader: it follows the cluster, and stands for election."""
    await world.synced()
    process.ready()


def _identity() -> str:
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if path else ""

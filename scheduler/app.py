"""The scheduler, put together."""

from __future__ import annotations

import asyncio
import random
import socket
import uuid

from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.client.fenced import fenced
from machinery.client.leader import LeaderElector
from machinery.model.profile import intervals
from machinery.process.run import Process
from scheduler.binder import Binder
from scheduler.cluster_watch import ClusterWatch
from scheduler.config import SchedulerConfig
from scheduler.loop import SchedulingLoop
from scheduler.status_writer import StatusWriter

LEASE_NAMESPACE = "kube-system"
LEASE_NAME = "kube-scheduler"


async def serve(config: SchedulerConfig, process: Process) -> None:
    """Watch the cluster, stand for leader, schedule while leading; until cancelled."""
    api = process.connect()
    try:
        async with asyncio.TaskGroup() as tasks:
            await _serve(config, process, api, tasks)
    finally:
        await api.aclose()


async def _serve(config: SchedulerConfig, process: Process, api: Api, tasks: asyncio.TaskGroup) -> None:
    clock, log = process.clock, process.log
    woken = asyncio.Event()
    watch = ClusterWatch(api, scheduler_name=config.scheduler_name, clock=clock, log=log, on_change=woken.set)
    elector = _elector(config, process, api)
    leading = fenced(api, elector.fence) if config.leader_elect else api
    conditions = StatusWriter(leading, watch.pods.store, clock=clock, log=log)
    events = EventRecorder(
        api, component=config.scheduler_name, host=socket.gethostname(), clock=clock, log=log
    )
    loop = SchedulingLoop(
        watch,
        Binder(leading, timeout_s=config.bind_timeout_s, clock=clock, log=log),
        conditions,
        events,
        clock=clock,
        woken=woken,
        bindings=config.bindings,
        confirm_s=config.confirm_s,
        random=random.random,
        metrics=process.metrics,
        log=log,
    )
    helpers = [
        tasks.create_task(watch.run(), name="watch"),
        tasks.create_task(conditions.run(), name="conditions"),
        tasks.create_task(events.run(), name="events"),
    ]
    try:
        await watch.synced()
        process.ready()
        await elector.run(loop.run) if config.leader_elect else await loop.run()
    finally:
        for helper in helpers:
            helper.cancel()


def _elector(config: SchedulerConfig, process: Process, api: Api) -> LeaderElector:
    row = intervals(config.profile)
    return LeaderElector(
        api,
        namespace=LEASE_NAMESPACE,
        name=LEASE_NAME,
        identity=f"{process.name}_{socket.gethostname()}_{uuid.uuid4()}",
        clock=process.clock,
        lease_duration_s=row.leader_lease_s,
        renew_deadline_s=row.leader_renew_deadline_s,
        retry_period_s=row.leader_retry_s,
        log=process.log,
    )

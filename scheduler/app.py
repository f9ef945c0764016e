"""The scheduler, put together."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.client.fenced import fenced
from machinery.client.leader import LeaderElector, component_candidate
from machinery.client.limited import limited
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.model.profile import intervals
from machinery.process.instance import is_own_past, new_identity
from machinery.process.metrics import Metrics
from machinery.process.run import Process
from scheduler.binder import Binder
from scheduler.cluster_watch import ClusterWatch
from scheduler.config import SchedulerConfig
from scheduler.config_file import configured
from scheduler.core.configured.profiles import Configured
from scheduler.core.permit import WaitingPods
from scheduler.core.plugins.default_preemption import DefaultPreemption
from scheduler.core.plugins.dynamic_resources import DynamicResources
from scheduler.core.plugins.volume_binding import VolumeBinding
from scheduler.core.pod import PodInfo
from scheduler.core.profile import Profile
from scheduler.device_binder import DeviceBinder
from scheduler.extenders import Extenders
from scheduler.loop import SchedulingLoop
from scheduler.own_metrics import PodResources, SchedulerMetrics
from scheduler.own_plugins import installed_plugins
from scheduler.parts import SchedulingParts
from scheduler.plugin_time import PluginTime
from scheduler.preemptor import Preemptor
from scheduler.reports import Reports
from scheduler.status_writer import StatusWriter
from scheduler.volume_binder import VolumeBinder

LEASE: Final = "kube-scheduler"


async def serve(config: SchedulerConfig, process: Process) -> None:
    """Watch the cluster, stand for leader, schedule while leading; until cancelled.

    Raises:
        LeadershipLost: the lease could not be kept; the process ends, and starts afresh.
    """
    api = process.connect()
    identity = new_identity(process.name)
    scheduler = build(config, api, process.clock, process.log, process.metrics, identity=identity)
    process.pages["/metrics/resources"] = PodResources(scheduler.watch.pods.store.list)
    try:
        await scheduler.run(process.ready)
    finally:
        await api.aclose()


def build(
    config: SchedulerConfig,
    api: Api,
    clock: Clock,
    log: EventLog,
    metrics: Metrics,
    *,
    identity: str,
    tie_breaks: Callable[[], float] = random.random,
) -> Scheduler:
    """Build the parts of a scheduler; `tie_breaks` draws a number in [0, 1) for each decision."""
    elector = _elector(config, api, clock, log, identity) if config.leader_elect else None
    leading = limited(fenced(api, elector.fence, elector.held) if elector else api, config.requests)
    ground = _Ground(config, api, leading, clock, log, metrics)
    plugin_time = PluginTime(config.plugin_timeout_s)
    found = _configuration(ground, plugin_time)
    profiles = {each.scheduler_name: each for each in found.profiles}
    waiting, woken = WaitingPods(), asyncio.Event()
    watch = _watch(ground, found, waiting, woken, lambda: loop)
    conditions = StatusWriter(leading, watch.pods.store, clock=clock, log=log)
    events = {name: _events(ground, name) for name in profiles}
    binder = Binder(leading, timeout_s=config.bind_timeout_s, clock=clock, log=log)
    extenders = _extenders(ground, found, watch, binder)
    parts = SchedulingParts(
        watch=watch,
        profiles=profiles,
        extenders=extenders,
        binder=binder,
        pre_binders={
            VolumeBinding.name: _volumes(ground, watch, profiles),
            DynamicResources.name: _devices(ground, watch),
            DefaultPreemption.name: _preemptor(ground, watch, events, waiting),
        },
        reports=Reports(events, conditions),
        waiting=waiting,
        numbers=SchedulerMetrics(metrics, watch.queue, clock),
        api=leading,
        clock=clock,
        log=log,
        woken=woken,
        slots=asyncio.Semaphore(config.bindings),
        plugin_timeout_s=config.bind_timeout_s,
    )
    loop = SchedulingLoop(parts, confirm_s=config.confirm_s, limited=plugin_time, random=tie_breaks)
    return Scheduler(api, watch, conditions, events, loop, elector, extenders)


class _Ground(NamedTuple):
    """What every part stands on."""

    config: SchedulerConfig
    api: Api
    leading: Api  # what only the leader writes with
    clock: Clock
    log: EventLog
    metrics: Metrics


def _configuration(ground: _Ground, plugin_time: PluginTime) -> Configured:
    config = ground.config
    found = configured(config.config, config.scheduler_name, lambda: installed_plugins(plugin_time))
    for remark in found.remarks:
        ground.log.info("configuration_without_effect", file=config.config, remark=remark)
    return found


def _watch(
    ground: _Ground,
    found: Configured,
    waiting: WaitingPods,
    woken: asyncio.Event,
    loop: Callable[[], SchedulingLoop],
) -> ClusterWatch:
    """Return what knows the cluster; `loop`, which is made of it, is told of the pods that cannot be looked at."""
    return ClusterWatch(
        ground.api,
        profiles={each.scheduler_name: each for each in found.profiles},
        backoff=Backoff(initial_s=found.initial_backoff_s, cap_s=found.longest_backoff_s),
        clock=ground.clock,
        log=ground.log,
        on_change=woken.set,
        on_unreadable=lambda pod, error: loop().tell_unreadable(pod, error),
        on_held=lambda pod, failed: loop().tell_held(pod, failed),
        on_gone=lambda uid: waiting.reject(uid, "", "the pod is gone"),
    )


def _events(ground: _Ground, name: str) -> EventRecorder:
    host = socket.gethostname()
    return EventRecorder(ground.api, component=name, host=host, clock=ground.clock, log=ground.log)


def _extenders(ground: _Ground, found: Configured, watch: ClusterWatch, binder: Binder) -> Extenders:
    return Extenders(
        found.extenders,
        whole_pod=binder.look,
        whole_node=watch.whole_node,
        pods_on=watch.pods_on,
        clock=ground.clock,
        log=ground.log,
    )


def _volumes(ground: _Ground, watch: ClusterWatch, profiles: Mapping[str, Profile]) -> VolumeBinder:
    volumes = VolumeBinder(
        ground.leading,
        watch.snapshot,
        is_there=watch.is_there,
        within_s=lambda pod: _volumes_within_s(profiles[pod.scheduler_name], ground.config),
        timeout_s=ground.config.bind_timeout_s,
        clock=ground.clock,
    )
    watch.on_storage = volumes.storage_changed
    return volumes


def _devices(ground: _Ground, watch: ClusterWatch) -> DeviceBinder:
    return DeviceBinder(
        ground.leading,
        watch.snapshot.devices,
        changed=lambda claim, frees: watch.device_claim_changed(claim, frees_devices=frees),
        timeout_s=ground.config.bind_timeout_s,
        log=ground.log,
    )


def _preemptor(
    ground: _Ground, watch: ClusterWatch, events: Mapping[str, EventRecorder], waiting: WaitingPods
) -> Preemptor:
    return Preemptor(
        ground.leading,
        watch.pods.store,
        events,
        reject=partial(_reject, waiting),
        failed=watch.preemption_failed,
        timeout_s=ground.config.bind_timeout_s,
        clock=ground.clock,
        metrics=ground.metrics,
        log=ground.log,
    )


def _elector(config: SchedulerConfig, api: Api, clock: Clock, log: EventLog, identity: str) -> LeaderElector:
    return component_candidate(
        api,
        LEASE,
        identity=identity,
        clock=clock,
        table=intervals(config.profile),
        log=log,
        is_own_past=lambda holder: is_own_past(holder, identity),
    )


def _reject(waiting: WaitingPods, victim: PodInfo) -> bool:
    """Reject a pod that waits at Permit, as its place is for another; return whether it waited."""
    found = waiting.get(victim.uid)
    if found is None or found.is_settled:
        return False
    found.reject(DefaultPreemption.name, "preempted")
    return True


def _volumes_within_s(profile: Profile, config: SchedulerConfig) -> float:
    """Return how long a pod of a profile waits for its claims to be bound, in cluster seconds."""
    given = (each.within_s for each in profile.plugins if isinstance(each, VolumeBinding))
    return next((each for each in given if each is not None), config.volume_bind_timeout_s)


@dataclass(frozen=True, slots=True)
class Scheduler:
    """The parts of a scheduler."""

    api: Api
    watch: ClusterWatch
    conditions: StatusWriter
    events: Mapping[str, EventRecorder]  # of each profile
    loop: SchedulingLoop
    elector: LeaderElector | None  # None: nobody else schedules
    extenders: Extenders

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Watch the cluster, and schedule while leading, until cancelled; `on_ready` is called in sync.

        Raises:
            LeadershipLost: the lease could not be kept.
        """
        async with asyncio.TaskGroup() as tasks:
            helpers = [
                tasks.create_task(self.watch.run(), name="watch"),
                tasks.create_task(self.conditions.run(), name="conditions"),
                *(tasks.create_task(each.run(), name=f"events-{name}") for name, each in self.events.items()),
            ]
            try:
                await self.watch.synced()
                on_ready()
                await (self.elector.run(self._lead) if self.elector else self.loop.run())
            finally:
                for helper in helpers:
                    helper.cancel()
                await self.extenders.aclose()

    async def _lead(self) -> None:
        """Schedule, knowing all that an earlier leader has bound."""
        await self.watch.caught_up(self.api)
        await self.loop.run()

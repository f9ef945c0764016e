"""What decisions and bindings work with, together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from machinery.client.api import Api
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from scheduler.binder import Binder
from scheduler.cluster_watch import ClusterWatch
from scheduler.core.permit import WaitingPods
from scheduler.core.profile import Profile
from scheduler.extenders import Extenders
from scheduler.own_metrics import SchedulerMetrics
from scheduler.pre_bind import PreBinder
from scheduler.reports import Reports


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingParts:
    """What the scheduling loop and its binding cycles share; `scheduler.app` makes it."""

    watch: ClusterWatch
    profiles: Mapping[str, Profile]  # by the names that pods say
    extenders: Extenders
    binder: Binder
    pre_binders: Mapping[str, PreBinder]  # by the plugins that reserve what they write
    reports: Reports
    waiting: WaitingPods  # those that a plugin keeps at Permit
    numbers: SchedulerMetrics
    api: Api  # what plugins of one's own write with
    clock: Clock
    log: EventLog
    woken: asyncio.Event  # set when there may be a pod to decide on
    slots: asyncio.Semaphore  # of bindings at once; one is held from before a decision on
    plugin_timeout_s: float  # wall seconds for a plugin's own PreBind, Bind or PostBind, and for a status

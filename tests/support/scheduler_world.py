"""A scheduler, whole, against a registry in memory, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import msgspec

from machinery.model.clock import Clock
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import SILENT
from machinery.model.resources import EVENTS, PODS, Resource
from machinery.process.metrics import Metrics
from scheduler.app import Scheduler, build
from scheduler.config import SchedulerConfig
from tests.support.scripted_api import LocalRegistry


class PriorityClass(msgspec.Struct, frozen=True, kw_only=True):
    """What pods name to have a priority."""

    apiVersion: str = "scheduling.k8s.io/v1"
    kind: str = "PriorityClass"
    metadata: ObjectMeta = ObjectMeta()
    value: int
    preemptionPolicy: str


PRIORITY_CLASSES: Resource[PriorityClass] = Resource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False, type=PriorityClass
)


class SchedulerWorld:
    """A registry in memory, and schedulers beside it."""

    def __init__(self, clock: Clock, server: LocalRegistry) -> None:
        self.clock, self.server, self.user = clock, server, server.user
        self.api = self.server.api("scheduler")
        self.metrics = Metrics()

    def build(self, api=None, *, clock=None, identity="", tie_break=0.0, **fields) -> Scheduler:
        config = SchedulerConfig(
            leader_elect=bool(identity), **{"bindings": 10, "bind_timeout_s": 1.0, **fields}
        )
        return build(
            config,
            api or self.api,
            clock or self.clock,
            SILENT,
            self.metrics,
            identity=identity,
            tie_breaks=lambda: tie_break,
        )

    async def given_class(self, name: str, value: int, policy: str = "PreemptLowerPriority") -> None:
        """Create a PriorityClass."""
        created = PriorityClass(metadata=ObjectMeta(name=name), value=value, preemptionPolicy=policy)
        await self.user.create(PRIORITY_CLASSES, created)

    @asynccontextmanager
    async def scheduling(self, api=None, **fields):
        scheduler = self.build(api, **fields)
        self.watch = scheduler.watch
        task = asyncio.ensure_future(scheduler.run())
        await scheduler.watch.synced()
        try:
            yield scheduler.loop
        finally:
            task.cancel()
            [result] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(result, asyncio.CancelledError), result

    async def node_of(self, name: str = "web") -> str:
        return (await self.user.get(PODS, name, namespace="default")).spec.nodeName

    async def condition_of(self, name="web"):
        found = (await self.user.get(PODS, name, namespace="default")).status.conditions
        return found[0] if found else None

    async def event_reasons(self):
        return [event.reason for event in (await self.user.list(EVENTS)).items]

    async def messages(self, name, reason="FailedScheduling"):
        """Return what events say to a pod."""
        events = (await self.user.list(EVENTS)).items
        return [
            event.message for event in events if (event.involvedObject.name, event.reason) == (name, reason)
        ]

    async def failures(self) -> list[str]:
        """Return what events say to pods that have no node."""
        found = (await self.user.list(EVENTS)).items
        return [each.message or "" for each in found if each.reason == "FailedScheduling"]

    def binding_calls(self, api=None):
        return [call for call in (api or self.api).calls if call[0] == "post binding"]

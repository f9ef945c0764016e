"""One controller at work: its queue, its executor, and the wait for what it has written itself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial as bind
from typing import Any

from controllers.core.actions import Facts, Plan
from controllers.core.expectations import Expectations
from controllers.core.moment import Moment
from controllers.execute import Executor
from controllers.informers import AnyInformer, World
from controllers.specs import Controller, Watched
from controllers.triggers import Key
from machinery.client.api import Api
from machinery.client.controller import run_controller
from machinery.client.events import EventRecorder
from machinery.client.workqueue import WorkQueue
from machinery.model.causes import cause_of
from machinery.model.clock import Clock
from machinery.model.errors import OutcomeUnknown
from machinery.model.log import EventLog
from machinery.model.profile import Intervals
from machinery.model.requests import EventType
from machinery.model.store import Change


class Manager:
    """Runs one row of the table."""

    def __init__(
        self,
        controller: Controller,
        world: World,
        api: Api,
        clock: Clock,
        intervals: Intervals,
        log: EventLog,
        random_ints: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._controller = controller
        self._world = world
        self._clock = clock
        self._intervals = intervals
        self._log = log
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._due_s: dict[Key, float] = {}  # the next time that a key comes by itself, monotonic
        self._expectations: Expectations[Key] = Expectations()
        self._recorder = EventRecorder(api, component=controller.name, host="", clock=clock, log=log)
        self._executor: Executor[Key] = Executor(
            api,
            self._recorder,
            self._expectations,
            world.by_resource,
            clock=clock,
            random_ints=random_ints,
        )

    async def run(self) -> None:
        """Work until cancelled. The informers have to be in sync."""
        self._subscribe()
        for key in self._controller.always:
            self._queue.add(key)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run(), name=f"{self._controller.name}-events")
            await run_controller(
                self._controller.name,
                self._queue,
                self._reconcile,
                workers=self._controller.workers,
                log=self._log,
            )

    def _subscribe(self) -> None:
        for informer in self._world.owners:
            informer.subscribe(bind(self._note_progress, informer))
        for watched in self._controller.watched:
            for informer in watched.informers(self._world):
                informer.subscribe(bind(self._enqueue, watched, informer))

    def _note_progress(self, informer: AnyInformer, change: Change[Any]) -> None:
        """Wake the keys that wait to see what they wrote."""
        meta = change.object.metadata
        gone = meta.uid if change.kind is EventType.DELETED else ""
        for key in self._expectations.saw((str(informer.resource), meta.namespace, meta.name), gone):
            self._queue.add(key)

    def _enqueue(self, watched: Watched, informer: AnyInformer, change: Change[Any]) -> None:
        cause = cause_of(informer.resource, change.object)
        for key in watched.keys(self._world, informer.resource, change):
            self._queue.add(key, cause)

    async def _reconcile(self, key: Key) -> None:
        now_s = self._clock.monotonic()
        if self._due_s.get(key, now_s) <= now_s:
            self._due_s.pop(key, None)
        await self._executor.settle(key)
        wait_s = self._expectations.wait_s(key, now_s, self._world.look)
        if wait_s is None:
            wait_s = await self._step(key)
        if wait_s is not None:
            self._come_again(key, wait_s)

    async def _step(self, key: Key) -> float | None:
        try:
            plan = await self._executor.decide(key, bind(self._plan, key))
        except OutcomeUnknown:
            if self._controller.counts_silence:
                self._world.heartbeats.lose_sight()
            raise
        await self._executor.execute(key, plan)
        return plan.requeue_after_s

    def _plan(self, key: Key, facts: Facts) -> Plan:
        moment = Moment(self._clock.now(), self._clock.timescale)
        return self._controller.plan(self._world, key, moment, self._intervals, facts)

    def _come_again(self, key: Key, wait_s: float) -> None:
        """Have the key come again, unless it does so earlier anyway."""
        at_s = self._clock.monotonic() + wait_s
        if self._due_s.get(key, at_s + 1) <= at_s:
            return
        self._due_s[key] = at_s
        self._queue.add_after(key, wait_s)

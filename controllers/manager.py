"""One controller at work: its queue, its questions, its executor, and the wait for what it has written itself."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial as bind
from typing import Any, Final, Generic, TypeVar

from controllers.answers import answer
from controllers.core.actions import NOTHING_TO_DO, Count, Facts, Plan, soonest
from controllers.core.caches import Source
from controllers.core.controller import Controller, Key, Watched
from controllers.core.expectations import TIMEOUT_S, Expectations, Place
from controllers.core.moment import Moment
from controllers.core.rests import Rests
from controllers.execute import Executor
from controllers.informers import Informers
from machinery.client.api import Api
from machinery.client.controller import run_controller
from machinery.client.events import EventRecorder
from machinery.client.workqueue import WorkQueue
from machinery.model.causes import cause_of
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, OutcomeUnknown
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import EventLog
from machinery.model.store import Change

In = TypeVar("In")

_ROUNDS: Final = 5  # plans made from one look; each but the last may ask


class Manager(Generic[In]):
    """Runs one controller while this process leads."""

    def __init__(
        self,
        controller: Controller[In],
        informers: Informers,
        api: Api,
        *,
        clock: Clock,
        log: EventLog,
        random_ints: Callable[[int], int] = secrets.randbelow,
        checks_writes: bool = False,
        count: Callable[[Count], None] = lambda _count: None,
    ) -> None:
        self.name = controller.name
        self._controller = controller
        self._informers = informers
        self._api = api
        self._clock = clock
        self._log = log
        self._count = count
        self._watched = list(controller.watched)
        self._is_running = False
        self.queue: WorkQueue[Key] = WorkQueue(clock)
        self._due_s: dict[Key, float] = {}  # the next time that a key comes by itself, monotonic
        self._expectations: Expectations[Key] = Expectations(informers.progress.gone)
        self._rests: Rests[Key] = Rests()
        self._recorder = EventRecorder(api, component=controller.name, host="", clock=clock, log=log)
        self._executor: Executor[Key] = Executor(
            api,
            self._recorder,
            self._expectations,
            sees=informers.sees,
            clock=clock,
            random_ints=random_ints,
            remember=controller.remember,
            count=count,
            declared=controller.writes if checks_writes else None,
        )

    async def run(self) -> None:
        """Work until cancelled. The informers have to be in sync."""
        self._subscribe()
        for key in self._controller.always:
            self.queue.add(key)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run(), name=f"{self._controller.name}-events")
            await run_controller(
                self._controller.name,
                self.queue,
                self._reconcile,
                workers=self._controller.workers,
                log=self._log,
            )

    def watch(self, watched: Watched[Any]) -> None:
        """Watch a collection that is whole in a cache, from now on."""
        self._watched.append(watched)
        if self._is_running:
            self._informers.subscribe(watched.source, bind(self._enqueue, watched))

    def unwatch(self, source: Source[Any]) -> None:
        """Forget a collection: there is no such collection any more."""
        self._watched = [each for each in self._watched if each.source is not source]

    def _subscribe(self) -> None:
        self._is_running = True
        self._informers.progress.subscribe(self._note_progress)
        for watched in self._watched:
            self._informers.subscribe(watched.source, bind(self._enqueue, watched))

    def _note_progress(self, place: Place, current: ObjectMeta | None) -> None:
        """Wake the keys that have now seen all that they wrote."""
        for key in self._expectations.saw(place, current):
            self.queue.add(key)

    def _enqueue(self, watched: Watched[Any], change: Change[Any]) -> None:
        cause = cause_of(watched.source.resource, change.object)
        for key in watched.keys(change):
            if watched.within_s:
                self.queue.note_cause(key, cause)
                self._come_again(key, watched.within_s)
            else:
                self.queue.add(key, cause)

    async def _reconcile(self, key: Key) -> None:
        now_s = self._clock.monotonic()
        if self._due_s.get(key, now_s) <= now_s:
            self._due_s.pop(key, None)
        if self._has_to_rest(key, now_s):
            return
        await self._executor.settle(key)
        wait_s = self._expectations.wait_s(key, now_s, self._informers.find)
        if wait_s is None:
            wait_s = await self._step(key)
        if self._expectations.is_open(key):
            wait_s = soonest(wait_s, TIMEOUT_S)
        if wait_s is not None:
            self._come_again(key, wait_s)

    def _has_to_rest(self, key: Key, now_s: float) -> bool:
        """Whether the key comes later, with its causes; one that failed has a back-off of its own."""
        left_s = self._rests.left_s(key, now_s)
        if left_s <= 0 or self.queue.failures(key):
            return False
        for cause in self.queue.causes(key):
            self.queue.note_cause(key, cause)
        self._come_again(key, left_s)
        return True

    async def _step(self, key: Key) -> float | None:
        seen = self._controller.look(key, self._moment())
        size = 0 if seen is None else self._controller.size(seen)
        self._rests.begin(key, size, self._clock.monotonic())
        begun_s = self._clock.monotonic_wall()
        plan = NOTHING_TO_DO if seen is None else await self._decide(key, seen)
        try:
            is_done = await self._executor.execute(key, plan)
        except ApiError:
            self._count_sync(plan, begun_s, is_done=False)
            raise
        self._count_sync(plan, begun_s, is_done=is_done)
        return plan.requeue_after_s

    def _count_sync(self, plan: Plan, begun_s: float, *, is_done: bool) -> None:
        took_s = self._clock.monotonic_wall() - begun_s
        for sync in plan.syncs:
            values = sync.values if is_done or not sync.on_failure else sync.on_failure
            self._count(Count(sync.total, values))
            self._count(Count(sync.duration, values, took_s))

    async def _decide(self, key: Key, seen: In) -> Plan:
        """Make a plan; where it needs live answers, get them and make it anew.

        Raises:
            ApiError: the apiserver did not answer.
            RuntimeError: the plan asks again and again.
        """
        facts = Facts(failure=self._executor.failure(key))
        for _ in range(_ROUNDS):
            plan = self._controller.plan(seen, self._moment(), facts)
            if not plan.needs:
                return plan
            facts = await self._ask(plan, facts)
        raise RuntimeError(f"the plan for {key} asks again and again: {plan.needs}")

    async def _ask(self, plan: Plan, facts: Facts) -> Facts:
        try:
            facts = await answer(self._api, plan.needs, facts)
        except OutcomeUnknown:
            self._controller.heard(False, self._clock.monotonic())  # noqa: FBT003 - the one question it answers
            raise
        self._controller.heard(True, self._clock.monotonic())  # noqa: FBT003
        return facts

    def _moment(self) -> Moment:
        return Moment(self._clock.now(), self._clock.timescale, self._clock.monotonic())

    def _come_again(self, key: Key, wait_s: float) -> None:
        """Have the key come again, unless it does so earlier anyway."""
        at_s = self._clock.monotonic() + wait_s
        if self._due_s.get(key, at_s + 1) <= at_s:
            return
        self._due_s[key] = at_s
        self.queue.add_after(key, wait_s)

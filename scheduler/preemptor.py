"""From a decision to take pods away to pods that are being deleted: beside the loop, which goes on.

    victim ─▶ waits for Permit? ─▶ rejected there
           ─▶ else: condition DisruptionTarget ─▶ deleted with its own grace period ─▶ event Preempted

The pod that the place is for waits in the queue, and is woken when they are gone. What fails is reported to the loop by `failed`:
the pod is tried again, and a decision made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from machinery.client.api import Api
from machinery.client.events import NORMAL, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, NotFound
from machinery.model.k8s.core_v1 import Pod, PodCondition
from machinery.model.log import EventLog
from machinery.model.requests import DeleteOptions, PatchType
from machinery.model.resources import PODS
from machinery.model.store import Store
from machinery.process.metrics import Metrics
from scheduler.core.condition import plan_disruption
from scheduler.core.plugins.default_preemption import Preemption
from scheduler.core.pod import PodInfo
from scheduler.reports import cause_of_pod, reference_of

_AT_ONCE: Final = 16  # requests for the victims of one pod
_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Preemptor:
    """Takes pods away.

    `reject` ends the wait of a pod at Permit, and returns whether it waited there; `failed` is called with the pod that the place is
    for and those that are still there.
    """

    def __init__(
        self,
        api: Api,
        pods: Store[Pod],
        events: Mapping[str, EventRecorder],
        *,
        reject: Callable[[PodInfo], bool],
        failed: Callable[[PodInfo, list[PodInfo]], None],
        timeout_s: float,
        clock: Clock,
        metrics: Metrics,
        log: EventLog,
    ) -> None:
        self._api = api
        self._pods = pods
        self._events = events  # by the scheduler's name that pods have
        self._reject = reject
        self._failed = failed
        self._timeout_s = timeout_s  # wall seconds for a request
        self._clock = clock
        self._log = log
        self._victims = metrics.histogram(
            "scheduler_preemption_victims", "Number of selected preemption victims", buckets=_BUCKETS
        )

    async def bind(self, pod: PodInfo, reserved: Any, node: str) -> None:
        """Do nothing: preemption reserves nothing that a binding would wait for."""

    async def undo(self, pod: PodInfo, reserved: Any) -> None:
        """Do nothing."""

    async def act(self, action: Preemption) -> None:
        """Have the pods of a decision deleted; those for which that fails stay."""
        self._victims.observe(len(action.victims))
        self._log.info(
            "pods_preempted",
            pod=action.pod.key,
            node=action.node,
            victims=[each.key for each in action.victims],
        )
        slots, staying = asyncio.Semaphore(_AT_ONCE), list[PodInfo]()

        async def take_away(victim: PodInfo) -> None:
            async with slots:
                if not await self._take_away(victim, action):
                    staying.append(victim)

        async with asyncio.TaskGroup() as tasks:
            for victim in action.victims:
                tasks.create_task(take_away(victim), name=f"preempt-{victim.key}")
        if staying:
            self._failed(action.pod, staying)

    async def _take_away(self, victim: PodInfo, action: Preemption) -> bool:
        try:
            if not self._reject(victim):
                await self._mark(victim, action.pod)
                options = DeleteOptions(uid=victim.uid)
                await self._api.delete(
                    PODS,
                    victim.name,
                    namespace=victim.namespace,
                    options=options,
                    timeout_s=self._timeout_s,
                )
        except NotFound:
            return True
        except Conflict as conflict:
            self._log.debug("victim_is_another_pod", pod=victim.key, error=conflict)
            return True
        except ApiError as error:
            self._log.warning("pod_not_preempted", pod=victim.key, preemptor=action.pod.key, error=error)
            return False
        text = f"Preempted by pod {action.pod.uid} on node {action.node}"
        recorder = self._events[action.pod.scheduler_name]
        recorder.record(reference_of(cause_of_pod(victim)), NORMAL, "Preempted", text)
        return True

    async def _mark(self, victim: PodInfo, preemptor: PodInfo) -> None:
        """Write into a pod why it is about to be deleted."""
        condition = self._condition(victim, preemptor.scheduler_name)
        if condition is None:
            return
        patch = {"metadata": {"uid": victim.uid}, "status": {"conditions": [condition]}}
        await self._api.patch(
            PODS,
            victim.name,
            patch,
            namespace=victim.namespace,
            subresource="status",
            kind=PatchType.STRATEGIC_MERGE,
            timeout_s=self._timeout_s,
        )

    def _condition(self, victim: PodInfo, scheduler_name: str) -> PodCondition | None:
        pod = self._pods.get(victim.namespace, victim.name)
        if pod is None or pod.metadata.uid != victim.uid:
            return None
        now_text = self._clock.timescale.format(self._clock.now())
        return plan_disruption(pod, scheduler_name, now_text=now_text)

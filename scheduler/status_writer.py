"""Writes the PodScheduled condition of pods that fit nowhere: the newest message only, and only if it is new."""

from __future__ import annotations

from machinery.client.api import Api
from machinery.client.controller import run_controller
from machinery.client.workqueue import WorkQueue
from machinery.model.causes import CauseRef
from machinery.model.clock import Clock
from machinery.model.errors import NotFound
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import EventLog
from machinery.model.requests import PatchType
from machinery.model.resources import PODS
from machinery.model.store import Key, Store
from scheduler.core.condition import plan_condition
from scheduler.core.pod import PodInfo

_WORKERS = 4


class StatusWriter:
    """Writes conditions. A pod has one message at most that is not written yet."""

    def __init__(self, api: Api, pods: Store[Pod], *, clock: Clock, log: EventLog) -> None:
        self._api = api
        self._pods = pods
        self._clock = clock
        self._log = log
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._messages: dict[Key, tuple[str, str, str]] = {}  # uid, reason and message

    def set_unschedulable(self, about: CauseRef, reason: str, message: str) -> None:
        """Write into a pod why it waits, soon."""
        key = (about.namespace, about.name)
        self._messages[key] = (about.uid, reason, message)
        self._queue.add(key, about)

    def drop(self, pod: PodInfo) -> None:
        """Do not tell it any more: it has a node."""
        self._messages.pop((pod.namespace, pod.name), None)

    async def run(self) -> None:
        """Write until cancelled."""
        await run_controller("pod-conditions", self._queue, self._write, workers=_WORKERS, log=self._log)

    async def _write(self, key: Key) -> float | None:
        uid, reason, message = self._messages.get(key, ("", "", ""))
        pod = self._pods.get(*key)
        if pod is None or pod.metadata.uid != uid or pod.spec.nodeName:
            self._messages.pop(key, None)
            return None
        now_text = self._clock.timescale.format(self._clock.now())
        condition = plan_condition(pod, reason, message, now_text=now_text)
        if condition is not None:
            await self._patch(key, {"metadata": {"uid": uid}, "status": {"conditions": [condition]}})
        if self._messages.get(key) == (uid, reason, message):
            del self._messages[key]
        return None

    async def _patch(self, key: Key, patch: dict[str, object]) -> None:
        namespace, name = key
        try:
            await self._api.patch(
                PODS, name, patch, namespace=namespace, subresource="status", kind=PatchType.STRATEGIC_MERGE
            )
        except NotFound:
            self._log.debug("pod_gone", pod=f"{namespace}/{name}")

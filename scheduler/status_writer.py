"""Writes why pods fit nowhere (the PodScheduled condition), and which nodes are kept for them: the newest only, and only if it is new."""

from __future__ import annotations

from dataclasses import dataclass, replace

from machinery.client.api import CALL_TIMEOUT_S, Api
from machinery.client.controller import run_controller
from machinery.client.workqueue import WorkQueue
from machinery.model.causes import CauseRef
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import EventLog
from machinery.model.requests import PatchType
from machinery.model.resources import PODS
from machinery.model.store import Key, Store
from scheduler.core.condition import plan_condition
from scheduler.core.pod import PodInfo

_WORKERS = 4


@dataclass(frozen=True, slots=True)
class _Said:
    """What is to be written of a pod."""

    uid: str
    reason: str = ""  # "" leaves the condition as it is
    message: str = ""
    nominated: str | None = None  # the node, "" for none; None leaves it as it is
    overrides: bool = False  # it may have been written otherwise since the watch has shown the pod


class StatusWriter:
    """Writes statuses. Of a pod one state at most is not written yet."""

    def __init__(self, api: Api, pods: Store[Pod], *, clock: Clock, log: EventLog) -> None:
        self._api = api
        self._pods = pods
        self._clock = clock
        self._log = log
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._unwritten: dict[Key, _Said] = {}

    def set_unschedulable(
        self, about: CauseRef, reason: str, message: str, *, nominated: str | None = None
    ) -> None:
        """Write into a pod why it waits and, unless None, which node is kept for it ("" for none), soon."""
        said = replace(self._before(about), reason=reason, message=message)
        self._put(about, said if nominated is None else replace(said, nominated=nominated))

    async def expect(self, about: CauseRef, node: str, *, timeout_s: float) -> None:
        """Write into a pod, now, which node it is about to get; that this fails keeps no pod from its node."""
        patch: dict[str, object] = {
            "metadata": {"uid": about.uid},
            "status": {"nominatedNodeName": node},
        }
        try:
            await self._patch((about.namespace, about.name), patch, timeout_s=timeout_s)
        except ApiError as error:
            self._log.warning("expectation_not_written", pod=f"{about.namespace}/{about.name}", error=error)

    def clear_nomination(self, about: CauseRef) -> None:
        """Write into a pod that no node is kept for it, soon."""
        self._put(about, replace(self._before(about), nominated="", overrides=True))

    def drop(self, pod: PodInfo) -> None:
        """Do not tell it any more: it has a node."""
        self._unwritten.pop((pod.namespace, pod.name), None)

    async def run(self) -> None:
        """Write until cancelled."""
        await run_controller("pod-conditions", self._queue, self._write, workers=_WORKERS, log=self._log)

    def _before(self, about: CauseRef) -> _Said:
        found = self._unwritten.get((about.namespace, about.name))
        return found if found is not None and found.uid == about.uid else _Said(about.uid)

    def _put(self, about: CauseRef, said: _Said) -> None:
        key = (about.namespace, about.name)
        self._unwritten[key] = said
        self._queue.add(key, about)

    async def _write(self, key: Key) -> float | None:
        said = self._unwritten.get(key)
        if said is None:
            return None
        pod = self._pods.get(*key)
        if pod is None or pod.metadata.uid != said.uid or pod.spec.nodeName:
            self._unwritten.pop(key, None)
            return None
        status = self._status(pod, said)
        if status:
            await self._patch(key, {"metadata": {"uid": said.uid}, "status": status})
        if self._unwritten.get(key) is said:
            del self._unwritten[key]
        return None

    def _status(self, pod: Pod, said: _Said) -> dict[str, object]:
        """Return what of a pod's status is not as it should be."""
        status: dict[str, object] = {}
        if said.reason:
            now_text = self._clock.timescale.format(self._clock.now())
            condition = plan_condition(pod, said.reason, said.message, now_text=now_text)
            if condition is not None:
                status["conditions"] = [condition]
        if said.nominated is not None and (said.overrides or said.nominated != pod.status.nominatedNodeName):
            status["nominatedNodeName"] = said.nominated or None
        return status

    async def _patch(self, key: Key, patch: dict[str, object], *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        namespace, name = key
        try:
            await self._api.patch(
                PODS,
                name,
                patch,
                namespace=namespace,
                subresource="status",
                kind=PatchType.STRATEGIC_MERGE,
                timeout_s=timeout_s,
            )
        except NotFound:
            self._log.debug("pod_gone", pod=f"{namespace}/{name}")

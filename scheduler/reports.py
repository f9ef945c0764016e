"""What pods are told: an event, and for those that wait the PodScheduled condition."""

from __future__ import annotations

from collections.abc import Mapping

from machinery.client.events import NORMAL, WARNING, EventRecorder
from machinery.model.causes import CauseRef, cause_of
from machinery.model.k8s.core_v1 import ObjectReference, Pod
from machinery.model.resources import PODS
from machinery.wire.cause_headers import acting
from scheduler.core.condition import FAULT, UNSCHEDULABLE
from scheduler.core.pod import PodInfo, scheduler_of
from scheduler.status_writer import StatusWriter


class Reports:
    """Tells pods what became of them; `events` are those of each profile, by the scheduler's name that its pods have."""

    def __init__(self, events: Mapping[str, EventRecorder], conditions: StatusWriter) -> None:
        self._events = events
        self._conditions = conditions

    def unschedulable(self, pod: PodInfo, message: str, *, nominated: str | None = None) -> None:
        """Say that a pod gets no node, as things are; and, unless None, which node is kept for it ("" for none)."""
        self._failed(cause_of_pod(pod), pod.scheduler_name, UNSCHEDULABLE, message, nominated)

    async def expect(self, pod: PodInfo, node: str, *, timeout_s: float) -> None:
        """Say which node a pod is about to get, before what may take long; `timeout_s` are wall seconds."""
        await self._conditions.expect(cause_of_pod(pod), node, timeout_s=timeout_s)

    def not_nominated(self, pod: PodInfo) -> None:
        """Say that no node is kept for a pod any more."""
        self._conditions.clear_nomination(cause_of_pod(pod))

    def fault(self, pod: PodInfo, message: str) -> None:
        """Say that the scheduler, or a plugin, has failed on a pod."""
        self._failed(cause_of_pod(pod), pod.scheduler_name, FAULT, message)

    def unreadable(self, pod: Pod, message: str) -> None:
        """Say that a pod cannot be read."""
        self._failed(cause_of(PODS, pod), scheduler_of(pod), FAULT, message)

    def bound(self, pod: PodInfo, node: str) -> None:
        """Say where a pod is."""
        text = f"Successfully assigned {pod.key} to {node}"
        self._events[pod.scheduler_name].record(reference_of(cause_of_pod(pod)), NORMAL, "Scheduled", text)

    def drop(self, pod: PodInfo) -> None:
        """Do not write any more that a pod gets no node: it has one."""
        self._conditions.drop(pod)

    def _failed(
        self, about: CauseRef, scheduler: str, reason: str, message: str, nominated: str | None = None
    ) -> None:
        with acting((about,)):
            self._events[scheduler].record(reference_of(about), WARNING, "FailedScheduling", message)
        self._conditions.set_unschedulable(about, reason, message, nominated=nominated)


def cause_of_pod(pod: PodInfo) -> CauseRef:
    """Return a pod as a cause of what is done for it."""
    return CauseRef(str(PODS), pod.namespace, pod.name, pod.uid, pod.revision)


def reference_of(about: CauseRef) -> ObjectReference:
    """Return what an event about a pod refers to."""
    return ObjectReference(
        apiVersion="v1",
        kind="Pod",
        namespace=about.namespace,
        name=about.name,
        uid=about.uid,
        resourceVersion=str(about.revision),
    )

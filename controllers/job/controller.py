"""What the Job controller watches, remembers and looks at.

Its keys are Jobs, (namespace, name), and pods that may have nobody to count them, (namespace, name, "pod").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from controllers.core.actions import Facts, Plan
from controllers.core.batch import JOBS, Job, is_finished, is_ours
from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Noted, Settings, Watched
from controllers.core.indexes import BY_CONTROLLER, BY_SELECTOR, by_controller, by_selector, claimable
from controllers.core.keys import key_of, owners_and_adopters
from controllers.core.moment import Moment
from controllers.job.backoff import Failures
from controllers.job.orphans import SeenOrphan, is_jobs, is_orphan, plan_for_orphan
from controllers.job.plan import Seen, Verified, plan
from controllers.job.pods import FAILURE_COUNT, IGNORED_FAILURE_COUNT, INDEX, is_tracked
from controllers.job.tally import newly_ended
from machinery.model.k8s.core_v1 import Pod
from machinery.model.owners import controller_of, is_controlled_by
from machinery.model.requests import EventType
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector
from machinery.model.store import Change

TOGETHER_S: Final = 1.0  # what happens to a Job's pods within it is looked at together
_POD: Final = "pod"
POD_FIELDS: Final = (
    f"metadata.annotations[{INDEX}]",
    f"metadata.annotations[{FAILURE_COUNT}]",
    f"metadata.annotations[{IGNORED_FAILURE_COUNT}]",
    "metadata.deletionGracePeriodSeconds",
    "metadata.labels",
    "spec.nodeName",
    "status.conditions",
    "status.phase",
    *(
        f"status.{statuses}.{field}"
        for statuses in ("containerStatuses", "initContainerStatuses")
        for field in ("name", "restartCount", "state.terminated")
    ),
)


def build(caches: Caches, _settings: Settings) -> Controller[Seen | SeenOrphan]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "job-controller",
        (
            Watched(reader.jobs, reader.keys_of_job),
            Watched(reader.pods, reader.jobs_of_pod, within_s=TOGETHER_S),
            Watched(reader.pods, reader.itself_if_orphan),
        ),
        reader.look,
        plan_any,
        notes=(Noted(reader.jobs, reader.note_job),),
        workers=5,
        size=lambda seen: len(seen.pods) if isinstance(seen, Seen) else 1,
        remember=reader.remember,
        writes=frozenset({"create pods", "patch pods", "delete pods", "patch jobs.batch/status"}),
    )


def plan_any(seen: Seen | SeenOrphan, moment: Moment, facts: Facts) -> Plan:
    """Plan for a Job, or for a pod that nobody counts."""
    if isinstance(seen, SeenOrphan):
        return plan_for_orphan(seen, moment, facts)
    return plan(seen, moment, facts)


class Reader:
    """Reads the caches; remembers how a Job's pods have failed, and of which Jobs its caches have everything."""

    def __init__(self, caches: Caches) -> None:
        self.jobs = caches.ask(JOBS, indexes={BY_SELECTOR: by_selector})
        self.pods = caches.ask(PODS, fields=POD_FIELDS, indexes={BY_CONTROLLER: by_controller})
        self._failures: dict[str, Failures] = {}  # by the Job's uid
        self._verified: set[str] = set()

    def look(self, key: Key, moment: Moment) -> Seen | SeenOrphan | None:
        """Return a Job with its pods and those that it may adopt, or a pod with its Job."""
        namespace, name, *kind = key
        if kind:
            pod = self.pods.store.get(namespace, name)
            return SeenOrphan(pod, self._job_of(pod)) if pod is not None else None
        job = self.jobs.store.get(namespace, name)
        if job is None or is_finished(job):
            return None
        pods = claimable(self.pods.store, job, from_selector(job.spec.selector))
        own = [pod for pod in pods if is_controlled_by(pod.metadata, job)]
        uid = job.metadata.uid
        failures = self._failures.get(uid, Failures()).with_ended(*newly_ended(job, own), moment)
        if failures != Failures():
            self._failures[uid] = failures
        return Seen(job, pods, failures, uid in self._verified)

    def remember(self, what: Any) -> None:
        """Remember that the caches have everything of a Job."""
        if isinstance(what, Verified):
            self._verified.add(what.uid)

    def note_job(self, change: Change[Job], _now_s: float) -> None:
        """Forget a Job that is gone or has ended."""
        if change.kind is EventType.DELETED or is_finished(change.object):
            self._failures.pop(change.object.metadata.uid, None)
            self._verified.discard(change.object.metadata.uid)

    def keys_of_job(self, change: Change[Job]) -> Iterator[Key]:
        """Return the Job; where it counts no more, also its pods that wait for that."""
        job = change.object
        yield key_of(job.metadata)
        if change.kind is EventType.DELETED or (is_finished(job) and is_ours(job)):
            for pod in self.pods.store.by_index(BY_CONTROLLER, job.metadata.uid):
                if is_orphan(pod, None):
                    yield (*key_of(pod.metadata), _POD)

    def jobs_of_pod(self, change: Change[Pod]) -> Iterator[Key]:
        """Return the Jobs before and after; for a pod that nobody controls, those that would adopt it."""
        return owners_and_adopters(change, JOBS.kind, self.jobs.store)

    def itself_if_orphan(self, change: Change[Pod]) -> Iterator[Key]:
        """Return a pod that nobody will count."""
        pod = change.new
        if pod is not None and is_tracked(pod) and is_orphan(pod, self._job_of(pod)):
            yield (*key_of(pod.metadata), _POD)

    def _job_of(self, pod: Pod) -> Job | None:
        owner = controller_of(pod.metadata)
        if owner is None or not is_jobs(owner):
            return None
        job = self.jobs.store.get(pod.metadata.namespace, owner.name)
        return job if job is not None and job.metadata.uid == owner.uid else None

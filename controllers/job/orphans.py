"""Plan for a pod that waits to be counted by nobody: its Job is gone, has ended, or controls it no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Facts, Lookup, Plan
from controllers.core.batch import JOBS, TRACKING, Job, is_finished, is_ours
from controllers.core.finalizers import without_finalizer
from controllers.core.moment import Moment
from controllers.job.pods import is_tracked
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import OwnerReference
from machinery.model.owners import controller_of
from machinery.model.resources import PODS

_LAGGING_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class SeenOrphan:
    """What the plan knows."""

    pod: Pod
    job: Job | None  # that controls it, as far as the cache has it


def plan_for_orphan(seen: SeenOrphan, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Release a pod that no Job counts any more."""
    if not is_orphan(seen.pod, seen.job):
        return NOTHING_TO_DO
    owner = controller_of(seen.pod.metadata)
    if owner is not None and seen.job is None:
        question = Lookup(JOBS, seen.pod.metadata.namespace, owner.name)
        if question not in facts.objects:
            return Plan(needs=(question,))
        live = facts.objects[question]
        if live is not None and live.uid == owner.uid:
            return Plan(requeue_after_s=_LAGGING_S)  # the cache does not have it yet
    return Plan((without_finalizer(PODS, seen.pod.metadata, TRACKING),))


def is_orphan(pod: Pod, job: Job | None) -> bool:
    """Whether a pod waits to be counted, and `job`, which controls it, if there is one, will not do it."""
    if not is_tracked(pod):
        return False
    owner = controller_of(pod.metadata)
    if owner is None:
        return True
    return is_jobs(owner) and (job is None or (is_ours(job) and is_finished(job)))


def is_jobs(owner: OwnerReference) -> bool:
    """Whether an owner is a Job."""
    return owner.kind == JOBS.kind and owner.apiVersion == JOBS.api_version

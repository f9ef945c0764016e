"""What a Job has come to: who of its pods works, who has ended, and how many of them count.

A pod is counted in three steps, so that it is counted once whatever dies in between: its uid goes into the status
(`uncountedTerminatedPods`), then its finalizer goes, then the uid becomes one more in the status' counter. Of an
Indexed Job the index is enough to know a success again.
https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-tracking-with-finalizers
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from controllers.core.batch import Job
from controllers.core.moment import Moment
from controllers.job import index_ranges
from controllers.job.failure_policy import FAIL_INDEX, judge
from controllers.job.index_ranges import Ranges
from controllers.job.pods import (
    all_failures_of_index,
    counts_for,
    ended_s,
    failures_of_index,
    index_of,
    is_failed,
    is_indexed,
    is_tracked,
    valid_index,
)
from machinery.model.k8s.batch_v1 import UncountedTerminatedPods
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_active, is_ready, is_terminal, is_terminating


@dataclass(frozen=True, slots=True)
class Tally:
    """A Job and its own pods, summed up. Counts include what has not been written yet."""

    job: Job
    pods: Sequence[Pod]
    active: Sequence[Pod]
    ready: int
    terminating: int
    succeeded: int
    failed: int
    completed_before: Ranges  # as the status has them
    completed: Ranges
    failed_indexes: Ranges | None  # None: the failures of an index are not limited
    to_replace: Mapping[int, Pod]  # by index: the failed pod that its successor inherits the failures of


def tally(job: Job, pods: Sequence[Pod], moment: Moment) -> Tally:
    """Sum up a Job's pods."""
    active = [pod for pod in pods if is_active(pod)]
    uncounted = uncounted_of(job)
    succeeded, failed = newly_ended(job, pods)
    before = index_ranges.parse(job.status.completedIndexes, job.spec.completions or 0)
    completed = _completed(job, pods, before)
    failed_indexes = _failed_indexes(job, pods)
    judged = sum(judge(job.spec.podFailurePolicy, pod).counts for pod in failed)
    return Tally(
        job,
        pods,
        active,
        ready=sum(map(is_ready, active)),
        terminating=sum(is_terminating(pod) and not is_terminal(pod) for pod in pods),
        succeeded=index_ranges.total(completed)
        if is_indexed(job)
        else job.status.succeeded + len(succeeded) + len(uncounted.succeeded),
        failed=job.status.failed + judged + len(uncounted.failed),
        completed_before=before,
        completed=completed,
        failed_indexes=failed_indexes,
        to_replace=_to_replace(job, pods, active, completed, failed_indexes, moment),
    )


def uncounted_of(job: Job) -> UncountedTerminatedPods:
    """Return the uids of the pods that are being counted."""
    return job.status.uncountedTerminatedPods or UncountedTerminatedPods()


def newly_ended(job: Job, pods: Iterable[Pod]) -> tuple[list[Pod], list[Pod]]:
    """Return the pods that have succeeded, and those that have failed, and are in no count yet."""
    uncounted = uncounted_of(job)
    known = {*uncounted.succeeded, *uncounted.failed}
    return (
        _not_in(known, job, pods, lambda pod: pod.status.phase == "Succeeded"),
        _not_in(known, job, pods, lambda pod: is_failed(pod, job)),
    )


def _not_in(
    known: AbstractSet[str], job: Job, pods: Iterable[Pod], ended: Callable[[Pod], bool]
) -> list[Pod]:
    return [
        pod
        for pod in pods
        if ended(pod) and is_tracked(pod) and pod.metadata.uid not in known and counts_for(pod, job)
    ]


def _completed(job: Job, pods: Iterable[Pod], before: Ranges) -> Ranges:
    """Return the indexes that are done. A pod that ended well after it was counted as failed (it was being deleted) stays failed."""
    if not is_indexed(job):
        return index_ranges.NONE
    failed = frozenset(uncounted_of(job).failed)
    succeeded = (
        pod
        for pod in pods
        if pod.status.phase == "Succeeded" and is_tracked(pod) and pod.metadata.uid not in failed
    )
    indexes = (valid_index(pod, job) for pod in succeeded)
    return index_ranges.union(before, index_ranges.of(index for index in indexes if index is not None))


def _failed_indexes(job: Job, pods: Iterable[Pod]) -> Ranges | None:
    limit = job.spec.backoffLimitPerIndex
    if limit is None:
        return None
    before = index_ranges.parse(job.status.failedIndexes or "", job.spec.completions or 0)
    failed = (pod for pod in pods if is_tracked(pod) and _fails_index(pod, job, limit))
    indexes = (valid_index(pod, job) for pod in failed)
    return index_ranges.union(before, index_ranges.of(index for index in indexes if index is not None))


def _fails_index(pod: Pod, job: Job, limit: int) -> bool:
    if not is_failed(pod, job):
        return False
    verdict = judge(job.spec.podFailurePolicy, pod)
    return verdict.action == FAIL_INDEX or (verdict.counts and failures_of_index(pod) >= limit)


def _to_replace(
    job: Job,
    pods: Iterable[Pod],
    active: Iterable[Pod],
    completed: Ranges,
    failed_indexes: Ranges | None,
    moment: Moment,
) -> Mapping[int, Pod]:
    """Return for each index that is to be tried again its last failed pod: it stays until there is another one."""
    if failed_indexes is None:
        return {}
    settled = index_ranges.union(completed, failed_indexes)
    working = indexes_of(active)
    last: dict[int, Pod] = {}
    for pod in pods:
        index = valid_index(pod, job)
        if index is None or index in working or not is_tracked(pod) or not is_failed(pod, job):
            continue
        if index_ranges.contains(settled, index):
            continue
        if index not in last or _follows(pod, last[index], moment):
            last[index] = pod
    return last


def _follows(pod: Pod, other: Pod, moment: Moment) -> bool:
    later = ended_s(pod, moment) >= ended_s(other, moment)
    return later and all_failures_of_index(pod) >= all_failures_of_index(other)


def indexes_of(pods: Iterable[Pod]) -> set[int]:
    """Return the indexes that some pods have."""
    return {index for pod in pods if (index := index_of(pod)) is not None}

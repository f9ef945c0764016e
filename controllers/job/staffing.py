"""How many pods a Job has at work, and what has to be done for that: pods are made or taken away, never both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from controllers.core.actions import Action, AllAtOnce, Create, SlowStart, Write, delete, event, soonest
from controllers.core.batch import TRACKING, Job
from controllers.core.finalizers import without_finalizer
from controllers.core.moment import Moment
from controllers.core.workloads import NEW_PODS
from controllers.job import index_ranges
from controllers.job.backoff import Failures, remaining_of_index_s
from controllers.job.pods import is_indexed, is_tracked, new_pod, replaces_only_failed
from controllers.job.removal import choose
from controllers.job.tally import Tally, indexes_of
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_terminating
from machinery.model.resources import PODS

BURST: Final = 500  # pods made or deleted by one plan


@dataclass(frozen=True, slots=True)
class Staffing:
    """What is to be done, how many pods are left active then, and when to look again."""

    actions: tuple[Action, ...]
    left: int
    wait_s: float | None = None


def staff(tally: Tally, failures: Failures, moment: Moment) -> Staffing:
    """Bring the pods of a Job that goes on to as many as it asks for."""
    active = len(tally.active)
    if tally.job.spec.suspend:
        return Staffing(dismissal(tally.job, choose(tally.job, tally.active, active, moment)), 0)
    wanted = _wanted(tally)
    surplus = choose(tally.job, tally.active, max(0, active - wanted), moment)[:BURST]
    if surplus:
        return Staffing(dismissal(tally.job, surplus), active - len(surplus))
    terminating = tally.terminating if replaces_only_failed(tally.job) else 0
    missing = wanted - terminating - active
    if missing <= 0:
        return Staffing((), active)
    return _hire(tally, min(missing, BURST), failures, moment)


def dismissal(job: Job, pods: Iterable[Pod]) -> tuple[Action, ...]:
    """Remove pods that are not to be counted: first their finalizers, then themselves."""
    going = list(pods)
    released: list[Write] = [
        without_finalizer(PODS, pod.metadata, TRACKING) for pod in going if is_tracked(pod)
    ]
    deleted = deletions(job, going)
    return (AllAtOnce(tuple(released)), *deleted) if released else deleted


def deletions(job: Job, pods: Iterable[Pod]) -> tuple[Action, ...]:
    """Delete pods; those with a finalizer stay until they are counted."""
    writes: list[Write] = [
        delete(
            PODS,
            pod,
            on_success=event(job, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
            on_failure=event(job, "Warning", "FailedDelete", "Error deleting: {error}"),
        )
        for pod in pods
    ]
    return (AllAtOnce(tuple(writes)),) if writes else ()


def _wanted(tally: Tally) -> int:
    """Return how many pods are to be active: as many as are asked for, and no more than completions are missing."""
    spec = tally.job.spec
    if spec.completions is None:
        return len(tally.active) if tally.succeeded else spec.parallelism
    return max(0, min(spec.parallelism, spec.completions - tally.succeeded))


def _hire(tally: Tally, missing: int, failures: Failures, moment: Moment) -> Staffing:
    job, active = tally.job, len(tally.active)
    if job.spec.backoffLimitPerIndex is None and (wait_s := failures.remaining_s(moment)):
        return Staffing((), active, wait_s)
    if not is_indexed(job):
        return Staffing(_creations(job, [(None, None)] * missing), active)
    indexes = list(islice(_pending(tally), missing))
    waits = {index: remaining_of_index_s(tally.to_replace.get(index), moment) for index in indexes}
    ready = [(index, tally.to_replace.get(index)) for index in indexes if not waits[index]]
    return Staffing(_creations(job, ready), active, soonest(*filter(None, waits.values())))


def _pending(tally: Tally) -> Iterable[int]:
    """Return the indexes that nobody works on and that have come to no end, lowest first."""
    taken = indexes_of(tally.active)
    if replaces_only_failed(tally.job):
        taken |= indexes_of(pod for pod in tally.pods if is_terminating(pod))
    settled = index_ranges.union(tally.completed, tally.failed_indexes or index_ranges.NONE)
    return index_ranges.missing(
        index_ranges.union(settled, index_ranges.of(taken)), tally.job.spec.completions or 0
    )


def _creations(job: Job, places: Iterable[tuple[int | None, Pod | None]]) -> tuple[Action, ...]:
    writes = tuple(
        Create(
            NEW_PODS,
            new_pod(job, index, replaced),
            on_success=event(job, "Normal", "SuccessfulCreate", "Created pod: {name}"),
            on_failure=event(job, "Warning", "FailedCreate", "Error creating: {error}"),
        )
        for index, replaced in places
    )
    return (SlowStart(writes),) if writes else ()

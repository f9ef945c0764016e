"""Plan for one Job: its pods, its status, its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    AllAtOnce,
    Census,
    Facts,
    Plan,
    RecordEvent,
    Remember,
    Write,
    event,
    soonest,
)
from controllers.core.batch import (
    COMPLETE,
    FAILURE_TARGET,
    JOBS,
    SUCCESS_CRITERIA_MET,
    SUSPENDED,
    TRACKING,
    Job,
    JobStatus,
    find,
    is_finished,
    is_ours,
    true_condition,
)
from controllers.core.claims import claim
from controllers.core.finalizers import without_finalizer
from controllers.core.merge_patch import patch_status
from controllers.core.moment import Moment
from controllers.job import verdict
from controllers.job.backoff import Failures
from controllers.job.counting import Counted, count
from controllers.job.counts import of_job, of_pods, of_sync
from controllers.job.pods import is_tracked
from controllers.job.staffing import Staffing, deletions, staff
from controllers.job.tally import Tally, tally
from machinery.model.k8s.batch_v1 import JobCondition
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import is_controlled_by
from machinery.model.resources import PODS
from machinery.model.selectors import from_selector

LAGGING_S: Final = 1.0  # until a cache is compared with the server again


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    job: Job
    pods: Sequence[Pod]  # its own, and those of nobody that its selector matches, at least
    failures: Failures
    is_verified: bool  # this process has seen that its caches have all that an earlier one did for the Job


@dataclass(frozen=True, slots=True)
class Verified:
    """To remember: the caches have all that was done for a Job before this process led."""

    uid: str


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a Job: the status comes first, as it was seen, then pods are made, deleted or let go."""
    job = seen.job
    if is_finished(job) or not is_ours(job):
        return NOTHING_TO_DO
    claims = claim(job, JOBS, seen.pods, PODS, from_selector(job.spec.selector), facts, finalizer=TRACKING)
    if claims.needs:
        return Plan(needs=claims.needs)
    memo = Verified(job.metadata.uid)
    if not seen.is_verified and job.status.startTime:
        census = Census(PODS, job.metadata.namespace)
        if census not in facts.collections:
            return Plan(needs=(census,))
        if _lags(job, seen.pods, facts.collections[census]):
            return Plan(requeue_after_s=LAGGING_S)
    summed = tally(job, claims.owned, moment)
    adoptions: tuple[Action, ...] = (AllAtOnce(claims.patches),) if claims.patches else ()
    made = _plan(summed, seen.failures, moment, waits_for_adoption=bool(claims.patches))
    sync = of_sync(job, made)
    return Plan((*adoptions, *made.actions, Remember(memo)), made.requeue_after_s, syncs=(sync,))


def _lags(job: Job, cached: Iterable[Pod], live: Iterable[ObjectMeta]) -> bool:
    """Whether the cache of pods differs from what there is: a pod that it shows uncounted may have been counted since.

    A process that begins to lead has the Job's status of the last one, and may have older pods; what it writes itself
    it waits for.
    """
    own = [meta for meta in live if is_controlled_by(meta, job)]
    known = {pod.metadata.uid: is_tracked(pod) for pod in cached if is_controlled_by(pod.metadata, job)}
    return known != {meta.uid: TRACKING in meta.finalizers for meta in own}


def _plan(summed: Tally, failures: Failures, moment: Moment, *, waits_for_adoption: bool) -> Plan:
    job = summed.job
    end = verdict.judge_job(summed, moment)
    staffing = Staffing((), len(summed.active))
    if end is None:
        if not job.metadata.deletionTimestamp and not waits_for_adoption:
            staffing = staff(summed, failures, moment)
        if _is_complete(summed, staffing.left):
            end = verdict.completed(moment)
    counted = count(
        summed, ends=end is not None, succeeds=end is not None and end.type == SUCCESS_CRITERIA_MET
    )
    if end is not None:
        return _end(summed, end, counted, moment)
    status, told = _with_suspension(_as_seen(summed, counted.status), job, moment)
    wait_s = soonest(staffing.wait_s, verdict.deadline_in_s(replace(job, status=status), moment))
    return Plan(
        (
            *_written(job, status),
            *told,
            *_releases(counted.released),
            *staffing.actions,
        ),
        wait_s,
    )


def _written(job: Job, status: JobStatus) -> tuple[Action, ...]:
    return (*patch_status(JOBS, job, status), *of_pods(job, status))


def _is_complete(summed: Tally, active: int) -> bool:
    """Whether there are as many successes as are asked for: one, where it is not said how many, when nobody works any more."""
    completions = summed.job.spec.completions
    return active == 0 and summed.succeeded >= (1 if completions is None else completions)


def _end(summed: Tally, end: JobCondition, counted: Counted, moment: Moment) -> Plan:
    """Say why it ends, count its last pods and take them away; when there is nothing of that left, say that it has ended."""
    job = summed.job
    status = _as_seen(summed, counted.status)
    if not status.startTime and not job.spec.suspend:
        status = replace(status, startTime=moment.text)
    if _is_over(summed, counted, status):
        ending = verdict.final(end, moment)
        status = replace(
            status,
            conditions=_with(status.conditions, ending),
            completionTime=moment.text if ending.type == COMPLETE else None,
        )
        return Plan((*_written(job, status), of_job(job, ending), *_last_words(job, status, ending)))
    if find(status.conditions, end.type) is None:
        status = replace(status, conditions=[*status.conditions, end])
    removal = deletions(job, summed.active)
    return Plan((*_written(job, status), *_releases(counted.released), *removal))


def _is_over(summed: Tally, counted: Counted, status: JobStatus) -> bool:
    uncounted = status.uncountedTerminatedPods
    is_said = true_condition(summed.job, FAILURE_TARGET, SUCCESS_CRITERIA_MET) is not None
    is_counted = counted.is_whole and not counted.released
    rest = uncounted is not None and (uncounted.succeeded or uncounted.failed)
    return is_said and is_counted and not rest and not summed.active and not summed.terminating


def _last_words(job: Job, status: JobStatus, ending: JobCondition) -> tuple[RecordEvent, ...]:
    if ending.type != COMPLETE:
        return (event(job, "Warning", ending.reason, ending.message),)
    done = event(job, "Normal", "Completed", "Job completed")
    if job.spec.completions is not None and status.succeeded > job.spec.completions:
        text = "Too many succeeded pods running after completion count reached"
        return (event(job, "Warning", "TooManySucceededPods", text), done)
    return (done,)


def _as_seen(summed: Tally, status: JobStatus) -> JobStatus:
    return replace(status, active=len(summed.active), ready=summed.ready, terminating=summed.terminating)


def _with_suspension(
    status: JobStatus, job: Job, moment: Moment
) -> tuple[JobStatus, tuple[RecordEvent, ...]]:
    """Say when it began, and whether it is suspended; a Job that is resumed begins anew."""
    if job.metadata.deletionTimestamp:
        return status, ()
    known = find(status.conditions, SUSPENDED)
    if job.spec.suspend:
        if known is not None and known.status == "True":
            return status, ()
        suspended = verdict.condition(SUSPENDED, "JobSuspended", "Job suspended", moment)
        told = event(job, "Normal", "Suspended", "Job suspended")
        return replace(status, conditions=_with(status.conditions, suspended)), (told,)
    if known is not None and known.status == "True":
        resumed = verdict.condition(SUSPENDED, "JobResumed", "Job resumed", moment, "False")
        told = event(job, "Normal", "Resumed", "Job resumed")
        conditions = _with(status.conditions, resumed)
        return replace(status, conditions=conditions, startTime=moment.text), (told,)
    return (status, ()) if status.startTime else (replace(status, startTime=moment.text), ())


def _with(conditions: Sequence[JobCondition], new: JobCondition) -> list[JobCondition]:
    if find(conditions, new.type) is None:
        return [*conditions, new]
    return [new if each.type == new.type else each for each in conditions]


def _releases(pods: Iterable[Pod]) -> tuple[Action, ...]:
    writes: list[Write] = [without_finalizer(PODS, pod.metadata, TRACKING) for pod in pods]
    return (AllAtOnce(tuple(writes)),) if writes else ()

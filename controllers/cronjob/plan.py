"""Plan for one CronJob: what has become of its Jobs, and the next one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from msgspec.structs import replace as changed

from controllers.core.actions import (
    NO_FACTS,
    Action,
    AllAtOnce,
    Count,
    Create,
    Facts,
    Lookup,
    Metric,
    Plan,
    RecordEvent,
    Remember,
    Write,
    delete,
    event,
)
from controllers.core.batch import (
    COMPLETE,
    CRON_JOBS,
    FAILED,
    JOBS,
    NEW_JOBS,
    CronJob,
    Job,
    is_finished,
    true_condition,
)
from controllers.core.merge_patch import patch_status
from controllers.core.moment import Moment
from controllers.cronjob import missed
from controllers.cronjob.new_job import SCHEDULED, name_at, new_job, spoken, timestamp_of
from controllers.cronjob.schedule import Schedule, read, zone_of
from machinery.model.k8s.batch_v1 import CronJobStatus
from machinery.model.k8s.core_v1 import ObjectReference
from machinery.model.requests import reference_to

DOCUMENTATION: Final = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    cron_job: CronJob
    jobs: Sequence[Job]  # that it controls
    started_s: float | None = None  # the last start that this process has made: timestamps have whole seconds
    is_rescheduled: bool = False  # its schedule is new: what that would have been due before is no miss


@dataclass(frozen=True, slots=True)
class Started:
    """To remember: which start has been made."""

    uid: str
    at_s: float


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a CronJob."""
    cron_job = seen.cron_job
    questions = tuple(_questions(seen))
    if missing := tuple(each for each in questions if each not in facts.objects):
        return Plan(needs=missing)
    status, told = _status(seen, moment, facts)
    old = _surplus(seen)
    gone = {job.metadata.uid for job in old}
    status = changed(status, active=[each for each in status.active if each.uid not in gone])
    known = replace(seen, cron_job=changed(cron_job, status=status))
    next_ = _NOTHING if cron_job.metadata.deletionTimestamp else _next(known, moment)
    replaced = {job.metadata.uid for job in next_.replaced}
    status = changed(status, active=[each for each in status.active if each.uid not in replaced])
    return Plan(
        (
            *told,
            *next_.told,
            *patch_status(CRON_JOBS, cron_job, status),
            *_removals(cron_job, (*old, *next_.replaced)),
            *next_.creations,
            *((Remember(next_.started),) if next_.started else ()),
        ),
        requeue_after_s=next_.wait_s,
    )


def _questions(seen: Seen) -> Iterator[Lookup]:
    """Ask for the Jobs that are said to be active and that the cache does not have."""
    known = {job.metadata.uid for job in seen.jobs}
    for reference in seen.cron_job.status.active:
        if reference.uid not in known:
            yield Lookup(JOBS, seen.cron_job.metadata.namespace, reference.name)


def _status(seen: Seen, moment: Moment, facts: Facts) -> tuple[CronJobStatus, tuple[RecordEvent, ...]]:
    """Return which Jobs are active, when one was last started and when one last succeeded; and what is to be told of it."""
    cron_job, status = seen.cron_job, seen.cron_job.status
    told: list[RecordEvent] = []
    jobs = {job.metadata.uid: job for job in seen.jobs}
    active: list[ObjectReference] = []
    for reference in status.active:
        job = jobs.get(reference.uid)
        if job is None and facts.objects[Lookup(JOBS, cron_job.metadata.namespace, reference.name)] is None:
            text = f"Active job went missing: {reference.name}"
            told.append(event(cron_job, "Normal", "MissingJob", text))
        elif job is not None and (end := true_condition(job, COMPLETE, FAILED)) is not None:
            text = f"Saw completed job: {reference.name}, status: {end.type}"
            told.append(event(cron_job, "Normal", "SawCompletedJob", text))
        else:
            active.append(reference)
    last = status.lastScheduleTime
    named = {reference.uid for reference in status.active}
    for job in sorted(seen.jobs, key=lambda job: job.metadata.name):
        scheduled = _scheduled(job, cron_job, moment)
        last = max(filter(None, (last, scheduled)), default=None)
        if job.metadata.uid in named or is_finished(job) or job.metadata.deletionTimestamp:
            continue
        if scheduled:
            active.append(reference_to(job))
        else:
            text = f"Saw a job that the controller did not create or forgot: {job.metadata.name}"
            told.append(event(cron_job, "Warning", "UnexpectedJob", text))
    succeeded = (job.status.completionTime for job in seen.jobs if true_condition(job, COMPLETE))
    best = max(filter(None, (status.lastSuccessfulTime, *succeeded)), default=None)
    return CronJobStatus(active=active, lastScheduleTime=last, lastSuccessfulTime=best), tuple(told)


def _scheduled(job: Job, cron_job: CronJob, moment: Moment) -> str | None:
    """Return for which time a Job was made by this controller, None where it was made by somebody else."""
    at_s = moment.at(job.metadata.annotations.get(SCHEDULED))
    if at_s is None or not job.metadata.name.startswith(f"{cron_job.metadata.name}-"):
        return None
    return moment.timescale.format(at_s)


def _surplus(seen: Seen) -> tuple[Job, ...]:
    """Return the finished Jobs beyond the limits, the oldest first."""
    spec = seen.cron_job.spec
    return (
        *_oldest(seen.jobs, COMPLETE, spec.successfulJobsHistoryLimit),
        *_oldest(seen.jobs, FAILED, spec.failedJobsHistoryLimit),
    )


def _oldest(jobs: Iterable[Job], end: str, limit: int | None) -> list[Job]:
    ended = [job for job in jobs if true_condition(job, end)]
    if limit is None or len(ended) <= limit:
        return []
    ended.sort(key=lambda job: (job.status.startTime or "~", job.metadata.name))
    return [job for job in ended[: len(ended) - limit] if not job.metadata.deletionTimestamp]


def _removals(cron_job: CronJob, jobs: Iterable[Job]) -> tuple[Action, ...]:
    writes: list[Write] = [
        delete(
            JOBS,
            job,
            propagation_policy="Background",
            on_success=event(cron_job, "Normal", "SuccessfulDelete", "Deleted job {name}"),
            on_failure=event(cron_job, "Warning", "FailedDelete", "Deleted job: {error}"),
        )
        for job in jobs
    ]
    return (AllAtOnce(tuple(writes)),) if writes else ()


SKEW: Final = Metric(
    "cronjob_controller_job_creation_skew_duration_seconds",
    "Seconds from when a Job was due until it was made",
    buckets=tuple(2.0**power for power in range(10)),
)


@dataclass(frozen=True, slots=True)
class _Next:
    """What comes next."""

    told: tuple[RecordEvent, ...] = ()
    replaced: tuple[Job, ...] = ()
    creations: tuple[Action, ...] = ()
    wait_s: float | None = None
    started: Started | None = None


_NOTHING: Final = _Next()


def _next(seen: Seen, moment: Moment) -> _Next:
    """Decide about the next start; what is wrong with the schedule is told, and waits for a change of it."""
    cron_job = seen.cron_job
    spec = cron_job.spec
    try:
        zone = zone_of(spec.timeZone or "")
    except ValueError as error:
        text = f'invalid timeZone: "{spec.timeZone}": {error}'
        return _Next((event(cron_job, "Warning", "UnknownTimeZone", text),))
    if spec.suspend:
        return _NOTHING
    told = _told_of_zone(cron_job)
    try:
        schedule = read(spec.schedule, zone)
    except ValueError as error:
        text = f'unparseable schedule: "{spec.schedule}" : {error}'
        return _Next((*told, event(cron_job, "Warning", "UnparseableSchedule", text)))
    try:
        wait_s = missed.wait_s(schedule, _since(seen, moment), moment.now_s)
        found = _Next() if seen.is_rescheduled else _start(seen, schedule, moment)
    except ValueError as error:
        text = f"invalid schedule: {spec.schedule} : {error}"
        return _Next((*told, event(cron_job, "Warning", "InvalidSchedule", text)))
    return replace(found, told=(*told, *found.told), wait_s=wait_s)


def _told_of_zone(cron_job: CronJob) -> tuple[RecordEvent, ...]:
    if "TZ" not in cron_job.spec.schedule:
        return ()
    text = (
        f'CRON_TZ or TZ used in schedule "{cron_job.spec.schedule}" is not officially supported, see {DOCUMENTATION} for '
        "more details"
    )
    return (event(cron_job, "Warning", "UnsupportedSchedule", text),)


def _since(seen: Seen, moment: Moment) -> float:
    """Return the last start, or when the CronJob was made."""
    if (known_s := _known_start(seen, moment)) is not None:
        return known_s
    status, meta = seen.cron_job.status, seen.cron_job.metadata
    return moment.at(status.lastScheduleTime or meta.creationTimestamp) or 0.0


def _known_start(seen: Seen, moment: Moment) -> float | None:
    """Return the last start exactly, None where this process has not made it: timestamps have whole seconds of the wall."""
    last = seen.cron_job.status.lastScheduleTime
    if seen.started_s is None or last != moment.timescale.format(seen.started_s):
        return None
    return seen.started_s


def _start(seen: Seen, schedule: Schedule, moment: Moment) -> _Next:
    """Make the Job of the most recent start that is due, unless there is a reason against it."""
    cron_job, spec = seen.cron_job, seen.cron_job.spec
    since_s = _since(seen, moment)
    if spec.startingDeadlineSeconds is not None:
        since_s = max(since_s, moment.now_s - spec.startingDeadlineSeconds)
    found = missed.starts(schedule, since_s, moment.now_s)
    due_s = found.last_s
    if due_s is None:
        return _NOTHING
    told: tuple[RecordEvent, ...] = ()
    if found.count > missed.MANY:
        text = (
            "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        )
        told = (event(cron_job, "Warning", "TooManyMissedTimes", text),)
    if spec.startingDeadlineSeconds is not None and due_s + spec.startingDeadlineSeconds < moment.now_s:
        text = f"Missed scheduled time to start a job: {spoken(due_s, moment)}"
        return _Next((*told, event(cron_job, "Warning", "MissSchedule", text)))
    if _is_made(seen, due_s, moment):
        return _Next(told)
    if spec.concurrencyPolicy == "Forbid" and cron_job.status.active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return _Next((*told, event(cron_job, "Normal", "JobAlreadyActive", text)))
    replaced = tuple(_active(seen)) if spec.concurrencyPolicy == "Replace" else ()
    creation = Create(
        NEW_JOBS,
        new_job(cron_job, due_s, timestamp_of(due_s, zone_of(spec.timeZone or ""), moment)),
        on_success=event(cron_job, "Normal", "SuccessfulCreate", "Created job {name}"),
        on_failure=event(cron_job, "Warning", "FailedCreate", "Error creating job: {error}"),
        already_exists_is_fine=True,
    )
    told = (*told, *_told_of_clock(cron_job, moment))
    skew = Count(SKEW, amount=moment.now_s - due_s)
    return _Next(told, replaced, (creation, skew), started=Started(cron_job.metadata.uid, due_s))


def _is_made(seen: Seen, due_s: float, moment: Moment) -> bool:
    name = name_at(seen.cron_job, due_s)
    if any(reference.name == name for reference in seen.cron_job.status.active):
        return True
    if (known_s := _known_start(seen, moment)) is not None:
        return known_s == due_s
    return seen.cron_job.status.lastScheduleTime == moment.timescale.format(due_s)


def _active(seen: Seen) -> Iterator[Job]:
    active = {reference.uid for reference in seen.cron_job.status.active}
    return (job for job in seen.jobs if job.metadata.uid in active)


def _told_of_clock(cron_job: CronJob, moment: Moment) -> tuple[RecordEvent, ...]:
    """Say once of a CronJob that its minutes are not those of the user's watch."""
    scale = moment.timescale.scale
    if scale == 1 or cron_job.status.lastScheduleTime:
        return ()
    text = f"The schedule follows the cluster's clock, which runs {scale:g} times as fast as the wall clock"
    return (event(cron_job, "Normal", "ClusterClock", text),)

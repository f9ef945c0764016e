"""Plan for one Job that has ended: whether its time is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Count, Delete, Documents, Facts, Metric, Plan
from controllers.core.batch import COMPLETE, FAILED, JOBS, Job, true_condition
from controllers.core.moment import Moment

LATENESS: Final = Metric(
    "ttl_after_finished_controller_job_deletion_duration_seconds",
    "Seconds from when the time of a Job was over until it was deleted",
    buckets=tuple(0.1 * 2**power for power in range(14)),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    job: Job


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Delete a Job whose time is over, with its pods; the server is asked first: its time may have become longer."""
    meta = seen.job.metadata
    left_s = left_of(seen.job, moment)
    if left_s is None or left_s > 0:
        return Plan(requeue_after_s=left_s)
    question = Documents(JOBS, meta.namespace, meta.name)
    if question not in facts.documents:
        return Plan(needs=(question,))
    if not facts.documents[question]:
        return NOTHING_TO_DO
    live = msgspec.convert(facts.documents[question][0], Job)
    if live.metadata.uid != meta.uid:
        return NOTHING_TO_DO  # the cache will show it
    left_s = left_of(live, moment)
    if left_s is None or left_s > 0:
        return Plan(requeue_after_s=left_s)
    deletion = Delete(
        JOBS,
        meta.namespace,
        meta.name,
        meta.uid,
        resource_version=live.metadata.resourceVersion,
        propagation_policy="Foreground",
    )
    return Plan((deletion, Count(LATENESS, amount=_late_s(live, moment))))


def _late_s(job: Job, moment: Moment) -> float:
    """Return for how long a Job's time has been over."""
    ttl_s, end = job.spec.ttlSecondsAfterFinished, true_condition(job, COMPLETE, FAILED)
    over_s = moment.since(end.lastTransitionTime) if end is not None else 0.0
    return max(0.0, over_s - (ttl_s or 0))


def left_of(job: Job, moment: Moment) -> float | None:
    """Return for how long a Job may stay, None where it may for good, goes already, or has not ended."""
    ttl_s, end = job.spec.ttlSecondsAfterFinished, true_condition(job, COMPLETE, FAILED)
    if ttl_s is None or end is None or job.metadata.deletionTimestamp:
        return None
    ended_s = moment.at(end.lastTransitionTime)
    return None if ended_s is None else max(0.0, ended_s + ttl_s - moment.now_s)

"""What is counted of Jobs on /metrics.

https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controllers.core.actions import AllAtOnce, Count, Create, Delete, Metric, Plan, SlowStart, Sync
from controllers.core.batch import COMPLETE, Job, JobStatus
from controllers.job import index_ranges
from controllers.job.pods import is_indexed
from machinery.model.k8s.batch_v1 import JobCondition

JOBS_FINISHED: Final = Metric(
    "job_controller_jobs_finished_total",
    "Jobs that have ended",
    ("completion_mode", "result", "reason"),
)
PODS_FINISHED: Final = Metric(
    "job_controller_job_pods_finished_total",
    "Pods that have ended and are counted for good",
    ("completion_mode", "result"),
)
INDEXES_FINISHED: Final = Metric(
    "job_controller_job_finished_indexes_total",
    "Indexes of Indexed Jobs that have come to an end",
    ("status", "backoffLimit"),
)
_SYNC_LABELS: Final = ("completion_mode", "result", "action")
SYNCS: Final = Metric("job_controller_job_syncs_total", "Syncs of Jobs", _SYNC_LABELS)
SYNC_DURATION: Final = Metric(
    "job_controller_job_sync_duration_seconds",
    "Seconds that a sync of a Job took",
    _SYNC_LABELS,
    tuple(0.004 * 2**power for power in range(15)),
)


def of_sync(job: Job, plan: Plan) -> Sync:
    """Return what the sync of a Job is counted as that this plan is carried out in."""
    mode, action = _mode(job), _action(plan)
    return Sync(SYNCS, SYNC_DURATION, (mode, "success", action), (mode, "error", action))


def _action(plan: Plan) -> str:
    for action in plan.actions:
        writes = action.writes if isinstance(action, SlowStart | AllAtOnce) else ()
        if any(isinstance(write, Create) for write in writes):
            return "pods_created"
        if any(isinstance(write, Delete) for write in writes):
            return "pods_deleted"
    return "tracking"


def of_job(job: Job, ending: JobCondition) -> Count:
    """Count a Job that has ended."""
    result = "succeeded" if ending.type == COMPLETE else "failed"
    return Count(JOBS_FINISHED, (_mode(job), result, ending.reason))


def of_pods(job: Job, status: JobStatus) -> Iterator[Count]:
    """Count the pods that a new status has more than the old one."""
    for result in ("succeeded", "failed"):
        more = getattr(status, result) - getattr(job.status, result)
        if more > 0:
            yield Count(PODS_FINISHED, (_mode(job), result), more)
    yield from _of_indexes(job, status)


def _of_indexes(job: Job, status: JobStatus) -> Iterator[Count]:
    """Count the indexes that a new status has more than the old one."""
    if not is_indexed(job):
        return
    limit, most = "global" if job.spec.backoffLimitPerIndex is None else "perIndex", job.spec.completions or 0
    for result, before, after in (
        ("succeeded", job.status.completedIndexes, status.completedIndexes),
        ("failed", job.status.failedIndexes, status.failedIndexes),
    ):
        known, now = (index_ranges.total(index_ranges.parse(text or "", most)) for text in (before, after))
        if now > known:
            yield Count(INDEXES_FINISHED, (result, limit), now - known)


def _mode(job: Job) -> str:
    return job.spec.completionMode or "NonIndexed"

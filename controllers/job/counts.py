"""What is counted of Jobs on /metrics.

https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from controllers.core.actions import Count, Metric
from controllers.core.batch import COMPLETE, Job, JobStatus
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


def _mode(job: Job) -> str:
    return job.spec.completionMode or "NonIndexed"

"""Jobs and CronJobs as their controllers see them: with the user's templates untouched (see `controllers.core.workloads`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from controllers.core.workloads import Template
from machinery.model.k8s import served
from machinery.model.k8s.batch_v1 import (
    CronJobStatus,
    JobCondition,
    PodFailurePolicy,
    SuccessPolicy,
    UncountedTerminatedPods,
)
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta
from machinery.model.resources import resource_of

COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
FAILURE_TARGET: Final = "FailureTarget"
SUCCESS_CRITERIA_MET: Final = "SuccessCriteriaMet"
SUSPENDED: Final = "Suspended"

INDEXED: Final = "Indexed"
OUR_NAME: Final = "kubernetes.io/job-controller"  # as a Job's manager
TRACKING: Final = "batch.kubernetes.io/job-tracking"  # the finalizer of a pod that has not been counted


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """batch/v1 JobSpec with its template as a document. The server fills in what has a default."""

    activeDeadlineSeconds: int | None = None
    backoffLimit: int = 6
    backoffLimitPerIndex: int | None = None
    completionMode: str = "NonIndexed"
    completions: int | None = None
    managedBy: str = OUR_NAME
    maxFailedIndexes: int | None = None
    parallelism: int = 1
    podFailurePolicy: PodFailurePolicy | None = None
    podReplacementPolicy: str = ""
    selector: LabelSelector = LabelSelector()
    successPolicy: SuccessPolicy | None = None
    suspend: bool = False
    template: Template = {}
    ttlSecondsAfterFinished: int | None = None


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """batch/v1 JobStatus. An empty list of failed indexes is not the same as none: it is written."""

    active: int = 0
    completedIndexes: str = ""
    completionTime: str | None = None
    conditions: list[JobCondition] = []
    failed: int = 0
    failedIndexes: str | None = None
    ready: int | None = None
    startTime: str | None = None
    succeeded: int = 0
    terminating: int | None = None
    uncountedTerminatedPods: UncountedTerminatedPods | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """batch/v1 Job."""

    apiVersion: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "Job")
    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class CronJobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """batch/v1 CronJobSpec with the template of its Jobs as a document."""

    concurrencyPolicy: str = "Allow"
    failedJobsHistoryLimit: int | None = None
    jobTemplate: dict[str, Any] = {}
    schedule: str = ""
    startingDeadlineSeconds: int | None = None
    successfulJobsHistoryLimit: int | None = None
    suspend: bool = False
    timeZone: str | None = None


class CronJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """batch/v1 CronJob."""

    apiVersion: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "CronJob")
    metadata: ObjectMeta = ObjectMeta()
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class NewJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A Job to be created: its spec is the template's, field for field."""

    apiVersion: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "Job")
    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = {}


JOBS: Final = resource_of(served.JOBS, Job)
CRON_JOBS: Final = resource_of(served.CRON_JOBS, CronJob)
NEW_JOBS: Final = resource_of(served.JOBS, NewJob)


def find(conditions: Iterable[JobCondition], type_: str) -> JobCondition | None:
    """Return a Job's condition of a type."""
    return next((condition for condition in conditions if condition.type == type_), None)


def true_condition(job: Job, *types: str) -> JobCondition | None:
    """Return the first condition of these types that is True."""
    return next(
        (each for each in job.status.conditions if each.type in types and each.status == "True"), None
    )


def is_finished(job: Job) -> bool:
    """Whether a Job has ended, one way or the other."""
    return true_condition(job, COMPLETE, FAILED) is not None


def is_ours(job: Job) -> bool:
    """Whether a Job is not left to another controller."""
    return job.spec.managedBy == OUR_NAME

"""Kubernetes v1.36.0 batch/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import core_v1, meta_v1


class PodFailurePolicyOnExitCodesRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.PodFailurePolicyOnExitCodesRequirement."""

    containerName: str = ""
    operator: str
    values: list[int]


class PodFailurePolicyOnPodConditionsPattern(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.PodFailurePolicyOnPodConditionsPattern."""

    status: str = ""
    type: str


class PodFailurePolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.PodFailurePolicyRule."""

    action: str
    onExitCodes: PodFailurePolicyOnExitCodesRequirement | None = None
    onPodConditions: list[PodFailurePolicyOnPodConditionsPattern] = []


class PodFailurePolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.PodFailurePolicy."""

    rules: list[PodFailurePolicyRule]


class SuccessPolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.SuccessPolicyRule."""

    succeededCount: int | None = None
    succeededIndexes: str = ""


class SuccessPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.SuccessPolicy."""

    rules: list[SuccessPolicyRule]


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.JobSpec."""

    activeDeadlineSeconds: int | None = None
    backoffLimit: int | None = None
    backoffLimitPerIndex: int | None = None
    completionMode: str = ""
    completions: int | None = None
    managedBy: str = ""
    manualSelector: bool | None = None
    maxFailedIndexes: int | None = None
    parallelism: int | None = None
    podFailurePolicy: PodFailurePolicy | None = None
    podReplacementPolicy: str = ""
    selector: meta_v1.LabelSelector | None = None
    successPolicy: SuccessPolicy | None = None
    suspend: bool | None = None
    template: core_v1.PodTemplateSpec
    ttlSecondsAfterFinished: int | None = None


class JobTemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.JobTemplateSpec."""

    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: JobSpec | None = None


class CronJobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.CronJobSpec."""

    concurrencyPolicy: str = ""
    failedJobsHistoryLimit: int | None = None
    jobTemplate: JobTemplateSpec
    schedule: str
    startingDeadlineSeconds: int | None = None
    successfulJobsHistoryLimit: int | None = None
    suspend: bool | None = None
    timeZone: str = ""


class CronJobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.CronJobStatus."""

    active: list[core_v1.ObjectReference] = []
    lastScheduleTime: str | None = None
    lastSuccessfulTime: str | None = None


class CronJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.CronJob."""

    apiVersion: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "CronJob")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: CronJobSpec
    status: CronJobStatus = CronJobStatus()


class JobCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.JobCondition."""

    lastProbeTime: str | None = None
    lastTransitionTime: str | None = None
    message: str = ""
    reason: str = ""
    status: str
    type: str


class UncountedTerminatedPods(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.UncountedTerminatedPods."""

    failed: list[str] = []
    succeeded: list[str] = []


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.JobStatus."""

    active: int | None = None
    completedIndexes: str = ""
    completionTime: str | None = None
    conditions: list[JobCondition] = []
    failed: int | None = None
    failedIndexes: str = ""
    ready: int | None = None
    startTime: str | None = None
    succeeded: int | None = None
    terminating: int | None = None
    uncountedTerminatedPods: UncountedTerminatedPods | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.batch.v1.Job."""

    apiVersion: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "Job")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: JobSpec
    status: JobStatus = JobStatus()

"""The Job of one start of a CronJob: its name is that of the minute, so that it is made once."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

from controllers.core.batch import CronJob, NewJob
from controllers.core.moment import Moment
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import owner_reference

SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"


def name_at(cron_job: CronJob, due_s: float) -> str:
    """Return the name of the Job of a start."""
    return f"{cron_job.metadata.name}-{int(due_s // 60)}"


def new_job(cron_job: CronJob, due_s: float, timestamp: str) -> NewJob:
    """Write the Job of a start: its spec is the template's, of its metadata what the API allows."""
    template = cron_job.spec.jobTemplate
    metadata = template.get("metadata") or {}
    return NewJob(
        metadata=ObjectMeta(
            name=name_at(cron_job, due_s),
            namespace=cron_job.metadata.namespace,
            labels=dict(metadata.get("labels") or {}),
            annotations={**(metadata.get("annotations") or {}), SCHEDULED: timestamp},
            ownerReferences=[owner_reference(cron_job)],
        ),
        spec=template.get("spec") or {},
    )


def timestamp_of(due_s: float, zone: tzinfo, moment: Moment) -> str:
    """Write a start as RFC 3339, in a time zone."""
    text = _wall(due_s, moment).astimezone(zone).isoformat(timespec="seconds")
    return f"{text[: -len('+00:00')]}Z" if text.endswith("+00:00") else text


def spoken(due_s: float, moment: Moment) -> str:
    """Write a start as RFC 1123 with the offset in numbers."""
    return _wall(due_s, moment).strftime("%a, %d %b %Y %H:%M:%S +0000")


def _wall(due_s: float, moment: Moment) -> datetime:
    return datetime.fromtimestamp(moment.timescale.wall(due_s), UTC)

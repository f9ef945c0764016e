"""Jobs and CronJobs."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from apiserver.core.table.ages import human_duration
from apiserver.core.table.table import (
    AGE,
    NAME,
    NONE,
    WORKLOAD_COLUMNS,
    Cells,
    Column,
    Moment,
    Table,
    age,
    containers_text,
    name,
    selector_text,
)
from apiserver.core.values import Json, metadata, spec

_STATES: Final = {  # the first condition that holds
    "Complete": "Complete",
    "Failed": "Failed",
    "": "Terminating",  # where the Job is being deleted
    "Suspended": "Suspended",
    "FailureTarget": "FailureTarget",
}


def _job(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    return [
        name(obj),
        _state(obj),
        _completions(own, status),
        _duration(status, moment),
        age(obj, moment),
        *_wide_cells(own),
    ]


def _wide_cells(job: Json) -> Cells:
    pod = spec(job.get("template") or {})
    return [*containers_text(pod), selector_text(job.get("selector"))]


def _state(obj: Json) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    holding = {each.get("type") for each in conditions if each.get("status") == "True"}
    if metadata(obj).get("deletionTimestamp"):
        holding.add("")
    return next((text for condition, text in _STATES.items() if condition in holding), "Running")


def _completions(own: Json, status: Json) -> str:
    succeeded, parallel = status.get("succeeded", 0), own.get("parallelism", 0)
    if "completions" in own:
        return f"{succeeded}/{own['completions']}"
    return f"{succeeded}/1 of {parallel}" if parallel > 1 else f"{succeeded}/1"


def _duration(status: Json, moment: Moment) -> str:
    started, ended = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    return human_duration(_seconds(ended) - _seconds(started)) if ended else moment.since(started)


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _cron_job(obj: Json, moment: Moment) -> Cells:
    own, status = spec(obj), obj.get("status") or {}
    last = status.get("lastScheduleTime")
    suspend = own.get("suspend")
    return [
        name(obj),
        own.get("schedule", ""),
        own.get("timeZone", NONE),
        "<unset>" if suspend is None else str(suspend),
        len(status.get("active") or ()),
        moment.since(last) if last else NONE,
        age(obj, moment),
        *_wide_cells(spec(own.get("jobTemplate") or {})),
    ]


JOBS: Final = Table(
    (
        NAME,
        Column("Status", description="Whether it runs, or how it has ended."),
        Column("Completions", description="How many of its pods have succeeded, of how many."),
        Column("Duration", description="How long it has taken."),
        AGE,
        *WORKLOAD_COLUMNS,
    ),
    _job,
)
CRON_JOBS: Final = Table(
    (
        NAME,
        Column("Schedule", description="When it runs, in the form of cron."),
        Column("Timezone", description="The time zone of the schedule."),
        Column("Suspend", "boolean", description="Whether it makes no new Jobs."),
        Column("Active", "integer", description="How many of its Jobs run."),
        Column("Last Schedule", description="How long ago it made a Job."),
        AGE,
        *WORKLOAD_COLUMNS,
    ),
    _cron_job,
)

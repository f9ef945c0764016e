"""CronJobs: defaults, what they are refused for, and how they are printed."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model.errors import NotImplementedHere
from tests.support.served_kinds import (
    created,
    merged,
    read,
    row,
    update_complaints,
    updated,
    with_status,
)

POD = {"containers": [{"name": "main", "image": "app:1"}], "restartPolicy": "Never"}


def cron_job(name: str = "report", *, job: Json | None = None, pod: Json | None = None, **spec: Any) -> Json:
    template = {"spec": {**POD, **(pod or {})}}
    own = {"schedule": "@daily", "jobTemplate": {"spec": {"template": template, **(job or {})}}, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": own}


def test_a_cron_job_gets_defaults() -> None:
    """The Jobs that it makes get theirs when they are made; their pods' are filled in."""
    own = created(cron_job())["spec"]
    assert {name: own[name] for name in own if name not in {"jobTemplate", "schedule"}} == {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    job = own["jobTemplate"]["spec"]
    assert set(job) == {"template"}
    assert job["template"]["spec"]["terminationGracePeriodSeconds"] == 30


def test_a_cron_job_changes() -> None:
    """Everything in it may; with its spec the next generation begins, and its status is written apart."""
    stored = created(cron_job())
    changed = updated(merged(stored, schedule="@hourly", suspend=True), stored)
    assert changed["metadata"]["generation"] == 2
    seen = with_status(changed, lastScheduleTime="2026-01-01T00:00:00Z")
    assert seen["status"] == {"lastScheduleTime": "2026-01-01T00:00:00Z"}
    assert updated({**seen, "status": {}}, seen) == seen


def test_a_time_zone_that_stands_in_a_schedule_may_stay_there() -> None:
    """But not beside one in the field that is for it."""
    stored = merged(created(cron_job()), schedule="TZ=UTC 0 0 * * *")
    assert update_complaints(merged(stored, suspend=True), stored) == []
    assert update_complaints(merged(stored, timeZone="UTC"), stored) == [
        'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule'
    ]


def test_a_time_zone_that_is_not_known_any_more_may_stay() -> None:
    """It is looked at where it changes, and so is a name that is too long."""
    stored = merged(created(cron_job()), timeZone="Old/Place")
    long = {**stored, "metadata": {**stored["metadata"], "name": "a" * 60}}
    assert update_complaints(merged(long, suspend=True), long) == []


def test_what_its_pods_cannot_have_is_said_with_its_place() -> None:
    """A 501, as for pods."""
    with pytest.raises(
        NotImplementedHere, match=r"^spec\.jobTemplate\.spec\.template\.spec\.schedulingGroup"
    ):
        read(cron_job(pod={"schedulingGroup": {"podGroupName": "a"}}))


def test_a_cron_job_is_printed() -> None:
    """With its schedule, and when it ran."""
    cells = row(created(cron_job(timeZone="Europe/Berlin")))
    assert list(cells.items())[:6] == [
        ("Name", "report"),
        ("Schedule", "@daily"),
        ("Timezone", "Europe/Berlin"),
        ("Suspend", "False"),
        ("Active", 0),
        ("Last Schedule", "<none>"),
    ]
    ran = {"lastScheduleTime": "2026-01-01T00:00:50Z", "active": [{"name": "report-1"}]}
    cells = row({**created(cron_job(suspend=True)), "status": ran})
    assert [cells[name] for name in ("Timezone", "Suspend", "Active", "Last Schedule")] == [
        "<none>",
        "True",
        1,
        "10s",
    ]

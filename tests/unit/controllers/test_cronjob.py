"""The CronJob controller: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/."""

import msgspec
import pytest

from controllers.core.actions import Count, Create, Delete, Facts, Lookup, Remember
from controllers.core.batch import JOBS, CronJob, CronJobSpec
from controllers.core.moment import Moment
from controllers.cronjob.new_job import SCHEDULED
from controllers.cronjob.plan import SKEW, Seen, Started, plan
from machinery.model.clock import Timescale
from machinery.model.k8s.batch_v1 import CronJobStatus
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import CREATED, at, events, moment, of_type, owner, status_of
from tests.support.jobs import job

MINUTE = int(moment().now_s // 60)  # 01:00; created at 00:00
TEMPLATE = {
    "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
    "spec": {"completions": 2, "future": 1},
}


def cron_job(schedule="0 * * * *", *, status=None, metadata=None, **fields):
    known = {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1, "jobTemplate": TEMPLATE, **fields}
    return CronJob(
        metadata=builders.meta("tick", "default", **{"creationTimestamp": CREATED, **(metadata or {})}),
        spec=CronJobSpec(schedule=schedule, **known),
        status=msgspec.convert(status or {}, CronJobStatus),
    )


def made_at(offset_s=0.0, *, end="", parent=None, **fields):
    """Return the Job of a start that lies so far from the tests' now."""
    minute = int((moment().now_s + offset_s) // 60)
    metadata = {"annotations": {SCHEDULED: at(offset_s)}, "ownerReferences": [owner(parent or cron_job())]}
    status = (
        {"conditions": [{"type": end, "status": "True"}], "completionTime": at(offset_s + 5)} if end else {}
    )
    return job(
        f"tick-{minute}", metadata={**metadata, **fields}, status={"startTime": at(offset_s), **status}
    )


def reference(job_):
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": job_.metadata.name,
        "namespace": "default",
        "uid": job_.metadata.uid,
    }


def plan_for(cron_job_, *jobs, later_s=0.0, facts=None, **fields):
    return plan(Seen(cron_job_, jobs, **fields), moment(later_s), facts or Facts())


def created(plan_):
    return [write.object.metadata.name for write in of_type(plan_, Create)]


def told(plan_):
    return [(type_, reason) for type_, reason, _message in events(plan_)]


def test_a_job_is_made_when_it_is_due():
    """Named after the minute, with the template's content, and when it was to be."""
    made = plan_for(cron_job(timeZone="Asia/Kolkata", schedule="30 6 * * *"), later_s=3)
    [creation] = of_type(made, Create)
    meta = creation.object.metadata
    assert (meta.name, meta.namespace, meta.labels) == (f"tick-{MINUTE}", "default", {"a": "b"})
    assert meta.annotations == {"c": "d", SCHEDULED: "2026-01-01T06:30:00+05:30"}
    assert meta.ownerReferences == [owner(cron_job())]
    assert creation.object.spec == TEMPLATE["spec"]
    assert events(made) == [("Normal", "SuccessfulCreate", "Created job {name}")]
    assert made.actions[-2:] == (
        Count(SKEW, amount=3),
        Remember(Started("uid-default-tick", moment().now_s)),
    )
    assert made.requeue_after_s == pytest.approx(86_400 - 3 + 0.1)
    assert (
        of_type(plan_for(cron_job()), Create)[0].object.metadata.annotations[SCHEDULED]
        == "2026-01-01T01:00:00Z"
    )


def test_what_was_made_is_active():
    """Also where the process died before it could say so; it is not made again."""
    one = made_at()
    made = plan_for(cron_job(), one, later_s=1)
    assert not created(made)
    [active] = status_of(made)["active"]
    assert (active["name"], active["uid"], active["kind"]) == (one.metadata.name, one.metadata.uid, "Job")
    assert status_of(made)["lastScheduleTime"] == at(0)
    known = cron_job(status={"active": [reference(one)], "lastScheduleTime": at(0)})
    made = plan_for(known, one, later_s=1)
    assert not made.actions
    assert made.requeue_after_s == pytest.approx(3600 - 1 + 0.1)


@pytest.mark.parametrize(
    ("fields", "later_s", "names", "reasons"),
    [
        ({"suspend": True}, 0, [], []),
        ({"timeZone": "Mars/Base"}, 0, [], [("Warning", "UnknownTimeZone")]),
        ({"schedule": "x"}, 0, [], [("Warning", "UnparseableSchedule")]),
        ({"schedule": "0 0 31 2 *"}, 0, [], [("Warning", "InvalidSchedule")]),
        ({"schedule": "TZ=UTC 0 * * * *"}, 0, [0], [("Warning", "UnsupportedSchedule"), ("Normal", "SuccessfulCreate")]),
        ({"startingDeadlineSeconds": 10}, 9, [0], [("Normal", "SuccessfulCreate")]),
        ({"startingDeadlineSeconds": 10}, 11, [], []),
        ({"schedule": "* * * * *"}, 6000, [100], [("Warning", "TooManyMissedTimes"), ("Normal", "SuccessfulCreate")]),
        ({"schedule": "* * * * *", "startingDeadlineSeconds": 200}, 6000, [100], [("Normal", "SuccessfulCreate")]),
        ({"metadata": {"deletionTimestamp": at(-1)}}, 0, [], []),
        ({"schedule": "1 1 * * *"}, 0, [], []),
    ],
)  # fmt: skip
def test_whether_a_start_is_made(fields, later_s, names, reasons):
    """Only the most recent one that was missed; a hundred of them are told of."""
    made = plan_for(cron_job(**fields), later_s=later_s)
    assert created(made) == [f"tick-{MINUTE + minutes}" for minutes in names]
    assert told(made) == reasons


def test_a_schedule_that_is_new_has_missed_nothing():
    """Its first start is the next one."""
    made = plan_for(cron_job(), later_s=600, is_rescheduled=True)
    assert not made.actions
    assert made.requeue_after_s == pytest.approx(3000 + 0.1)


@pytest.mark.parametrize(
    ("policy", "made", "gone", "reasons"),
    [
        ("Allow", 1, 0, ["SuccessfulCreate"]),
        ("Forbid", 0, 0, ["JobAlreadyActive"]),
        ("Replace", 1, 1, ["SuccessfulDelete", "SuccessfulCreate"]),
    ],
)
def test_jobs_at_the_same_time(policy, made, gone, reasons):
    """They are allowed, or the new one waits, or the old one goes."""
    old = made_at(-3600)
    status = {"active": [reference(old)], "lastScheduleTime": at(-3600)}
    found = plan_for(cron_job(concurrencyPolicy=policy, status=status), old)
    assert (len(created(found)), len(of_type(found, Delete))) == (made, gone)
    assert [reason for _type, reason in told(found)] == reasons
    if gone:
        assert status_of(found)["active"] is None
        assert of_type(found, Delete)[0].propagation_policy == "Background"


def test_jobs_that_end_are_told():
    """How they ended; the last success has its time."""
    good, bad = made_at(-60, end="Complete"), made_at(-120, end="Failed")
    status = {"active": [reference(good), reference(bad)], "lastScheduleTime": at(0)}
    made = plan_for(cron_job(status=status), good, bad)
    assert events(made) == [
        ("Normal", "SawCompletedJob", f"Saw completed job: {good.metadata.name}, status: Complete"),
        ("Normal", "SawCompletedJob", f"Saw completed job: {bad.metadata.name}, status: Failed"),
    ]
    assert status_of(made) == {"active": None, "lastSuccessfulTime": at(-55)}


def test_jobs_that_are_missing_are_told():
    """After a live look."""
    gone = made_at(-60)
    known = cron_job(status={"active": [reference(gone)], "lastScheduleTime": at(0)})
    question = Lookup(JOBS, "default", gone.metadata.name)
    assert plan_for(known).needs == (question,)
    made = plan_for(known, facts=Facts(objects={question: None}))
    assert events(made) == [("Normal", "MissingJob", f"Active job went missing: {gone.metadata.name}")]
    assert status_of(made) == {"active": None}
    assert not plan_for(known, facts=Facts(objects={question: gone.metadata})).actions


def test_a_job_of_somebody_else_is_told():
    """It is controlled by the CronJob, and does not say when it was to be."""
    strange = job("strange", metadata={"ownerReferences": [owner(cron_job())]})
    made = plan_for(cron_job(status={"lastScheduleTime": at(0)}), strange)
    text = "Saw a job that the controller did not create or forgot: strange"
    assert events(made) == [("Warning", "UnexpectedJob", text)]


def test_old_jobs_go():
    """The oldest first, as many as there are beyond the limits; without a limit none."""
    good = [made_at(-60 * n, end="Complete") for n in range(1, 6)]
    bad = [made_at(-60 * n - 6000, end="Failed") for n in range(1, 4)]
    made = plan_for(cron_job(status={"lastScheduleTime": at(0)}), *good, *bad)
    assert [write.name for write in of_type(made, Delete)] == [
        each.metadata.name for each in (good[4], good[3], bad[2], bad[1])
    ]
    assert told(made) == [("Normal", "SuccessfulDelete")] * 4
    kept = cron_job(
        status={"lastScheduleTime": at(0)}, successfulJobsHistoryLimit=None, failedJobsHistoryLimit=0
    )
    assert len(of_type(plan_for(kept, *good, *bad), Delete)) == 3


def test_schedules_follow_the_clusters_clock():
    """Which says so once; minutes are the cluster's, timestamps the user's."""
    scale = Timescale(20)
    now = Moment(scale.parse("2026-01-01T00:00:30Z"), scale)
    made = plan(Seen(cron_job("*/10 * * * *"), ()), now)
    assert created(made) == [f"tick-{int(now.now_s // 60)}"]
    text = "The schedule follows the cluster's clock, which runs 20 times as fast as the wall clock"
    assert events(made)[0] == ("Normal", "ClusterClock", text)
    assert made.requeue_after_s == pytest.approx(600.1)
    again = plan(Seen(cron_job("*/10 * * * *", status={"lastScheduleTime": "2026-01-01T00:00:00Z"}), ()), now)
    assert told(again) == [("Normal", "SuccessfulCreate")]


def test_starts_within_one_second_of_the_wall_are_told_apart():
    """By what this process remembers: timestamps do not tell."""
    scale = Timescale(600)
    now = Moment(scale.parse("2026-01-01T00:10:00Z") + 300, scale)
    known = cron_job("* * * * *", status={"lastScheduleTime": "2026-01-01T00:10:00Z"})
    made = plan(Seen(known, (), started_s=now.now_s - 60), now)
    assert created(made) == [f"tick-{int(now.now_s // 60)}"]
    assert not plan(Seen(known, (), started_s=now.now_s), now).actions
    assert not changed(known).status.active

"""The Job controller: https://kubernetes.io/docs/concepts/workloads/controllers/job/."""

import msgspec
import pytest

from controllers.core.actions import Census, Count, Create, Delete, Facts, Lookup, Patch, Remember
from controllers.core.batch import JOBS, TRACKING
from controllers.job import index_ranges
from controllers.job.backoff import Failures
from controllers.job.counts import INDEXES_FINISHED, JOBS_FINISHED, of_pods
from controllers.job.failure_policy import judge
from controllers.job.orphans import SeenOrphan, plan_for_orphan
from controllers.job.plan import LAGGING_S, Seen, Verified, plan
from controllers.job.pods import FAILURE_COUNT, INDEX, ended_s, new_pod
from controllers.job.removal import choose
from machinery.model.k8s.batch_v1 import JobCondition, PodFailurePolicy
from machinery.model.k8s.core_v1 import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    PodCondition,
)
from machinery.model.resources import PODS
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import CREATED, at, events, moment, of_type, owner, status_of, writes
from tests.support.jobs import LABELS, job, pod_of, started

INDEXED = {"completionMode": "Indexed"}
FIVE = {**INDEXED, "completions": 5}
NOW = "2026-01-01T01:00:00Z"
TARGET = {"type": "FailureTarget", "status": "True", "reason": "R", "message": "M"}
MET = {"type": "SuccessCriteriaMet", "status": "True", "reason": "R", "message": "M"}


def plan_for(job_, *pods, failures=None, verified=True, facts=None, later_s=0.0):
    seen = Seen(job_, pods, failures or Failures(), is_verified=verified)
    return plan(seen, moment(later_s), facts or Facts())


def created(plan_):
    return [write.object for write in of_type(plan_, Create)]


def released(plan_):
    """Name the pods whose finalizer goes."""
    patches = [write for write in of_type(plan_, Patch) if write.resource is PODS]
    return [write.name for write in patches if write.patch["metadata"]["finalizers"] == []]


def conditions(plan_):
    return [(each["type"], each["status"], each["reason"]) for each in status_of(plan_).get("conditions", [])]


def ended(exit_code=1, at_s=0.0, name="main"):
    state = ContainerState(terminated=ContainerStateTerminated(exitCode=exit_code, finishedAt=at(at_s)))
    return ContainerStatus(name=name, image="i", imageID="", ready=False, restartCount=0, state=state)


def failed(job_, name, *, exit_code=1, at_s=0.0, **fields):
    pod = pod_of(job_, name, "Failed", **fields)
    return changed(pod, status__containerStatuses=[ended(exit_code, at_s)])


def test_a_job_begins():
    """It says when, and makes pods in a slow start, each held until it is counted."""
    made = plan_for(job(completions=5, parallelism=3))
    assert status_of(made) == {
        "startTime": NOW,
        "ready": 0,
        "terminating": 0,
        "uncountedTerminatedPods": {},
    }
    assert len(created(made)) == 3
    pod = created(made)[0]
    assert pod.metadata.generateName == "work-"
    assert pod.metadata.finalizers == [TRACKING]
    assert pod.metadata.ownerReferences == [owner(job())]
    assert events(made) == [("Normal", "SuccessfulCreate", "Created pod: {name}")] * 3


@pytest.mark.parametrize(
    ("spec", "succeeded", "active", "new", "gone"),
    [
        ({"completions": 5, "parallelism": 3}, 0, 1, 2, 0),
        ({"completions": 5, "parallelism": 3}, 4, 0, 1, 0),
        ({"completions": 5, "parallelism": 3}, 4, 3, 0, 2),
        ({"completions": 5, "parallelism": 0}, 0, 2, 0, 2),
        ({"completions": None, "parallelism": 3}, 0, 0, 3, 0),
        ({"completions": None, "parallelism": 3}, 1, 2, 0, 0),
        ({"completions": 1200, "parallelism": 1200}, 0, 0, 500, 0),
        ({"completions": 5, "parallelism": 5, "suspend": True}, 0, 2, 0, 2),
        ({"completions": 5, "parallelism": 5, "managedBy": "example.com/other"}, 0, 2, 0, 0),
    ],
)
def test_as_many_pods_work_as_are_asked_for(spec, succeeded, active, new, gone):
    """No more than completions are missing; pods are made or taken away uncounted, never both."""
    job_ = started(status={"succeeded": succeeded}, **spec)
    made = plan_for(job_, *(pod_of(job_, f"p{n}") for n in range(active)))
    assert (len(created(made)), len(of_type(made, Delete))) == (new, gone)
    assert len(released(made)) == gone
    if gone:
        assert isinstance(writes(made)[-1], Delete)


def test_a_pod_is_counted_in_three_steps():
    """Its uid is written, then its finalizer goes; what is gone from the cache is a number."""
    job_ = started(completions=3, parallelism=1)
    one, other = pod_of(job_, "one", "Succeeded"), failed(job_, "other", at_s=-60)
    made = plan_for(job_, one, other)
    assert status_of(made)["uncountedTerminatedPods"] == {
        "succeeded": ["uid-default-one"],
        "failed": ["uid-default-other"],
    }
    assert [type(write) for write in writes(made)][:3] == [Patch, Patch, Patch]
    assert "status" in writes(made)[0].patch
    assert released(made) == ["one", "other"]
    uncounted = {"succeeded": ["uid-default-one"], "failed": ["uid-default-other"]}
    job_ = started(completions=3, parallelism=1, status={"uncountedTerminatedPods": uncounted})
    free = changed(one, metadata__finalizers=[])
    made = plan_for(job_, free, other)
    assert status_of(made)["succeeded"] == 1
    assert status_of(made)["uncountedTerminatedPods"] == {"succeeded": None}
    assert released(made) == ["other"]


def test_no_more_than_500_pods_are_counted_at_once():
    """The rest comes when these are numbers."""
    job_ = started(completions=1200, parallelism=0)
    made = plan_for(job_, *(pod_of(job_, f"p{n}", "Succeeded") for n in range(700)))
    assert len(released(made)) == 500


def test_caches_of_a_new_process_are_compared_with_the_server():
    """Before anything is decided from them for a Job that another one has begun."""
    job_ = started()
    pod = pod_of(job_, "one", "Succeeded")
    census = Census(PODS, "default")
    assert plan_for(job_, pod, verified=False).needs == (census,)
    other = changed(pod, metadata__finalizers=[])
    for live in ((), (other.metadata,)):
        made = plan_for(job_, pod, verified=False, facts=Facts(collections={census: live}))
        assert (made.actions, made.requeue_after_s) == ((), LAGGING_S)
    made = plan_for(job_, pod, verified=False, facts=Facts(collections={census: (pod.metadata,)}))
    assert made.actions[:-1]
    assert made.actions[-1] == Remember(Verified(job_.metadata.uid))
    assert plan_for(job(), verified=False).needs == ()


@pytest.mark.parametrize(
    ("spec", "status", "pods", "reason", "message"),
    [
        ({"backoffLimit": 1}, {"failed": 1}, 1, "BackoffLimitExceeded", "Job has reached the specified backoff limit"),
        ({"activeDeadlineSeconds": 1800}, {}, 0, "DeadlineExceeded", "Job was active longer than specified deadline"),
        (
            {**INDEXED, "completions": 9, "backoffLimitPerIndex": 0, "maxFailedIndexes": 1},
            {"failedIndexes": "5"},
            1,
            "MaxFailedIndexesExceeded",
            "Job has exceeded the specified maximal number of failed indexes",
        ),
        (
            {**INDEXED, "completions": 2, "backoffLimitPerIndex": 0},
            {"completedIndexes": "1"},
            1,
            "FailedIndexes",
            "Job has failed indexes",
        ),
    ],
)  # fmt: skip
def test_a_job_fails(spec, status, pods, reason, message):
    """It says so first, and takes its pods away, which count as failed."""
    job_ = started(status=status, **spec)
    running = pod_of(job_, "running", index=7)
    made = plan_for(job_, running, *(failed(job_, f"p{n}", index=n) for n in range(pods)))
    [condition] = status_of(made)["conditions"]
    assert (condition["type"], condition["reason"], condition["message"]) == (
        "FailureTarget",
        reason,
        message,
    )
    assert [write.name for write in of_type(made, Delete)] == ["running"]
    assert "running" in released(made)
    assert not created(made)


def test_failure_is_final_when_nothing_is_left():
    """No pod works or is about to end, and all are counted."""
    job_ = started(status={"conditions": [TARGET], "failed": 2})
    gone = pod_of(job_, "gone", "Failed", tracked=False)
    made = plan_for(job_, gone)
    assert conditions(made) == [("FailureTarget", "True", "R"), ("Failed", "True", "R")]
    assert events(made) == [("Warning", "R", "M")]
    assert "completionTime" not in status_of(made)
    dying = pod_of(job_, "dying", tracked=False, meta_fields={"deletionTimestamp": at(-1)})
    assert conditions(plan_for(job_, dying)) == []
    assert conditions(plan_for(job_, gone, pod_of(job_, "late", "Failed"))) == []


@pytest.mark.parametrize(
    ("spec", "status", "reason"),
    [
        ({"completions": 2}, {"succeeded": 2}, "CompletionsReached"),
        ({"completions": None}, {"succeeded": 1}, "CompletionsReached"),
        ({"completions": 0}, {}, "CompletionsReached"),
        (
            {**INDEXED, "completions": 9, "successPolicy": {"rules": [{"succeededIndexes": "0,2-3", "succeededCount": 2}]}},
            {"completedIndexes": "2-3"},
            "SuccessPolicy",
        ),
        ({**INDEXED, "completions": 9, "successPolicy": {"rules": [{"succeededCount": 2}]}}, {"completedIndexes": "4,6"}, "SuccessPolicy"),
        ({**INDEXED, "completions": 9, "successPolicy": {"rules": [{"succeededIndexes": "4-5"}]}}, {"completedIndexes": "4,6"}, ""),
    ],
)  # fmt: skip
def test_a_job_succeeds(spec, status, reason):
    """It says why, then that it is complete, and when."""
    job_ = started(status=status, **spec)
    made = plan_for(job_)
    assert conditions(made) == ([("SuccessCriteriaMet", "True", reason)] if reason else [])
    if reason:
        said = changed(job_, status__conditions=[msgspec.convert(MET, JobCondition)])
        made = plan_for(said)
        assert conditions(made)[-1] == ("Complete", "True", "R")
        assert status_of(made)["completionTime"] == NOW
        assert events(made) == [("Normal", "Completed", "Job completed")]


def test_pods_of_a_success_policy_do_not_count_as_failed():
    """They are let go, then deleted."""
    rules = {"rules": [{"succeededCount": 1}]}
    job_ = started(
        status={"completedIndexes": "0", "succeeded": 1}, completions=3, successPolicy=rules, **INDEXED
    )
    made = plan_for(job_, pod_of(job_, "running", index=1))
    assert status_of(made)["uncountedTerminatedPods"] == {}
    assert released(made) == ["running"]
    assert isinstance(writes(made)[-1], Delete)


def test_too_many_successes_are_told():
    """As when two pods of one completion have both succeeded."""
    job_ = started(status={"succeeded": 2, "conditions": [MET]})
    text = "Too many succeeded pods running after completion count reached"
    assert events(plan_for(job_))[0] == ("Warning", "TooManySucceededPods", text)


@pytest.mark.parametrize("fields", [{}, INDEXED], ids=["a number", "indexes"])
def test_who_was_counted_as_failed_does_not_succeed_afterwards(fields: dict[str, str]):
    """A pod that was being deleted may still end well: its completion is another pod's to make."""
    uncounted = {"succeeded": [], "failed": ["uid-default-late"]}
    job_ = started(status={"uncountedTerminatedPods": uncounted}, completions=1, **fields)
    made = plan_for(job_, pod_of(job_, "late", "Succeeded", index=0 if fields else None))
    assert conditions(made) == []
    assert released(made) == ["late"]
    assert len(created(made)) == 1


def test_suspension_is_told_and_a_resumed_job_begins_anew():
    """Its pods go; its deadline counts from when it is resumed."""
    job_ = started(suspend=True, activeDeadlineSeconds=60)
    made = plan_for(job_, pod_of(job_, "one"))
    assert conditions(made) == [("Suspended", "True", "JobSuspended")]
    assert events(made)[0] == ("Normal", "Suspended", "Job suspended")
    suspended = {"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended"}
    job_ = changed(started(status={"conditions": [suspended]}), spec__activeDeadlineSeconds=7200)
    made = plan_for(job_)
    assert conditions(made) == [("Suspended", "False", "JobResumed")]
    assert status_of(made)["startTime"] == NOW
    assert events(made)[0] == ("Normal", "Resumed", "Job resumed")
    assert plan_for(job(suspend=True)).actions[0].patch["status"].get("startTime") is None
    assert made.requeue_after_s == 7200


@pytest.mark.parametrize(("failures", "wait_s"), [(1, 10), (2, 20), (6, 320), (7, 600), (99, 600)])
def test_failed_pods_are_replaced_after_a_while(failures, wait_s):
    """10 s after the first failure, then twice as long each time, up to 10 min."""
    job_ = started(backoffLimit=100)
    made = plan_for(job_, failures=Failures(failures, moment().now_s - 4))
    assert not created(made)
    assert made.requeue_after_s == wait_s - 4
    assert created(plan_for(job_, failures=Failures(failures, moment().now_s - wait_s)))


def test_a_success_ends_the_wait():
    """Failures before it are forgotten, those that are known are not counted twice."""
    job_ = started()
    bad, good = (
        failed(job_, "bad", at_s=-9),
        changed(pod_of(job_, "good", "Succeeded"), status__containerStatuses=[ended(0, -5)]),
    )
    known = Failures().with_ended([], [bad], moment())
    assert known.count == 1
    assert known.with_ended([], [bad], moment()) == known
    assert known.with_ended([good], [bad], moment()).count == 0
    late = failed(job_, "late", at_s=-1)
    assert known.with_ended([good], [bad, late], moment()).count == 1


def test_a_terminating_pod_is_replaced_as_the_policy_says():
    """At once, or when it has ended; with a failure policy always then."""
    dying = {"meta_fields": {"deletionTimestamp": at(-60)}}
    job_ = started(backoffLimit=9)
    made = plan_for(job_, pod_of(job_, "dying", **dying))
    assert len(created(made)) == 1
    assert status_of(made)["uncountedTerminatedPods"] == {"failed": ["uid-default-dying"]}
    for spec in ({"podReplacementPolicy": "Failed"}, {"podFailurePolicy": {"rules": []}}):
        made = plan_for(started(**spec), pod_of(job_, "dying", **dying))
        assert not created(made)
        assert status_of(made)["terminating"] == 1


def test_indexed_pods_have_their_index():
    """As an annotation, a label, a variable, a host name, and in their name."""
    job_ = started(status={"completedIndexes": "0"}, completions=5, parallelism=2, **INDEXED)
    made = plan_for(job_, pod_of(job_, "one", index=1))
    [pod] = created(made)
    assert pod.metadata.annotations == {INDEX: "2"}
    assert pod.metadata.labels == {**LABELS, INDEX: "2"}
    assert pod.metadata.generateName == "work-2-"
    assert pod.spec["hostname"] == "work-2"
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    assert pod.spec["containers"][0]["env"] == [{"name": "JOB_COMPLETION_INDEX", "valueFrom": source}]
    long = changed(job_, metadata__name="w" * 63)
    assert new_pod(long, 12, None).metadata.generateName == f"{'w' * 54}-12-"


def test_completed_indexes_are_ranges():
    """A completion that is told twice counts once."""
    job_ = started(
        status={"completedIndexes": "0,2", "succeeded": 2}, completions=9, parallelism=1, **INDEXED
    )
    ends = [pod_of(job_, f"p{n}", "Succeeded", index=n) for n in (1, 2, 8, 9)]
    status = status_of(plan_for(job_, *ends))
    assert (status["completedIndexes"], status["succeeded"]) == ("0-2,8", 4)
    assert status["uncountedTerminatedPods"] == {}


def test_a_failed_pod_waits_until_its_index_has_another():
    """Which inherits how often the index has failed; each index has a wait of its own."""
    spec = {**INDEXED, "completions": 2, "parallelism": 2, "backoffLimitPerIndex": 3, "backoffLimit": 99}
    job_ = started(**spec)
    old = failed(job_, "old", index=0, at_s=-60, meta_fields={"annotations": {FAILURE_COUNT: "1"}})
    new = failed(job_, "new", index=1, at_s=-4)
    made = plan_for(job_, old, new)
    [pod] = created(made)
    assert pod.metadata.annotations == {INDEX: "0", FAILURE_COUNT: "2"}
    assert not released(made)
    assert made.requeue_after_s == 6
    assert status_of(made)["failedIndexes"] == ""
    made = plan_for(job_, old, new, pod_of(job_, "another", index=0))
    assert released(made) == ["old"]
    last = failed(job_, "last", index=0, at_s=-60, meta_fields={"annotations": {FAILURE_COUNT: "3"}})
    made = plan_for(job_, last, new)
    assert status_of(made)["failedIndexes"] == "0"
    assert released(made) == ["last"]


POLICY = {
    "rules": [
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42], "containerName": "main"}},
        {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [43]}},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [1, 42, 43]}},
    ]
}


@pytest.mark.parametrize(
    ("code", "disrupted", "action", "counts", "message"),
    [
        (42, False, "FailJob", True, "Container main for pod default/p failed with exit code 42 matching FailJob rule at index 0"),
        (43, True, "FailIndex", True, ""),
        (1, True, "Ignore", False, ""),
        (2, False, "Count", True, ""),
        (1, False, "", True, ""),
        (0, False, "", True, ""),
    ],
)  # fmt: skip
def test_the_first_rule_of_a_failure_policy_that_matches_decides(code, disrupted, action, counts, message):
    """By how a container ended, or by a condition of the pod."""
    pod = failed(started(), "p", exit_code=code)
    if disrupted:
        pod = changed(pod, status__conditions=[PodCondition(type="DisruptionTarget", status="True")])
    found = judge(msgspec.convert(POLICY, PodFailurePolicy), pod)
    assert (found.action, found.counts, found.message) == (action, counts, message)


def test_a_failure_policy_ignores_and_fails():
    """An ignored failure is in no count; one that fails the Job says which rule it was."""
    job_ = started(backoffLimit=0, podFailurePolicy=POLICY)
    disrupted = changed(
        failed(job_, "p"), status__conditions=[PodCondition(type="DisruptionTarget", status="True")]
    )
    made = plan_for(job_, disrupted)
    assert released(made) == ["p"]
    assert status_of(made)["uncountedTerminatedPods"] == {}
    made = plan_for(job_, failed(job_, "p", exit_code=42))
    assert conditions(made) == [("FailureTarget", "True", "PodFailurePolicy")]


def test_restarts_count_where_containers_are_restarted():
    """As many as the limit are too many; where it is 0, one."""
    for limit, restarts, fails in ((3, 2, False), (3, 3, True), (0, 0, False), (0, 1, True)):
        job_ = started(restartPolicy="OnFailure", backoffLimit=limit)
        status = ContainerStatus(name="main", image="", imageID="", ready=True, restartCount=restarts)
        pod = changed(pod_of(job_, "one"), status__containerStatuses=[status])
        assert bool(conditions(plan_for(job_, pod))) == fails


def test_duplicates_of_an_index_go():
    """One stays: the one that has come farthest; who has no index that there is goes."""
    job_ = started(completions=3, parallelism=3, **INDEXED)
    pods = [
        pod_of(job_, "pending", "Pending", index=0),
        pod_of(job_, "running", index=0),
        pod_of(job_, "beyond", index=3),
        pod_of(job_, "without"),
        pod_of(job_, "one", index=1),
    ]
    assert {pod.metadata.name for pod in choose(job_, pods, 0, moment())} == {"pending", "beyond", "without"}


def test_those_go_first_that_have_come_least_far():
    """Unassigned, pending, not ready, ready for a short time."""
    job_ = started(completions=9, parallelism=9)

    def ready(name, at_s):
        since = PodCondition(type="Ready", status="True", lastTransitionTime=at(at_s))
        return changed(pod_of(job_, name), status__conditions=[since])

    pods = [
        ready("long", -90),
        ready("short", -9),
        pod_of(job_, "unready"),
        pod_of(job_, "pending", "Pending"),
        pod_of(job_, "nowhere", node=""),
    ]
    order = [pod.metadata.name for pod in choose(job_, pods, 5, moment())]
    assert order == ["nowhere", "pending", "unready", "short", "long"]


def test_pods_are_adopted_and_released_with_their_finalizer():
    """After a live look at the Job; nothing is made meanwhile."""
    job_ = started(completions=2, parallelism=2)
    stray = builders.pod("stray", "default", labels=LABELS)
    strange = pod_of(job_, "strange", labels={"other": "x"})
    assert plan_for(job_, stray).needs == (Lookup(JOBS, "default", "work"),)
    facts = Facts(objects={Lookup(JOBS, "default", "work"): job_.metadata})
    made = plan_for(job_, stray, strange, facts=facts)
    patches = {
        write.name: write.patch["metadata"] for write in of_type(made, Patch) if write.resource is PODS
    }
    assert patches["stray"]["finalizers"] == [TRACKING]
    assert patches["stray"]["ownerReferences"][0]["name"] == "work"
    assert (patches["strange"]["finalizers"], patches["strange"]["ownerReferences"]) == ([], [])
    assert not created(made)


def test_a_job_that_is_deleted_lets_go_of_its_pods():
    """It makes no new ones; those that have ended are still counted."""
    job_ = started(completions=3, parallelism=3, metadata={"deletionTimestamp": at(-1)})
    made = plan_for(job_, pod_of(job_, "running"), pod_of(job_, "done", "Succeeded"))
    assert released(made) == ["running", "done"]
    assert not created(made)


@pytest.mark.parametrize(
    ("job_", "live", "freed"),
    [
        (started(), None, False),
        (started(status={"conditions": [{"type": "Failed", "status": "True"}]}), None, True),
        (started(managedBy="example.com/other", status={"conditions": [{"type": "Failed", "status": "True"}]}), None, False),
        (None, None, True),
        (None, builders.meta("work", "default", uid="another"), True),
        (None, builders.meta("work", "default"), False),
    ],
)  # fmt: skip
def test_a_pod_whose_job_counts_no_more_is_let_go(job_, live, freed):
    """Where the cache has no such Job, the server is asked."""
    pod = pod_of(started(), "one", "Succeeded")
    facts = Facts(objects={Lookup(JOBS, "default", "work"): live})
    assert bool(released(plan_for_orphan(SeenOrphan(pod, job_), moment(), facts))) == freed


def test_when_a_pod_ended():
    """Its last container, else when it became unready, else its deletion, else its creation."""
    job_ = started()
    pod = pod_of(job_, "one")
    assert ended_s(pod, moment()) == moment().timescale.parse(CREATED)
    dying = changed(pod, metadata__deletionTimestamp=at(30), metadata__deletionGracePeriodSeconds=30)
    assert ended_s(dying, moment()) == moment().now_s
    since = PodCondition(type="Ready", status="False", lastTransitionTime=at(-5))
    assert ended_s(changed(dying, status__conditions=[since]), moment()) == moment().now_s - 5
    assert ended_s(failed(job_, "two", at_s=-7), moment()) == moment().now_s - 7


@pytest.mark.parametrize(
    ("text", "ranges", "written"),
    [
        ("", (), ""),
        ("1", ((1, 1),), "1"),
        ("0,1,3-5,7", ((0, 1), (3, 5), (7, 7)), "0,1,3-5,7"),
        ("x,2-3,4", ((2, 4),), "2-4"),
        ("8-99,120", ((8, 9),), "8,9"),
    ],
)
def test_index_ranges(text, ranges, written):
    """What is beyond the last index, or no range, is passed over."""
    found = index_ranges.parse(text, 10)
    assert (found, index_ranges.text(found)) == (ranges, written)
    members = {index for first, last in ranges for index in range(first, last + 1)}
    assert {index for index in range(12) if index_ranges.contains(found, index)} == members
    assert list(index_ranges.missing(found, 10)) == [index for index in range(10) if index not in members]
    assert index_ranges.total(found) == len(members)


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        ((0, 0), (0, 0), []),
        ((1, 1), (3, 2), [("succeeded", 2), ("failed", 1)]),
        ((2, 0), (1, 1), [("failed", 1)]),
    ],
)
def test_pods_are_counted_on_metrics_as_in_the_status(before, after, counted):
    """Once each."""
    counts = dict(zip(("succeeded", "failed"), before, strict=True))
    old, new = job(status=counts), job(status=dict(zip(("succeeded", "failed"), after, strict=True)))
    found = list(of_pods(old, new.status))
    assert [(each.values, each.amount) for each in found] == [
        (("NonIndexed", result), amount) for result, amount in counted
    ]


@pytest.mark.parametrize(
    ("spec", "before", "after", "counted"),
    [
        (FIVE, {}, {"completedIndexes": "0,2-4"}, [("succeeded", "global", 4)]),
        (FIVE, {"completedIndexes": "0"}, {"completedIndexes": "0-1"}, [("succeeded", "global", 1)]),
        (
            {**FIVE, "backoffLimitPerIndex": 1},
            {"failedIndexes": "1"},
            {"failedIndexes": "1,3", "completedIndexes": "0"},
            [("succeeded", "perIndex", 1), ("failed", "perIndex", 1)],
        ),
    ],
)
def test_indexes_are_counted_on_metrics_as_they_end(spec, before, after, counted):
    """By what became of them, and by what limits their failures."""
    found = list(of_pods(job(**spec, status=before), job(**spec, status=after).status))
    assert [(*each.values, each.amount) for each in found] == counted
    assert {each.metric for each in found} == {INDEXES_FINISHED}


@pytest.mark.parametrize(
    ("spec", "pods", "action"),
    [
        ({"completions": 2, "parallelism": 2}, [], "pods_created"),
        ({"completions": 1, "parallelism": 1, "suspend": True}, ["a"], "pods_deleted"),
        ({"completions": 1, "parallelism": 1}, ["a"], "tracking"),
    ],
)
def test_syncs_are_counted_by_what_they_do(spec, pods, action):
    """With what they are counted as where a write is refused."""
    [sync] = plan_for(job(**spec), *(pod_of(job(**spec), name) for name in pods)).syncs
    assert sync.values == ("NonIndexed", "success", action)
    assert sync.on_failure == ("NonIndexed", "error", action)


def test_a_job_that_has_ended_is_counted():
    """With why."""
    ended = started(
        completions=1,
        status={
            "succeeded": 1,
            "conditions": [{"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached"}],
        },
    )
    made = plan_for(ended)
    [count] = [each for each in made.actions if isinstance(each, Count)]
    assert (count.metric, count.values) == (JOBS_FINISHED, ("NonIndexed", "succeeded", "CompletionsReached"))

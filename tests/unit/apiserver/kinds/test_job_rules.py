"""Jobs: what they are given, what they are refused for, and how they are printed."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core import deletion
from apiserver.core.values import Json
from machinery.model.clock import Timescale
from tests.support.served_kinds import (
    KINDS,
    complaints,
    created,
    merged,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

UID = "batch.kubernetes.io/controller-uid"
NAME = "batch.kubernetes.io/job-name"
STARTED = "2026-01-01T00:00:10Z"
ENDED = "2026-01-01T00:01:40Z"
IMMUTABLE = "field is immutable"


def template(*, labels: Json | None = None, **spec: Any) -> Json:
    pods = {"containers": [{"name": "main", "image": "app:1"}], "restartPolicy": "Never", **spec}
    return {"metadata": {"labels": labels or {}}, "spec": pods}


def job(name: str = "pi", **spec: Any) -> Json:
    own = {"template": template(), **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": own}


def indexed(**spec: Any) -> Json:
    return job(**{"completionMode": "Indexed", "completions": 5, **spec})


def failing(*rules: Json, **spec: Any) -> Json:
    return job(podFailurePolicy={"rules": list(rules)}, **spec)


def on_codes(**codes: Any) -> Json:
    return {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1], **codes}}


def test_a_job_gets_defaults() -> None:
    """Those that Kubernetes documents; a policy of failures changes one of them."""
    own = created(job())["spec"]
    expected = {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "manualSelector": False,
    }
    assert {name: own[name] for name in expected} == expected
    assert "completions" not in created(job(parallelism=3))["spec"]
    assert created(indexed(backoffLimitPerIndex=1))["spec"]["backoffLimit"] == 2**31 - 1
    policy = created(failing({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}))["spec"]
    assert policy["podReplacementPolicy"] == "Failed"
    assert policy["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"] == "True"


def test_a_job_is_given_a_selector_of_its_own() -> None:
    """Its pods carry the labels that it selects, in the older form as well, and so does the Job that has none."""
    made = created(job(template=template(labels={"app": "pi"})))
    labels = {"app": "pi", "controller-uid": "uid-1", "job-name": "pi", UID: "uid-1", NAME: "pi"}
    assert made["spec"]["selector"] == {"matchLabels": {UID: "uid-1"}}
    assert made["spec"]["template"]["metadata"]["labels"] == labels
    assert made["metadata"]["labels"] == labels
    named = {**job(), "metadata": {"name": "pi", "labels": {"mine": "yes"}}}
    assert created(named)["metadata"]["labels"] == {"mine": "yes"}


def test_a_job_may_bring_its_selector_along() -> None:
    """Then nothing is added to it."""
    own = {"manualSelector": True, "selector": {"matchLabels": {"app": "pi"}}}
    made = created(job(**own, template=template(labels={"app": "pi"})))
    assert made["spec"]["selector"] == own["selector"]
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "pi"}


RULE = "spec.podFailurePolicy.rules[0]"
CODES = f"{RULE}.onExitCodes"


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (failing(*[on_codes()] * 21), ["spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items"]),
        (failing(on_codes(values=list(range(1, 257)))), [f"{CODES}.values: Too many: 256: must have at most 255 items"]),
    ],
)  # fmt: skip
def test_a_policy_of_failures_is_bounded(faulty: Json, said: list[str]) -> None:
    """Its rules, and the codes of each."""
    assert complaints(faulty) == said


def test_labels_that_contradict_the_given_ones_are_refused() -> None:
    """Each is told of, and so is a selector that would select others."""
    wrong = job(template=template(labels={"job-name": "other"}), selector={"matchLabels": {"x": "y"}})
    paths = [text.partition(": ")[0] for text in complaints(wrong)]
    assert paths == [
        "spec.template.metadata.labels[job-name]",
        "spec.selector",
        "spec.template.metadata.labels",
    ]


def test_the_numbers_of_a_job_change() -> None:
    """With each the next generation begins."""
    stored = created(job(parallelism=2, completions=4))
    changed = merged(stored, parallelism=3, backoffLimit=2, suspend=True, activeDeadlineSeconds=9)
    assert updated(changed, stored)["metadata"]["generation"] == 2
    assert updated(stored, stored) == stored
    elastic = created(indexed(parallelism=5))
    assert update_complaints(merged(elastic, completions=3, parallelism=3), elastic) == []


def _with_pods(stored: Json, **pods: Any) -> Json:
    own = stored["spec"]["template"]
    return merged(stored, template={**own, "spec": {**own["spec"], **pods}})


@pytest.mark.parametrize(
    "pods",
    [
        {"nodeSelector": {"disk": "ssd"}},
        {"tolerations": [{"key": "a", "operator": "Exists"}]},
        {"schedulingGates": [{"name": "example.com/a"}]},
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}]}}},
        {"containers": [{"name": "main", "image": "app:1", "resources": {"requests": {"cpu": "2"}}}]},
    ],
)  # fmt: skip
def test_the_template_of_a_suspended_job_changes_where_it_runs(pods: Json) -> None:
    """And what it requests; not while a pod of it is there, nor when it is not suspended."""
    stored = created(job(suspend=True))
    assert update_complaints(_with_pods(stored, **pods), stored) == []
    active = {**stored, "status": {"active": 1}}
    running = created(job())
    for old in (active, running):
        [said] = update_complaints(_with_pods(old, **pods), old)
        assert said.startswith("spec.template: Invalid value: ")
        assert said.endswith(IMMUTABLE)


def test_the_image_of_a_suspended_job_stays() -> None:
    """Only its resources may be others."""
    stored = created(job(suspend=True))
    [said] = update_complaints(_with_pods(stored, containers=[{"name": "main", "image": "app:2"}]), stored)
    assert said.startswith("spec.template.spec: Invalid value: ")


def condition(type_: str, status: str = "True") -> Json:
    return {"type": type_, "status": status}


COMPLETE = [condition("SuccessCriteriaMet"), condition("Complete")]
FAILED = [condition("FailureTarget"), condition("Failed")]
DONE = {"startTime": STARTED, "completionTime": ENDED, "conditions": COMPLETE, "succeeded": 1}


def stored_with(status: Json, old: Json | None = None) -> Json:
    return {**created(old or job()), "status": status}


def test_a_job_may_run_and_end() -> None:
    """Step by step."""
    running = with_status(created(job()), startTime=STARTED, active=1, ready=1)
    met = with_status(running, startTime=STARTED, active=1, conditions=COMPLETE[:1])
    assert with_status(met, **DONE)["status"] == DONE


def test_a_resumed_job_begins_anew() -> None:
    """Its start time moves with the condition, and with nothing else; one that never began may end while it is suspended."""
    suspended = with_status(
        created(job()), startTime="2025-12-31T00:00:00Z", conditions=[condition("Suspended")]
    )
    assert status_complaints(suspended, startTime=STARTED, conditions=[condition("Suspended", "False")]) == []
    assert status_complaints(suspended, startTime=STARTED, conditions=[condition("Suspended")])
    idle = created(job(suspend=True, completions=0))
    assert not any(
        "startTime" in each for each in status_complaints(idle, conditions=COMPLETE, completionTime=STARTED)
    )


def test_an_old_status_stays_writable() -> None:
    """What a rule is about has to change for it to be applied."""
    old = stored_with({"completionTime": ENDED, "startTime": STARTED, "conditions": COMPLETE[1:]})
    assert status_complaints(old, **old["status"], succeeded=1) == []


@pytest.mark.parametrize(
    ("spec", "status", "printed"),
    [
        ({}, {}, ("Running", "0/1", "")),
        ({"completions": 4}, {"succeeded": 2, "startTime": STARTED}, ("Running", "2/4", "50s")),
        ({"parallelism": 3}, {"succeeded": 1}, ("Running", "1/1 of 3", "")),
        ({"parallelism": 1}, {}, ("Running", "0/1", "")),
        ({}, {**DONE, "conditions": [condition("Complete")]}, ("Complete", "1/1", "90s")),
        ({}, {"conditions": FAILED}, ("Failed", "0/1", "")),
        ({}, {"conditions": FAILED[:1]}, ("FailureTarget", "0/1", "")),
        ({}, {"conditions": [condition("Suspended")]}, ("Suspended", "0/1", "")),
        ({}, {"conditions": [condition("Complete", "False")]}, ("Running", "0/1", "")),
    ],
)  # fmt: skip
def test_a_job_is_printed(spec: Json, status: Json, printed: tuple[str, str, str]) -> None:
    """With its state, how much of it is done, and how long it has taken."""
    cells = row({**created(job(**spec)), "status": status})
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == printed
    assert (cells["Containers"], cells["Images"], cells["Selector"]) == ("main", "app:1", f"{UID}=uid-1")


def test_a_job_that_is_being_deleted_is_printed_as_such() -> None:
    """Unless it has ended."""
    made = created(job())
    assert (
        row({**made, "metadata": {**made["metadata"], "deletionTimestamp": ENDED}})["Status"] == "Terminating"
    )


def test_jobs_are_selected_by_their_success() -> None:
    """By the name that the field has always had."""
    assert KINDS["Job"].rules.fields(stored_with({"succeeded": 2}))["status.successful"] == "2"


@pytest.mark.parametrize(
    ("policy", "finalizers", "kept"),
    [
        ("", [], ["orphan"]),
        ("", ["foregroundDeletion"], ["foregroundDeletion"]),
        ("Background", [], None),
        ("Foreground", [], ["foregroundDeletion"]),
    ],
)
def test_the_pods_of_a_deleted_job_stay_unless_the_request_says_otherwise(
    policy: str, finalizers: list[str], kept: list[str] | None
) -> None:
    """As it was before there was a collector."""
    made = created(job())
    obj = {**made, "metadata": {**made["metadata"], **({"finalizers": finalizers} if finalizers else {})}}
    wanted = deletion.Wanted(propagation_policy=policy)
    plan = KINDS["Job"].rules.plan_deletion(obj, wanted, 0.0, Timescale())
    if kept is None:
        assert plan == deletion.Remove()
    else:
        assert isinstance(plan, deletion.Mark)
        assert plan.obj["metadata"]["finalizers"] == kept

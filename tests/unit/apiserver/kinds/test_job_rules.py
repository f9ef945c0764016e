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


def succeeding(*rules: Json, **spec: Any) -> Json:
    return indexed(successPolicy={"rules": list(rules)}, **spec)


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


BOTH = "specifying both OnExitCodes and OnPodConditions is not supported"
ONE = "specifying one of OnExitCodes and OnPodConditions is required"
MANY = "completions are above 100000 and used with backoff limit per index"
RULE = "spec.podFailurePolicy.rules[0]"
CODES = f"{RULE}.onExitCodes"
SUCCESS = "spec.successPolicy.rules[0]"
UNKNOWN_LABEL = "spec.template.metadata.labels"


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (job(parallelism=-1), ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]),
        (job(completions=-1), ["spec.completions: Invalid value: -1: must be greater than or equal to 0"]),
        (job(activeDeadlineSeconds=-1), ["spec.activeDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0"]),
        (job(backoffLimit=-1), ["spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"]),
        (job(ttlSecondsAfterFinished=-1), ["spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0"]),
        (indexed(backoffLimitPerIndex=-1), ["spec.backoffLimitPerIndex: Invalid value: -1: must be greater than or equal to 0"]),
        (indexed(backoffLimitPerIndex=1, maxFailedIndexes=-1), ["spec.maxFailedIndexes: Invalid value: -1: must be greater than or equal to 0"]),
        (indexed(maxFailedIndexes=1), ["spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"]),
        (job(managedBy=""), ["spec.managedBy: Required value"]),
        (job(managedBy="kueue"), ['spec.managedBy: Invalid value: "kueue": must be a domain-prefixed path (such as "acme.io/foo")']),
        (job(managedBy="a/"), ['spec.managedBy: Invalid value: "a/": must be a domain-prefixed path (such as "acme.io/foo")']),
        (job(managedBy=f"acme.io/{'x' * 60}"), ["spec.managedBy: Too long: may not be more than 63 bytes"]),
        (job(managedBy="acme.io/<"), ["spec.managedBy: Invalid value: \"<\": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"]),
        (job(completionMode="Sorted"), ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"']),
        (job(completionMode="Indexed", parallelism=1), ["spec.completions: Required value: when completion mode is Indexed"]),
        (indexed(parallelism=100_001), ["spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed"]),
        (indexed(backoffLimitPerIndex=1, maxFailedIndexes=6), ["spec.maxFailedIndexes: Invalid value: 6: must be less than or equal to completions"]),
        (indexed(completions=100_001, backoffLimitPerIndex=1), ["spec.maxFailedIndexes: Required value: must be specified when completions is above 100000"]),
        (indexed(completions=100_001, backoffLimitPerIndex=1, maxFailedIndexes=1, parallelism=10_001), [f"spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when {MANY}"]),
        (indexed(completions=100_001, backoffLimitPerIndex=1, maxFailedIndexes=10_001), [f"spec.maxFailedIndexes: Invalid value: 10001: must be less than or equal to 10000 when {MANY}"]),
        (indexed(completions=200_000, backoffLimitPerIndex=1, maxFailedIndexes=100_001), ["spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 100000", f"spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 10000 when {MANY}"]),
        (job(backoffLimitPerIndex=1), ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]),
        (job(backoffLimitPerIndex=1, maxFailedIndexes=1), ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode", "spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode"]),
        (job(template=template(restartPolicy="Always")), ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"']),
        (job(template=template(restartPolicy="Sometimes")), ['spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"', 'spec.template.spec.restartPolicy: Unsupported value: "Sometimes": supported values: "OnFailure", "Never"']),
        (failing(on_codes(), template=template(restartPolicy="OnFailure")), ['spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when podFailurePolicy is specified']),
        (failing(*[on_codes()] * 21), ["spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items"]),
        (failing({**on_codes(), "action": ""}), [f'{RULE}.action: Required value: valid values: ["Count" "FailIndex" "FailJob" "Ignore"]']),
        (failing({**on_codes(), "action": "Retry"}), [f'{RULE}.action: Unsupported value: "Retry": supported values: "Count", "FailIndex", "FailJob", "Ignore"']),
        (failing({**on_codes(), "action": "FailIndex"}), [f'{RULE}.action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set']),
        (failing({**on_codes(), "onPodConditions": [{"type": "A", "status": "True"}]}), [f"{RULE}: Invalid value: {BOTH}"]),
        (failing({"action": "Ignore"}), [f"{RULE}: Invalid value: {ONE}"]),
        (failing({"action": "Ignore", "onPodConditions": [{"type": "A"}] * 21}), [f"{RULE}.onPodConditions: Too many: 21: must have at most 20 items"]),
        (failing({"action": "Ignore", "onPodConditions": [{"type": "A", "status": "Maybe"}]}), [f'{RULE}.onPodConditions[0].status: Unsupported value: "Maybe": supported values: "False", "True", "Unknown"']),
        (failing(on_codes(operator="")), [f'{CODES}.operator: Required value: valid values: ["In" "NotIn"]']),
        (failing(on_codes(operator="Above")), [f'{CODES}.operator: Unsupported value: "Above": supported values: "In", "NotIn"']),
        (failing(on_codes(containerName="side")), [f'{CODES}.containerName: Invalid value: "side": must be one of the container or initContainer names in the pod template']),
        (failing(on_codes(values=[])), [f"{CODES}.values: Invalid value: []: at least one value is required"]),
        (failing(on_codes(values=list(range(1, 257)))), [f"{CODES}.values: Too many: 256: must have at most 255 items"]),
        (failing(on_codes(values=[0])), [f"{CODES}.values[0]: Invalid value: 0: must not be 0 for the In operator"]),
        (failing(on_codes(values=[1, 1])), [f"{CODES}.values[1]: Duplicate value: 1"]),
        (failing(on_codes(values=[2, 1])), [f"{CODES}.values: Invalid value: [2,1]: must be ordered"]),
        (failing(on_codes(), podReplacementPolicy="TerminatingOrFailed"), ['spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed"']),
        (job(podReplacementPolicy="Never"), ['spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"']),
        (job(successPolicy={"rules": [{"succeededCount": 1}]}), ['spec.successPolicy: Invalid value: {"rules":[{"succeededCount":1}]}: requires indexed completion mode']),
        (succeeding(), ["spec.successPolicy.rules: Required value: at least one rules must be specified when the successPolicy is specified"]),
        (succeeding(*[{"succeededCount": 1}] * 21), ["spec.successPolicy.rules: Too many: 21: must have at most 20 items"]),
        (succeeding({}), [f"{SUCCESS}: Required value: at least one of succeededCount or succeededIndexes must be specified"]),
        (succeeding({"succeededCount": 6}), [f"{SUCCESS}.succeededCount: Invalid value: 6: must be less than or equal to 5 (the number of specified completions)"]),
        (succeeding({"succeededCount": -1}), [f"{SUCCESS}.succeededCount: Invalid value: -1: must be greater than or equal to 0"]),
        (succeeding({"succeededIndexes": "0,2", "succeededCount": 3}), [f"{SUCCESS}.succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)"]),
        (succeeding({"succeededIndexes": "0-2-3"}), [f"{SUCCESS}.succeededIndexes: Invalid value: \"0-2-3\": error parsing succeededIndexes: the fragment \"0-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'"]),
        (succeeding({"succeededIndexes": "a"}), [f'{SUCCESS}.succeededIndexes: Invalid value: "a": error parsing succeededIndexes: cannot convert string to integer for index: "a"']),
        (succeeding({"succeededIndexes": "5"}), [f'{SUCCESS}.succeededIndexes: Invalid value: "5": error parsing succeededIndexes: too large index: "5"']),
        (succeeding({"succeededIndexes": "0-5"}), [f'{SUCCESS}.succeededIndexes: Invalid value: "0-5": error parsing succeededIndexes: too large index: "5"']),
        (succeeding({"succeededIndexes": "2-1"}), [f'{SUCCESS}.succeededIndexes: Invalid value: "2-1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1']),
        (succeeding({"succeededIndexes": "1-3,2"}), [f'{SUCCESS}.succeededIndexes: Invalid value: "1-3,2": error parsing succeededIndexes: non-increasing order, previous: 3, current: 2']),
        (job(manualSelector=True, template=template(labels={"a": "b"})), ["spec.selector: Required value", f'{UNKNOWN_LABEL}: Invalid value: {{"a":"b"}}: `selector` does not match template `labels`']),
        (job(manualSelector=True, selector={"matchLabels": {"a": "c"}}, template=template(labels={"a": "b"})), [f'{UNKNOWN_LABEL}: Invalid value: {{"a":"b"}}: `selector` does not match template `labels`']),
        (job(template=template(volumes=[{"name": "v", "hostPath": {}}])), ["spec.template.spec.volumes[0].hostPath.path: Required value"]),
        (job("a.b", completionMode="Indexed", completions=3), ['metadata.name: Invalid value: "a.b": will not able to create pod with invalid DNS label: a.b-2']),
    ],
)  # fmt: skip
def test_a_job_is_refused_in_kubernetes_words(faulty: Json, said: list[str]) -> None:
    """Field by field."""
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


@pytest.mark.parametrize(
    ("old", "changes", "said"),
    [
        (job(), {"completions": 2}, f"spec.completions: Invalid value: 2: {IMMUTABLE}"),
        (job(), {"managedBy": "a.b/c"}, f'spec.managedBy: Invalid value: "a.b/c": {IMMUTABLE}'),
        (indexed(), {"completionMode": "NonIndexed"}, f'spec.completionMode: Invalid value: "NonIndexed": {IMMUTABLE}'),
        (indexed(), {"backoffLimitPerIndex": 1}, f"spec.backoffLimitPerIndex: Invalid value: 1: {IMMUTABLE}"),
        (indexed(), {"successPolicy": {"rules": [{"succeededCount": 1}]}}, f'spec.successPolicy: Invalid value: {{"rules":[{{"succeededCount":1}}]}}: {IMMUTABLE}'),
        (indexed(), {"completions": 4}, "spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism"),
        (failing(on_codes()), {"podFailurePolicy": None}, f"spec.podFailurePolicy: Invalid value: null: {IMMUTABLE}"),
    ],
)  # fmt: skip
def test_what_a_job_is_does_not_change(old: Json, changes: Json, said: str) -> None:
    """Its mode, its policies, who manages it; the completions of an indexed one only together with parallelism."""
    stored = created(old)
    assert update_complaints(merged(stored, **changes), stored) == [said]


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


@pytest.mark.parametrize(
    ("old", "status", "said"),
    [
        ({}, {"active": -1}, "status.active: Invalid value: -1: must be greater than or equal to 0"),
        ({}, {"succeeded": -1}, "status.succeeded: Invalid value: -1: must be greater than or equal to 0"),
        ({}, {"terminating": -1}, "status.terminating: Invalid value: -1: must be greater than or equal to 0"),
        ({}, {"ready": 1}, "status.ready: Invalid value: 1: cannot set more ready pods than active"),
        ({}, {"uncountedTerminatedPods": {"failed": [""]}}, 'status.uncountedTerminatedPods.failed[0]: Invalid value: "": must not be empty'),
        ({}, {"uncountedTerminatedPods": {"succeeded": ["a"], "failed": ["a"]}}, 'status.uncountedTerminatedPods.failed[0]: Duplicate value: "a"'),
        ({}, {"completionTime": ENDED}, f'status.completionTime: Invalid value: "{ENDED}": cannot set completionTime when there is no Complete=True condition'),
        ({}, {"startTime": STARTED, "conditions": COMPLETE}, "status.completionTime: Required value: completionTime is required for Complete jobs"),
        ({}, {**DONE, "completionTime": "2026-01-01T00:00:09Z"}, 'status.completionTime: Invalid value: "2026-01-01T00:00:09Z": must be equal to or after `startTime`'),
        ({}, {**DONE, "conditions": COMPLETE[1:]}, "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
        ({}, {"startTime": STARTED, "conditions": FAILED[1:]}, "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition"),
        ({}, {**DONE, "active": 1}, "status.active: Invalid value: 1: active>0 is invalid for finished job"),
        ({}, {**DONE, "terminating": 1}, "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job"),
        ({}, {"conditions": FAILED}, "status.startTime: Required value: startTime is required for finished job"),
        ({}, {**DONE, "uncountedTerminatedPods": {"failed": ["a"]}}, 'status.uncountedTerminatedPods: Invalid value: {"failed":["a"]}: must be empty for finished job'),
        ({}, {"completedIndexes": "0"}, 'status.completedIndexes: Invalid value: "0": cannot set non-empty completedIndexes when non-indexed completion mode'),
        ({}, {"failedIndexes": "0"}, 'status.failedIndexes: Invalid value: "0": cannot set non-null failedIndexes when backoffLimitPerIndex is null'),
        ({"failed": 2}, {"failed": 1}, "status.failed: Invalid value: 1: cannot decrease the failed counter"),
        ({"succeeded": 2}, {"succeeded": 1}, "status.succeeded: Invalid value: 1: cannot decrease the succeeded counter"),
        ({"startTime": STARTED}, {}, "status.startTime: Required value: startTime cannot be removed for unsuspended job"),
        (DONE, {**DONE, "completionTime": "2026-01-01T00:01:41Z"}, 'status.completionTime: Invalid value: "2026-01-01T00:01:41Z": field is immutable'),
        ({"conditions": [condition("SuccessCriteriaMet")]}, {}, "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition"),
        ({"conditions": [condition("FailureTarget")]}, {}, "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True condition"),
        ({"conditions": [condition("FailureTarget")]}, {"conditions": [condition("FailureTarget"), condition("SuccessCriteriaMet")]}, "status.conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ],
)  # fmt: skip
def test_a_status_is_refused_that_takes_back_or_contradicts(old: Json, status: Json, said: str) -> None:
    """Whoever manages the Job."""
    assert said in status_complaints(stored_with(old), **status)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"completedIndexes": "0-9"}, 'status.completedIndexes: Invalid value: "0-9": error parsing completedIndexes: too large index: "9"'),
        ({"failedIndexes": "1,0"}, 'status.failedIndexes: Invalid value: "1,0": error parsing failedIndexes: non-increasing order, previous: 1, current: 0'),
        ({"completedIndexes": "0,2-3", "failedIndexes": "1,3"}, 'status.failedIndexes: Invalid value: "1,3": failedIndexes and completedIndexes overlap at index: 3'),
    ],
)  # fmt: skip
def test_the_indexes_of_a_status_are_those_of_the_job(status: Json, said: str) -> None:
    """Each is done, or has failed, or neither."""
    assert status_complaints(created(indexed(backoffLimitPerIndex=1)), **status) == [said]


def test_a_job_may_run_and_end() -> None:
    """Step by step."""
    running = with_status(created(job()), startTime=STARTED, active=1, ready=1)
    met = with_status(running, startTime=STARTED, active=1, conditions=COMPLETE[:1])
    assert with_status(met, **DONE)["status"] == DONE


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

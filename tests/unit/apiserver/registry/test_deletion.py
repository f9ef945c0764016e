"""delete and deletecollection: grace, finalizers, preconditions, namespaces."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.request import DeleteOptions, ListOptions
from machinery.model.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InternalError,
    Invalid,
    NotFound,
    TooManyRequests,
)
from machinery.model.requests import EventType, PatchType
from tests.support.apiserver import RegistryBench, config_map, names, pod, take


async def _gone(bench: RegistryBench, resource: str, name: str) -> bool:
    try:
        await bench.get(resource, name)
    except NotFound:
        return True
    return False


async def test_a_delete_answers_with_a_status_that_names_the_object(bench: RegistryBench) -> None:
    """What is gone is named with its uid, so that nobody mistakes it for its successor."""
    created = await bench.create("configmaps", config_map("a"))
    status = await bench.delete("configmaps", "a")
    details = {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}
    assert (status["status"], status["details"]) == ("Success", details)
    assert await _gone(bench, "configmaps", "a")
    with pytest.raises(NotFound, match='configmaps "a" not found'):
        await bench.delete("configmaps", "a")


async def test_a_pod_that_no_node_runs_goes_at_once(bench: RegistryBench) -> None:
    """There is nobody who would have to stop it; the answer is the pod."""
    await bench.create("pods", pod("p"))
    assert (await bench.delete("pods", "p"))["kind"] == "Pod"
    assert await _gone(bench, "pods", "p")


async def test_a_running_pod_has_its_grace_period(bench: RegistryBench) -> None:
    """It is marked with the time of its end; a grace of 0 removes it."""
    await bench.create("pods", pod("p", node="node-1"))
    marked = (await bench.delete("pods", "p"))["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 30
    assert marked["deletionTimestamp"] == "2026-01-01T00:00:30Z"
    assert marked["generation"] == 2
    assert not await _gone(bench, "pods", "p")
    await bench.delete("pods", "p", grace_period_s=0)
    assert await _gone(bench, "pods", "p")


async def test_a_grace_period_can_be_shortened_only(bench: RegistryBench) -> None:
    """The end comes forward, never back."""
    await bench.create("pods", pod("p", node="node-1"))
    await bench.delete("pods", "p")
    shorter = (await bench.delete("pods", "p", grace_period_s=5))["metadata"]
    assert (shorter["deletionGracePeriodSeconds"], shorter["deletionTimestamp"]) == (
        5,
        "2026-01-01T00:00:05Z",
    )
    longer = (await bench.delete("pods", "p", grace_period_s=60))["metadata"]
    assert longer == shorter
    assert (await bench.delete("pods", "p"))["metadata"] == shorter


async def test_finalizers_keep_an_object_until_the_last_is_removed(bench: RegistryBench) -> None:
    """The write that removes the last one removes the object."""
    obj = config_map("a")
    obj["metadata"]["finalizers"] = ["example.com/one", "example.com/two"]
    start = (await bench.create("configmaps", obj))["metadata"]["resourceVersion"]
    marked = await bench.delete("configmaps", "a")
    assert marked["metadata"]["deletionTimestamp"]
    await bench.patch("configmaps", "a", {"metadata": {"finalizers": ["example.com/two"]}})
    assert not await _gone(bench, "configmaps", "a")
    await bench.patch("configmaps", "a", {"metadata": {"finalizers": []}})
    assert await _gone(bench, "configmaps", "a")
    events = await take(await bench.watch("configmaps", resource_version=start), 3)
    assert [event.type for event in events] == [EventType.MODIFIED, EventType.MODIFIED, EventType.DELETED]


async def test_no_finalizers_are_added_to_what_is_being_deleted(bench: RegistryBench) -> None:
    """Nobody can keep it longer."""
    obj = config_map("a")
    obj["metadata"]["finalizers"] = ["example.com/one"]
    await bench.create("configmaps", obj)
    await bench.delete("configmaps", "a")
    more = {"metadata": {"finalizers": ["example.com/one", "example.com/new"]}}
    with pytest.raises(Invalid, match="no new finalizers can be added"):
        await bench.patch("configmaps", "a", more)


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")]
)
async def test_a_propagation_policy_becomes_a_finalizer(
    bench: RegistryBench, policy: str, finalizer: str
) -> None:
    """The garbage collector finds it there, and removes it when it is done."""
    await bench.create("configmaps", config_map("a"))
    marked = (await bench.delete("configmaps", "a", propagation_policy=policy))["metadata"]
    assert marked["finalizers"] == [finalizer]
    await bench.patch("configmaps", "a", {"metadata": {"finalizers": None}})
    assert await _gone(bench, "configmaps", "a")


async def test_there_are_three_propagation_policies(bench: RegistryBench) -> None:
    """Another one is a 422."""
    await bench.create("configmaps", config_map("a"))
    with pytest.raises(Invalid, match="propagationPolicy"):
        await bench.delete("configmaps", "a", propagation_policy="Sideways")


@pytest.mark.parametrize("precondition", [{"uid": "another"}, {"resource_version": "1"}])
async def test_preconditions_protect_another_object(
    bench: RegistryBench, precondition: dict[str, Any]
) -> None:
    """A delete that means another object, or another version, is a conflict."""
    await bench.create("configmaps", config_map("a"))
    told = 'Operation cannot be fulfilled on ConfigMap "a": the .* in the precondition'
    with pytest.raises(Conflict, match=told):
        await bench.delete("configmaps", "a", **precondition)
    assert not await _gone(bench, "configmaps", "a")


async def test_who_orphans_nothing_hears_that_the_object_is_still_there(bench: RegistryBench) -> None:
    """orphanDependents=false is answered with 202 then; no other delete is."""
    held = config_map("a")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await bench.create("configmaps", held)
    await bench.create("configmaps", config_map("b"))
    for name, options, accepted in (
        ("a", DeleteOptions(propagation_policy="Foreground"), False),
        ("a", DeleteOptions(propagation_policy="Background", tells_pending=True), True),
        ("b", DeleteOptions(propagation_policy="Background", tells_pending=True), False),
    ):
        reply = await bench.registry.delete(bench.request("delete", "configmaps", name, deleting=options))
        assert reply.accepted is accepted


async def test_a_dry_run_deletes_nothing(bench: RegistryBench) -> None:
    """It answers as if it did."""
    await bench.create("configmaps", config_map("a"))
    assert (await bench.delete("configmaps", "a", dry_run=True))["status"] == "Success"
    assert not await _gone(bench, "configmaps", "a")


async def test_a_namespace_terminates_until_its_finalizer_is_gone(bench: RegistryBench) -> None:
    """The namespace controller empties it and then finalizes it; meanwhile nothing new is let in."""
    await bench.create("namespaces", {"metadata": {"name": "team"}})
    marked = await bench.delete("namespaces", "team")
    assert (marked["status"]["phase"], marked["spec"]["finalizers"]) == ("Terminating", ["kubernetes"])
    await bench.list("namespaces")
    with pytest.raises(Forbidden, match="being terminated"):
        await bench.create("configmaps", config_map("late"), namespace="team")
    again = await bench.delete("namespaces", "team")
    assert again["metadata"] == marked["metadata"]
    body = msgspec.json.encode({**marked, "spec": {}})
    await bench.registry.update(bench.request("update", "namespaces/finalize", "team", body=body))
    assert await _gone(bench, "namespaces", "team")


async def test_a_collection_is_deleted_as_far_as_it_is_selected(bench: RegistryBench) -> None:
    """The answer has the objects as they were."""
    for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
        obj = config_map(name)
        obj["metadata"]["labels"] = {"app": app}
        await bench.create("configmaps", obj)
    selection = ListOptions(label_selector="app=x")
    request = bench.request("deletecollection", "configmaps", selection=selection)
    assert names(await bench.registry.delete_collection(request)) == ["a", "c"]
    assert names(await bench.list("configmaps")) == ["b"]


async def evict(bench: RegistryBench, **options: Any) -> dict[str, Any]:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    return await bench.create("pods/eviction", {**eviction, "deleteOptions": options}, name="p")


async def test_an_evicted_pod_is_marked_and_deleted(bench: RegistryBench) -> None:
    """There is no PodDisruptionBudget that could stand in the way; the pod says why it goes."""
    created = await bench.create("pods", pod("p", node="node-1"))
    version = created["metadata"]["resourceVersion"]
    answer = await evict(bench, gracePeriodSeconds=7, preconditions={"resourceVersion": version})
    assert (answer["status"], answer["code"]) == ("Success", 201)
    found = await bench.get("pods", "p")
    assert found["metadata"]["deletionGracePeriodSeconds"] == 7
    [condition] = [each for each in found["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert (condition["status"], condition["reason"]) == ("True", "EvictionByEvictionAPI")


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1"])
async def test_an_eviction_may_be_of_either_version(bench: RegistryBench, version: str) -> None:
    """Clients of clusters before v1.22 post the older one, which kube-apiserver still takes; no other one."""
    await bench.create("pods", pod("p"))
    eviction = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": "p"}}
    with pytest.raises(BadRequest, match="the API version in the data"):
        await bench.create("pods/eviction", {**eviction, "apiVersion": "policy/v1beta2"}, name="p")
    await bench.create("pods/eviction", eviction, name="p")
    with pytest.raises(NotFound):
        await bench.get("pods", "p")


async def test_an_eviction_that_does_not_happen_leaves_no_mark(bench: RegistryBench) -> None:
    """A dry run, and one of another pod than is there."""
    created = await bench.create("pods", pod("p", node="node-1"))
    await evict(bench, dryRun=["All"])
    for field in ("uid", "resourceVersion"):
        with pytest.raises(Conflict, match="in the precondition"):
            await evict(bench, preconditions={field: "1"})
    assert await bench.get("pods", "p") == created


BUDGET = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "b"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
}
COUNTED = {
    "observedGeneration": 1,
    "disruptionsAllowed": 1,
    "currentHealthy": 2,
    "desiredHealthy": 1,
    "expectedPods": 2,
}


async def under_budget(
    bench: RegistryBench, *, ready: bool = True, phase: str = "Running", **status: Any
) -> None:
    """Make the pod `p` and its budget, with such statuses."""
    await bench.create("pods", pod("p", node="node-1", labels={"app": "web"}))
    condition = {"type": "Ready", "status": str(ready)}
    patch = {"status": {"phase": phase, "conditions": [condition]}}
    await bench.patch("pods/status", "p", patch, PatchType.STRATEGIC_MERGE)
    await bench.create("poddisruptionbudgets", BUDGET)
    if status:
        await bench.patch(
            "poddisruptionbudgets/status", "b", {"status": {**COUNTED, **status}}, PatchType.MERGE
        )


async def test_an_eviction_takes_a_disruption_of_its_budget(bench: RegistryBench) -> None:
    """The last one makes the condition False; a dry run takes nothing."""
    await under_budget(bench, disruptionsAllowed=1)
    before = await bench.get("poddisruptionbudgets", "b")
    await evict(bench, dryRun=["All"])
    assert await bench.get("poddisruptionbudgets", "b") == before
    await evict(bench)
    status = (await bench.get("poddisruptionbudgets", "b"))["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["p"])
    [condition] = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed",
        "False",
        "InsufficientPods",
    )
    assert "deletionTimestamp" in (await bench.get("pods", "p"))["metadata"]


SYNC_FAILED = {
    "type": "DisruptionAllowed",
    "status": "False",
    "reason": "SyncFailed",
    "message": "oh",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("status", "retry_s", "words"),
    [
        ({"disruptionsAllowed": 0}, 0, "The disruption budget b needs 1 healthy pods and has 2 currently"),
        ({"disruptionsAllowed": 0, "conditions": [SYNC_FAILED]}, 0, "because it failed sync: oh"),
        ({"observedGeneration": 0}, 10, "The disruption budget b is still being processed by the server."),
    ],
)  # fmt: skip
async def test_an_eviction_that_its_budget_does_not_allow(
    bench: RegistryBench, status: dict[str, Any], retry_s: int, words: str
) -> None:
    """It is a 429 whose cause says why; nothing has happened."""
    await under_budget(bench, **status)
    before = await bench.get("pods", "p")
    with pytest.raises(TooManyRequests) as caught:
        await evict(bench)
    assert caught.value.message == "Cannot evict pod as it would violate the pod's disruption budget."
    [cause] = caught.value.causes
    assert (cause.reason, words in cause.message) == ("DisruptionBudget", True)
    assert caught.value.retry_after_s == retry_s
    assert await bench.get("pods", "p") == before


@pytest.mark.parametrize(
    ("pod_status", "status", "spec"),
    [
        ({"phase": "Succeeded"}, {"disruptionsAllowed": 0}, {}),
        ({"phase": "Pending"}, {"disruptionsAllowed": 0}, {}),
        ({"ready": False}, {"disruptionsAllowed": 0}, {}),
        ({"ready": False}, {"disruptionsAllowed": 0, "currentHealthy": 0}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"}),
    ],
)  # fmt: skip
async def test_an_eviction_that_disturbs_nobody_needs_no_budget(
    bench: RegistryBench, pod_status: dict[str, Any], status: dict[str, Any], spec: dict[str, Any]
) -> None:
    """Of a pod that has ended or not begun, or of one that is not ready where its budget says so."""
    await under_budget(bench, **pod_status, **status)
    if spec:
        await bench.patch("poddisruptionbudgets", "b", {"spec": spec}, PatchType.MERGE)
    await evict(bench)
    assert (await bench.get("poddisruptionbudgets", "b"))["status"]["disruptionsAllowed"] == 0


async def test_a_pod_of_two_budgets_cannot_be_evicted(bench: RegistryBench) -> None:
    """As in Kubernetes, which says so by a 500."""
    await under_budget(bench, disruptionsAllowed=1)
    await bench.create("poddisruptionbudgets", {**BUDGET, "metadata": {"name": "c"}})
    with pytest.raises(InternalError, match="more than one PodDisruptionBudget"):
        await evict(bench)

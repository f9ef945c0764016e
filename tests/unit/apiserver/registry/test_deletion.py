"""delete and deletecollection: grace, finalizers, preconditions, namespaces."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.request import DeleteOptions, ListOptions
from machinery.model.errors import Conflict, Forbidden, Invalid, NotFound
from machinery.model.requests import EventType
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
    """There are no PodDisruptionBudgets, so nothing stands in the way; the pod says why it goes."""
    created = await bench.create("pods", pod("p", node="node-1"))
    version = created["metadata"]["resourceVersion"]
    answer = await evict(bench, gracePeriodSeconds=7, preconditions={"resourceVersion": version})
    assert (answer["status"], answer["code"]) == ("Success", 201)
    found = await bench.get("pods", "p")
    assert found["metadata"]["deletionGracePeriodSeconds"] == 7
    [condition] = [each for each in found["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert (condition["status"], condition["reason"]) == ("True", "EvictionByEvictionAPI")


async def test_an_eviction_that_does_not_happen_leaves_no_mark(bench: RegistryBench) -> None:
    """A dry run, and one of another pod than is there."""
    created = await bench.create("pods", pod("p", node="node-1"))
    await evict(bench, dryRun=["All"])
    for field in ("uid", "resourceVersion"):
        with pytest.raises(Conflict, match="in the precondition"):
            await evict(bench, preconditions={field: "1"})
    assert await bench.get("pods", "p") == created

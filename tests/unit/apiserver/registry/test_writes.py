"""create, update and patch."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from apiserver.registry.tracking import after_admission
from apiserver.storage.interface import Outcome
from machinery.model.errors import AlreadyExists, BadRequest, Conflict, Invalid, NotFound
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, config_map, names, pod


async def test_a_created_object_has_an_identity_and_can_be_read(bench: RegistryBench) -> None:
    """The reply of a create is what a get gives afterwards."""
    created = await bench.create("configmaps", config_map("a", key="value"))
    assert created["metadata"]["uid"]
    assert created["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert created == await bench.get("configmaps", "a")


async def test_a_taken_name_is_refused_in_kubernetes_words(bench: RegistryBench) -> None:
    """The second create of a name is a 409 that names resource and object."""
    await bench.create("pods", pod("x"))
    with pytest.raises(AlreadyExists) as refused:
        await bench.create("pods", pod("x"))
    assert refused.value.message == 'pods "x" already exists'


async def test_a_taken_name_says_that_its_holder_is_being_deleted(bench: RegistryBench) -> None:
    """Who waits for an object to go is told that it is on its way."""
    obj = config_map("x")
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    await bench.create("configmaps", obj)
    await bench.delete("configmaps", "x")
    with pytest.raises(AlreadyExists, match='object is being deleted: configmaps "x" already exists'):
        await bench.create("configmaps", config_map("x"))


async def test_generated_names_are_tried_until_one_is_free(bench: RegistryBench) -> None:
    """Objects that share a generateName get different names."""
    obj = config_map("")
    obj["metadata"] = {"generateName": "job-"}
    created = [await bench.create("configmaps", obj) for _ in range(20)]
    found = {each["metadata"]["name"] for each in created}
    assert len(found) == 20
    assert all(name.startswith("job-") and len(name) == len("job-") + 5 for name in found)


async def test_a_namespace_that_is_not_there_takes_no_objects(bench: RegistryBench) -> None:
    """An object needs its namespace."""
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        await bench.create("configmaps", config_map("a"), namespace="nowhere")


async def test_a_dry_run_checks_everything_and_stores_nothing(bench: RegistryBench) -> None:
    """Nothing of a dry run is there afterwards, and its refusals are real."""
    assert (await bench.create("configmaps", config_map("a"), dry_run=True))["metadata"]["uid"]
    with pytest.raises(NotFound):
        await bench.get("configmaps", "a")
    await bench.create("configmaps", config_map("a"))
    with pytest.raises(AlreadyExists):
        await bench.create("configmaps", config_map("a"), dry_run=True)
    await bench.patch("configmaps", "a", {"data": {"k": "v"}}, dry_run=True)
    assert "data" not in await bench.get("configmaps", "a")


async def test_an_update_of_an_old_version_is_a_conflict(bench: RegistryBench) -> None:
    """Nobody overwrites what they have not seen."""
    old = await bench.create("configmaps", config_map("x"))
    await bench.patch("configmaps", "x", {"data": {"by": "another"}})
    with pytest.raises(Conflict) as refused:
        await bench.update("configmaps", {**old, "data": {"by": "me"}})
    assert refused.value.message == (
        'Operation cannot be fulfilled on configmaps "x": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_an_update_without_a_version_overwrites(bench: RegistryBench) -> None:
    """A PUT without resourceVersion is unconditional."""
    await bench.create("configmaps", config_map("x", a="1"))
    assert (await bench.update("configmaps", config_map("x", b="2")))["data"] == {"b": "2"}


async def test_an_update_that_means_another_object_of_the_name_is_a_conflict(bench: RegistryBench) -> None:
    """A uid is a precondition."""
    await bench.create("configmaps", config_map("x"))
    other = config_map("x")
    other["metadata"]["uid"] = "another"
    with pytest.raises(Conflict, match="UID in precondition: another"):
        await bench.update("configmaps", other)


async def test_a_patch_of_the_uid_is_refused(bench: RegistryBench) -> None:
    """It is no precondition there but a change, of what cannot be changed; a version that is gone is told before."""
    await bench.create("configmaps", config_map("c"))
    with pytest.raises(Invalid, match=r'metadata\.uid: Invalid value: "another": field is immutable'):
        await bench.patch("configmaps", "c", {"metadata": {"uid": "another"}})
    with pytest.raises(Invalid, match=r'metadata\.uid: Invalid value: "another": field is immutable'):
        await bench.patch("namespaces/status", "default", {"metadata": {"uid": "another"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        await bench.patch("configmaps", "c", {"metadata": {"uid": "another", "resourceVersion": "1"}})


async def test_clients_are_warned_beside_what_is_stored(bench: RegistryBench) -> None:
    """Of what makes no sense, and of owners that are named twice, of whom one is left."""
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}
    obj = pod("p", ownerReferences=[owner, owner])
    obj["spec"]["imagePullSecrets"] = [{}]
    request = bench.request("create", "pods", body=msgspec.json.encode(obj))
    reply = await bench.registry.create(request)
    repeated, empty = reply.warnings
    assert repeated.endswith("please fix your requests; duplicate UID(s) observed: u")
    assert empty == 'spec.imagePullSecrets[0].name: invalid empty name ""'
    assert (await bench.get("pods", "p"))["metadata"]["ownerReferences"] == [owner]
    other = {**owner, "uid": "v"}
    patch = msgspec.json.encode({"metadata": {"ownerReferences": [other, other]}})
    request = bench.request("patch", "pods", "p", body=patch, patch_type=PatchType.MERGE)
    [repeated] = (await bench.registry.patch(request)).warnings
    assert "contains duplicate entries after mutating admission happens; " in repeated


def test_owners_that_admission_names_twice_are_there_once() -> None:
    """The client is warned; owners that are its own are not looked at again."""
    owner = {"uid": "u"}
    before = {"metadata": {"ownerReferences": [owner]}}
    mutated = {"metadata": {"ownerReferences": [owner, owner]}}
    kept, [warning] = after_admission(before, mutated)
    assert kept["metadata"]["ownerReferences"] == [owner]
    assert warning.endswith("duplicate UID(s) observed: u")
    assert after_admission(mutated, mutated) == (mutated, ())


async def test_a_lease_needs_the_version_that_it_replaces(bench: RegistryBench) -> None:
    """A kind without unconditional updates names the field that is missing; it creates where none is there."""
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    assert (await bench.update("leases", lease))["metadata"]["uid"]
    with pytest.raises(
        Invalid, match=r"metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    ):
        await bench.update("leases", lease)


async def test_an_update_creates_whatever_version_it_names(bench: RegistryBench) -> None:
    """There is none to compare it with; an identity that it names is missed."""
    lease = {"metadata": {"name": "l", "resourceVersion": "5"}, "spec": {}}
    assert (await bench.update("leases", lease))["metadata"]["resourceVersion"] != "5"
    lease["metadata"] = {"name": "m", "uid": "u"}
    with pytest.raises(Conflict, match=r"UID in precondition: u, UID in object meta: $"):
        await bench.update("leases", lease)


@pytest.mark.parametrize(
    ("patch_type", "patch", "told"),
    [
        (PatchType.MERGE, {"data": {"a": 1}}, "json: cannot unmarshal number into Go struct field ConfigMap.data"),
        (PatchType.JSON, [{"op": "add", "path": "/odd", "value": 1}], 'strict decoding error: unknown field "odd"'),
        (PatchType.STRATEGIC_MERGE, {"odd": [1, None, {"b": True, "a": "x"}]}, 'strict decoding error: unknown field "odd"'),
    ],
)  # fmt: skip
async def test_a_patch_that_does_not_fit_is_invalid(
    bench: RegistryBench, patch_type: PatchType, patch: Any, told: str
) -> None:
    """It is a 422 about the patch: what the object would be is quoted, or the patch, in Go's words."""
    await bench.create("configmaps", config_map("x", a="1"))
    with pytest.raises(Invalid) as refused:
        await bench.patch("configmaps", "x", patch, patch_type, field_validation="Strict")
    [cause] = refused.value.causes
    assert cause.field == "patch"
    quoted = (
        "map[odd:[1 <nil> map[a:x b:true]]]" if patch_type is PatchType.STRATEGIC_MERGE else '{\\"apiVersion'
    )
    assert cause.message.startswith(f'Invalid value: "{quoted}')
    assert told in cause.message


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"data": {"a": 1}}, "cannot convert int64 to string"),
        ({"data": {"a": 1.5}}, "unrecognized type: string"),
        ({"data": {"a": {"b": "c"}}}, "unrecognized type: string"),
        ({"data": "a"}, "cannot restore map from string"),
        ({"data": ["a"]}, "cannot restore map from slice"),
        ({"immutable": "yes"}, "unrecognized type: bool"),
        ({"metadata": {"finalizers": {"a": "b"}}}, "cannot restore slice from map"),
        ({"metadata": {"managedFields": [True]}}, "cannot restore struct from: bool"),
        ({"metadata": {"generation": 1.5}}, "cannot convert float64 to int64"),
        ({"metadata": {"creationTimestamp": 1}}, "of type v1.Time"),
    ],
)
async def test_what_a_strategic_patch_makes_of_another_type_is_told_by_kinds(
    bench: RegistryBench, patch: Any, told: str
) -> None:
    """As the converter of merged objects says it; what reads itself is told as of any document."""
    await bench.create("configmaps", config_map("x", a="1"))
    with pytest.raises(Invalid) as refused:
        await bench.patch("configmaps", "x", patch, PatchType.STRATEGIC_MERGE)
    assert refused.value.causes[0].message.endswith(told)


async def test_a_put_says_what_it_is_about(bench: RegistryBench) -> None:
    """Another object of the name is a conflict, and no name at all is no place."""
    created = await bench.create("configmaps", config_map("x"))
    with pytest.raises(Conflict, match="UID in precondition: u, UID in object meta: "):
        await bench.update("configmaps", {**created, "metadata": {"name": "x", "uid": "u"}})
    with pytest.raises(BadRequest, match=r"undeterminable: name must be provided"):
        await bench.registry.update(bench.request("update", "configmaps", "x", body=b"{}"))


async def test_an_update_that_changes_nothing_writes_nothing(bench: RegistryBench) -> None:
    """The revision of the store stays, and with it the object's resourceVersion."""
    created = await bench.create("configmaps", config_map("x", a="1"))
    before = await bench.storage.revision()
    assert await bench.update("configmaps", created) == created
    assert await bench.patch("configmaps", "x", {"data": {"a": "1"}}) == created
    assert await bench.storage.revision() == before


async def test_patches_of_one_object_at_once_all_arrive(bench: RegistryBench) -> None:
    """A patch that lost a race is made again on the new object."""
    await bench.create("configmaps", config_map("x"))
    await asyncio.gather(*(bench.patch("configmaps", "x", {"data": {f"k{n}": "v"}}) for n in range(200)))
    assert len((await bench.get("configmaps", "x"))["data"]) == 200


async def test_a_patch_that_carries_a_version_is_about_that_version(bench: RegistryBench) -> None:
    """Such a patch is not repeated on another object."""
    old = await bench.create("configmaps", config_map("x"))
    await bench.patch("configmaps", "x", {"data": {"a": "1"}})
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"b": "2"}}
    with pytest.raises(Conflict):
        await bench.patch("configmaps", "x", stale)


async def test_patches_come_in_three_kinds(bench: RegistryBench) -> None:
    """JSON Patch, merge patch and strategic merge patch go through the same rules."""
    await bench.create("configmaps", config_map("x", a="1"))
    await bench.patch("configmaps", "x", [{"op": "add", "path": "/data/b", "value": "2"}], PatchType.JSON)
    await bench.patch("configmaps", "x", {"data": {"a": None}}, PatchType.MERGE)
    patched = await bench.patch("configmaps", "x", {"data": {"c": "3"}}, PatchType.STRATEGIC_MERGE)
    assert patched["data"] == {"b": "2", "c": "3"}


async def test_a_patch_cannot_rename(bench: RegistryBench) -> None:
    """The name is in the request, and the patched object has to agree."""
    await bench.create("configmaps", config_map("x"))
    with pytest.raises(BadRequest):
        await bench.patch("configmaps", "x", {"metadata": {"name": "y"}})


async def test_unknown_fields_are_warned_about_and_dropped(bench: RegistryBench) -> None:
    """They are refused only by those who ask for it."""
    obj = {**config_map("x"), "colour": "red"}
    assert "colour" not in await bench.create("configmaps", obj)
    with pytest.raises(BadRequest, match='unknown field "colour"'):
        await bench.create("configmaps", {**config_map("y"), "colour": "red"}, field_validation="Strict")


async def test_status_and_spec_have_doors_of_their_own(bench: RegistryBench) -> None:
    """A write to the object leaves the status alone, and the other way round."""
    await bench.create("pods", pod("p"))
    await bench.patch("pods/status", "p", {"status": {"phase": "Running"}, "spec": {"hostname": "no"}})
    await bench.patch("pods", "p", {"status": {"phase": "Failed"}, "metadata": {"labels": {"a": "b"}}})
    found = await bench.get("pods", "p")
    assert found["status"]["phase"] == "Running"
    assert "hostname" not in found["spec"]
    assert found["metadata"]["labels"] == {"a": "b"}


async def test_every_write_is_recorded_with_who_made_it(bench: RegistryBench) -> None:
    """The record names verb, object and revision."""
    created = await bench.create("configmaps", config_map("x"))
    await bench.delete("configmaps", "x")
    first, last = bench.write_record.latest("configmaps", "default", "x")
    assert (first.verb, str(first.revision)) == ("create", created["metadata"]["resourceVersion"])
    assert (last.verb, last.user) == ("delete", "kubernetes-admin")


async def test_what_does_not_exist_is_said_so(bench: RegistryBench) -> None:
    """An unknown resource is a 404 like an unknown object, in Kubernetes' words."""
    with pytest.raises(NotFound, match="the server could not find the requested resource"):
        await bench.list("widgets")
    with pytest.raises(NotFound, match='configmaps "none" not found'):
        await bench.get("configmaps", "none")
    assert names(await bench.list("configmaps")) == []


async def test_events_go_by_themselves(bench: RegistryBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Event is kept for an hour of cluster time, everything else for ever."""
    ttls: dict[str, int] = {}
    create = bench.storage.create

    async def spied(key: str, value: bytes, *, ttl_s: int = 0, **options: Any) -> Outcome:
        ttls[key] = ttl_s
        return await create(key, value, ttl_s=ttl_s, **options)

    monkeypatch.setattr(bench.storage, "create", spied)
    event = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}, "reason": "Because"}
    await bench.create("events", event)
    await bench.create("configmaps", config_map("c"))
    assert ttls == {"/registry/events/default/e": 3600, "/registry/configmaps/default/c": 0}


@pytest.mark.parametrize(("kind", "allowed"), [("Event", False), ("ConfigMap", True), ("Widget", True)])
async def test_an_event_owns_nothing(bench: RegistryBench, kind: str, allowed: bool) -> None:
    """It goes by itself; owners of kinds that the apiserver does not serve are taken at their word."""
    obj = config_map("owned")
    obj["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": kind, "name": "x", "uid": "u"}]
    if allowed:
        assert await bench.create("configmaps", obj)
    else:
        with pytest.raises(Invalid, match="/v1, Kind=Event is disallowed from being an owner"):
            await bench.create("configmaps", obj)

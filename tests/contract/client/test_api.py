"""What `machinery.client.api.Api` promises: over gRPC, over REST, in the process, and through the tests' script."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from machinery.client.api import Api
from machinery.client.transport import ApiRequest, One, refusal_in
from machinery.model import resources as kinds
from machinery.model.errors import (
    AlreadyExists,
    Conflict,
    DeadlineExceeded,
    Expired,
    Invalid,
    NotFound,
    Unavailable,
    names_another,
)
from machinery.model.k8s.core_v1 import Binding, ConfigMap, ObjectReference, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.requests import DeleteOptions, EventType, PatchType, Selection, WatchEvent
from machinery.wire import objects
from tests.support.apiserver import Served
from tests.support.builders import changed
from tests.support.client_doors import Door, config_map, revision, told, watching
from tests.support.scripted_api import local_registry
from tests.support.stalls import taking
from tests.support.streams import closing
from tests.support.waiting import pause

HOLD = "tests.kubarium.dev/hold"
on_both_stores = pytest.mark.parametrize(
    "door",
    [
        "grpc",
        "rest",
        "registry",
        "scripted",
        pytest.param("grpc on etcd", marks=pytest.mark.etcd),
        pytest.param("rest on etcd", marks=pytest.mark.etcd),
    ],
    indirect=True,
)
"""What a store has a say in: on the fake and on the real one, through both doors."""


def pod(name: str, node: str = "") -> Pod:
    """Build a Pod to create."""
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 7}
    if node:
        spec["nodeName"] = node
    return msgspec.convert({"metadata": {"name": name, "namespace": "default"}, "spec": spec}, Pod)


async def ready(api: Api) -> None:
    """Make what pods need in their namespace."""
    account = {"metadata": {"name": "default", "namespace": "default"}}
    with contextlib.suppress(AlreadyExists):
        await api.create(kinds.SERVICE_ACCOUNTS, msgspec.convert(account, kinds.SERVICE_ACCOUNTS.type))


async def test_what_is_created_can_be_read(door: Door) -> None:
    """With an identity, a time and a revision; what is not there is NotFound, by its name."""
    created = await door.api.create(kinds.CONFIG_MAPS, config_map(data={"k": "v"}))
    assert created.metadata.uid
    assert created.metadata.creationTimestamp
    assert int(created.metadata.resourceVersion) > 0
    assert await door.api.get(kinds.CONFIG_MAPS, "a", namespace="default") == created
    with pytest.raises(NotFound, match='configmaps "b" not found') as error:
        await door.api.get(kinds.CONFIG_MAPS, "b", namespace="default")
    assert error.value.name == "b"


@on_both_stores
async def test_a_name_is_given_once(door: Door) -> None:
    """A second object of a name is AlreadyExists; generateName makes names that are free."""
    await door.api.create(kinds.CONFIG_MAPS, config_map())
    with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
        await door.api.create(kinds.CONFIG_MAPS, config_map())
    generated = [
        await door.api.create(kinds.CONFIG_MAPS, config_map("", generateName="gen-")) for _ in range(2)
    ]
    names = {each.metadata.name for each in generated}
    assert len(names) == 2
    assert all(name.startswith("gen-") for name in names)


async def test_several_are_created_and_each_is_answered_for_itself(door: Door) -> None:
    """In order: what was stored, or why it was not; each because of its own causes."""
    await door.api.create(kinds.CONFIG_MAPS, config_map("taken"))
    wanted = [
        config_map("b", data={"k": "v"}),
        config_map("taken"),
        msgspec.structs.replace(config_map("d"), metadata=ObjectMeta(name="d", namespace="gone")),
        config_map("c"),
    ]
    first, second, third, last = await door.api.create_each(
        kinds.CONFIG_MAPS, [(each, ()) for each in wanted]
    )
    assert isinstance(first, ConfigMap)
    assert await door.api.get(kinds.CONFIG_MAPS, "b", namespace="default") == first
    assert isinstance(second, AlreadyExists)
    assert isinstance(third, NotFound)
    assert isinstance(last, ConfigMap)
    assert (last.metadata.name, last.metadata.resourceVersion != first.metadata.resourceVersion) == (
        "c",
        True,
    )


async def test_several_are_changed_and_each_is_answered_for_itself(door: Door) -> None:
    """As those that are created: in order, what was stored, or the Status that says why it was not."""
    first = await door.api.create(kinds.CONFIG_MAPS, config_map("a", data={"k": "1"}))
    await door.api.create(kinds.CONFIG_MAPS, config_map("b", data={"k": "1"}))
    stale = {"metadata": {"name": "b", "namespace": "default", "resourceVersion": "1"}, "data": {"k": "2"}}
    new = {"metadata": msgspec.to_builtins(first.metadata), "data": {"k": "2"}}
    gone = {"metadata": {"name": "c", "namespace": "default"}}
    updates = tuple(
        One("default", msgspec.json.encode(body), (), name)
        for name, body in (("b", stale), ("a", new), ("c", gone))
    )
    page = await door.api.transport.page(ApiRequest("UpdateEach", kinds.CONFIG_MAPS, each=updates), 5)
    refused, done, missing = page.items
    assert (type(refusal_in(refused)), refusal_in(done)) == (Conflict, None)
    assert type(refusal_in(missing)) is NotFound
    assert (await door.api.get(kinds.CONFIG_MAPS, "a", namespace="default")).data == {"k": "2"}

    patches = tuple(One("default", b'{"data": {"k": "3"}}', (), name) for name in ("c", "b"))
    page = await door.api.transport.page(ApiRequest("PatchEach", kinds.CONFIG_MAPS, each=patches), 5)
    assert [type(refusal_in(each)) for each in page.items] == [NotFound, type(None)]
    changed = await door.api.get(kinds.CONFIG_MAPS, "b", namespace="default")
    assert changed.data == {"k": "3"}
    assert objects.decode(page.items[1], ConfigMap) == changed


async def test_lists_select_by_labels_and_fields(door: Door) -> None:
    """In the order of their names, within their namespace."""
    for number in range(4):
        await door.api.create(kinds.CONFIG_MAPS, config_map(f"m{number}", labels={"n": str(number % 2)}))
    for labels, fields, names in (
        ("", "metadata.namespace=default", ["m0", "m1", "m2", "m3"]),
        ("n=1", "", ["m1", "m3"]),
        ("n!=1", "", ["m0", "m2"]),
        ("n in (0,5),n", "metadata.name!=m0", ["m2"]),
        ("!n", "", []),
        ("", "metadata.name=m3", ["m3"]),
    ):
        found = await door.api.list(kinds.CONFIG_MAPS, Selection("default", labels, fields))
        assert [each.metadata.name for each in found.items if each.metadata.name[0] == "m"] == names
    assert (await door.api.list(kinds.CONFIG_MAPS, Selection("kube-public", "n"))).items == []


@on_both_stores
async def test_pages_are_of_one_revision(door: Door) -> None:
    """What is written between two pages is in neither: a watch from the list's revision tells it."""
    for name in "abcd":
        await door.api.create(kinds.CONFIG_MAPS, config_map(name, labels={"page": ""}))
    selection = Selection("default", "page")
    first = await door.api.list(kinds.CONFIG_MAPS, selection, limit=2)
    await door.api.create(kinds.CONFIG_MAPS, config_map("bb", labels={"page": ""}))
    await door.api.delete(kinds.CONFIG_MAPS, "c", namespace="default")
    second = await door.api.list(kinds.CONFIG_MAPS, selection, limit=2, continue_=first.continue_)
    assert [each.metadata.name for each in (*first.items, *second.items)] == ["a", "b", "c", "d"]
    assert first.continue_
    assert (second.continue_, second.revision) == ("", first.revision)
    async with watching(door.api, str(first.revision), selection) as watch:
        assert told(await watch.take(2)) == [("ADDED", "bb"), ("DELETED", "c")]


@on_both_stores
async def test_an_update_replaces_what_its_writer_has_seen(door: Door) -> None:
    """With an old revision it is a Conflict, without one it is forced; identity stays; nothing new is no write."""
    created = await door.api.create(kinds.CONFIG_MAPS, config_map(data={"k": "1"}))
    second = await door.api.update(kinds.CONFIG_MAPS, changed(created, data={"k": "2"}))
    assert (second.data, second.metadata.uid) == ({"k": "2"}, created.metadata.uid)
    assert int(second.metadata.resourceVersion) > int(created.metadata.resourceVersion)
    with pytest.raises(Conflict, match="the object has been modified"):
        await door.api.update(kinds.CONFIG_MAPS, changed(created, data={"k": "3"}))
    same = await door.api.update(kinds.CONFIG_MAPS, second)
    assert same.metadata.resourceVersion == second.metadata.resourceVersion
    forced = await door.api.update(kinds.CONFIG_MAPS, config_map(data={"k": "4"}))
    assert (forced.data, forced.metadata.uid) == ({"k": "4"}, created.metadata.uid)
    with pytest.raises(NotFound):
        await door.api.update(kinds.CONFIG_MAPS, config_map("b"))


async def test_a_merge_patch_changes_what_it_names(door: Door) -> None:
    """None takes a field away; a revision in it is a precondition, a uid no other than the object's; nothing new is no write."""
    created = await door.api.create(kinds.CONFIG_MAPS, config_map(data={"a": "1", "b": "2"}))

    async def patch(body: Any) -> ConfigMap:
        return await door.api.patch(kinds.CONFIG_MAPS, "a", body, namespace="default")

    patched = await patch({"data": {"a": None, "c": "3"}, "metadata": {"labels": {"x": "y"}}})
    assert (patched.data, patched.metadata.labels) == ({"b": "2", "c": "3"}, {"x": "y"})
    assert (await patch({"data": {"b": "2"}})).metadata.resourceVersion == patched.metadata.resourceVersion
    with pytest.raises(Conflict):
        await patch({"metadata": {"resourceVersion": created.metadata.resourceVersion}, "data": {"a": "9"}})
    with pytest.raises(Invalid) as refused:
        await patch({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}, "data": {"a": "9"}})
    assert names_another(refused.value)
    with pytest.raises(NotFound):
        await door.api.patch(kinds.CONFIG_MAPS, "b", {}, namespace="default")


async def test_status_and_the_rest_are_written_apart(door: Door) -> None:
    """The status subresource changes nothing else, and nothing else changes the status."""
    await ready(door.api)
    await door.api.create(kinds.PODS, pod("p", "n"))

    async def patch(body: Any, subresource: str = "") -> Pod:
        return await door.api.patch(kinds.PODS, "p", body, namespace="default", subresource=subresource)

    status = {"status": {"message": "by the kubelet"}}
    found = await patch({**status, "spec": {"activeDeadlineSeconds": 5}}, "status")
    assert (found.status.message, found.spec.activeDeadlineSeconds) == ("by the kubelet", None)
    found = await patch({"status": {"message": "by a user"}, "metadata": {"labels": {"x": "y"}}})
    assert (found.status.message, found.metadata.labels) == ("by the kubelet", {"x": "y"})
    mine = changed(found, status=changed(found.status, message="by update"))
    assert (await door.api.update(kinds.PODS, mine)).status.message == "by the kubelet"
    found = await door.api.update(kinds.PODS, mine, subresource="status")
    assert found.status.message == "by update"


async def test_conditions_merge_by_type(door: Door) -> None:
    """A strategic merge patch of one condition keeps the others."""
    await ready(door.api)
    await door.api.create(kinds.PODS, pod("p", "n"))
    for type_ in ("Initialized", "Ready", "Initialized"):
        patch = {"status": {"conditions": [{"type": type_, "status": "True"}]}}
        found = await door.api.patch(
            kinds.PODS,
            "p",
            patch,
            namespace="default",
            subresource="status",
            kind=PatchType.STRATEGIC_MERGE,
        )
    assert sorted(each.type for each in found.status.conditions) == ["Initialized", "Ready"]


@on_both_stores
async def test_a_delete_may_have_preconditions(door: Door) -> None:
    """Another uid or revision is a Conflict and nothing is deleted; the right ones are no hindrance."""
    created = await door.api.create(kinds.CONFIG_MAPS, config_map())
    meta = created.metadata
    for options in (DeleteOptions(uid="another"), DeleteOptions(resource_version="1")):
        with pytest.raises(Conflict):
            await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default", options=options)
    right = DeleteOptions(uid=meta.uid, resource_version=meta.resourceVersion)
    await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default", options=right)
    with pytest.raises(NotFound):
        await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default")


async def test_finalizers_hold_what_is_deleted(door: Door) -> None:
    """It is marked, and gone with the last of them; the watch tells both."""
    await door.api.create(kinds.CONFIG_MAPS, config_map(finalizers=[HOLD]))
    async with watching(door.api, await revision(door.api)) as watch:
        await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default")
        marked = await door.api.get(kinds.CONFIG_MAPS, "a", namespace="default")
        assert marked.metadata.deletionTimestamp
        await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default")  # once more changes nothing
        await door.api.patch(kinds.CONFIG_MAPS, "a", {"metadata": {"finalizers": None}}, namespace="default")
        assert told(await watch.take(2)) == [("MODIFIED", "a"), ("DELETED", "a")]
    with pytest.raises(NotFound):
        await door.api.get(kinds.CONFIG_MAPS, "a", namespace="default")


@pytest.mark.parametrize(
    ("policy", "finalizer"), [("Orphan", "orphan"), ("Foreground", "foregroundDeletion")]
)
async def test_what_becomes_of_dependents_is_a_finalizer(door: Door, policy: str, finalizer: str) -> None:
    """The garbage collector takes it away; asked again for the background, the object goes at once."""
    await door.api.create(kinds.CONFIG_MAPS, config_map())
    options = DeleteOptions(propagation_policy=policy)
    await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default", options=options)
    found = await door.api.get(kinds.CONFIG_MAPS, "a", namespace="default")
    assert found.metadata.finalizers == [finalizer]
    assert found.metadata.deletionTimestamp
    options = DeleteOptions(propagation_policy="Background")
    await door.api.delete(kinds.CONFIG_MAPS, "a", namespace="default", options=options)
    with pytest.raises(NotFound):
        await door.api.get(kinds.CONFIG_MAPS, "a", namespace="default")


async def test_a_running_pod_is_deleted_in_grace(door: Door) -> None:
    """Its own period or the one asked for, and 0 ends it; one that is bound to no node has nothing to wait for."""
    await ready(door.api)
    await door.api.create(kinds.PODS, pod("p", "n"))
    await door.api.create(kinds.PODS, pod("unbound"))
    await door.api.delete(kinds.PODS, "p", namespace="default")
    assert (await door.api.get(kinds.PODS, "p", namespace="default")).metadata.deletionGracePeriodSeconds == 7
    shorter = DeleteOptions(grace_period_s=3)
    await door.api.delete(kinds.PODS, "p", namespace="default", options=shorter)
    meta = (await door.api.get(kinds.PODS, "p", namespace="default")).metadata
    assert (meta.deletionGracePeriodSeconds, bool(meta.deletionTimestamp)) == (3, True)
    await door.api.delete(kinds.PODS, "p", namespace="default", options=DeleteOptions(grace_period_s=0))
    await door.api.delete(kinds.PODS, "unbound", namespace="default")
    assert (await door.api.list(kinds.PODS, Selection("default"))).items == []


@on_both_stores
async def test_a_collection_is_deleted_as_far_as_it_is_selected(door: Door) -> None:
    """By label, within its namespace."""
    for name in "ab":
        await door.api.create(kinds.CONFIG_MAPS, config_map(name, labels={"name": name}))
    await door.api.delete_collection(kinds.CONFIG_MAPS, Selection("default", "name=a"))
    left = await door.api.list(kinds.CONFIG_MAPS, Selection("default", "name"))
    assert [each.metadata.name for each in left.items] == ["b"]


async def test_a_pod_is_bound_once(door: Door) -> None:
    """A second binding is a Conflict."""
    await ready(door.api)
    await door.api.create(kinds.PODS, pod("p"))
    bodies = [
        Binding(metadata=ObjectMeta(name="p"), target=ObjectReference(kind="Node", name=n)) for n in "xy"
    ]
    first = await door.api.post(kinds.PODS, "p", "binding", bodies[0], Status, namespace="default")
    assert first.status == "Success"
    with pytest.raises(Conflict):
        await door.api.post(kinds.PODS, "p", "binding", bodies[1], Status, namespace="default")
    assert (await door.api.get(kinds.PODS, "p", namespace="default")).spec.nodeName == "x"


async def test_several_pods_are_bound_by_one_request(door: Door) -> None:
    """And each is answered for itself."""
    await ready(door.api)
    await door.api.create(kinds.PODS, pod("p"))
    await door.api.create(kinds.PODS, pod("q"))
    bindings = tuple(
        One("default", msgspec.json.encode({"target": {"kind": "Node", "name": node}}), (), name)
        for name, node in (("q", "x"), ("gone", "x"), ("p", "y"), ("q", "z"))
    )
    request = ApiRequest("CreateEach", kinds.PODS, subresource="binding", each=bindings[:3])
    page = await door.api.transport.page(request, 5)
    assert [type(refusal_in(each)) for each in page.items] == [type(None), NotFound, type(None)]
    again = await door.api.transport.page(request._replace(each=bindings[3:]), 5)
    assert [type(refusal_in(each)) for each in again.items] == [Conflict]
    for name, node in (("p", "y"), ("q", "x")):
        assert (await door.api.get(kinds.PODS, name, namespace="default")).spec.nodeName == node


@on_both_stores
async def test_a_watch_says_at_once_that_it_is_established(door: Door) -> None:
    """The first batch is empty and waits for nothing; each change follows once, in order."""
    start = await revision(door.api)
    stream = door.api.watch(kinds.CONFIG_MAPS, Selection("default"), resource_version=start)
    async with closing(stream) as batches, asyncio.timeout(60):
        assert list(await anext(batches)) == []
    async with watching(door.api, start) as watch:
        for number in range(3):
            await door.api.create(kinds.CONFIG_MAPS, config_map(f"m{number}"))
            await door.api.patch(kinds.CONFIG_MAPS, f"m{number}", {"data": {"k": "v"}}, namespace="default")
        await door.api.delete(kinds.CONFIG_MAPS, "m1", namespace="default")
        events = await watch.take(7)
    expected = [(what, f"m{number}") for number in range(3) for what in ("ADDED", "MODIFIED")]
    assert told(events) == [*expected, ("DELETED", "m1")]
    assert [each.revision for each in events] == sorted({each.revision for each in events})
    assert all(str(each.revision) == each.object.metadata.resourceVersion for each in events if each.object)
    assert events[1].object
    assert events[1].object.data == {"k": "v"}


@on_both_stores
async def test_a_watch_is_resumed_where_it_ended(door: Door) -> None:
    """From the revision of an event: what was told is not told again, what was missed is."""
    start = await revision(door.api)
    for name in "abc":
        await door.api.create(kinds.CONFIG_MAPS, config_map(name))
    async with watching(door.api, start) as watch:
        (first,) = await watch.take(1)
    async with watching(door.api, str(first.revision)) as watch:
        assert told(await watch.take(2)) == [("ADDED", "b"), ("ADDED", "c")]


@on_both_stores
async def test_entering_and_leaving_a_selection_is_coming_and_going(door: Door) -> None:
    """What does not fit any more is DELETED for this watch, in its last state that did."""
    start = await revision(door.api)
    async with watching(door.api, start, Selection("default", "in=yes")) as watch:
        await door.api.create(kinds.CONFIG_MAPS, config_map(labels={"in": "no"}))
        for value in ("yes", "yes", "no"):
            patch = {"metadata": {"labels": {"in": value, "n": await revision(door.api)}}}
            last = await door.api.patch(kinds.CONFIG_MAPS, "a", patch, namespace="default")
        events = await watch.take(3)
    assert [each.type for each in events] == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
    gone = events[2].object
    assert gone
    assert gone.metadata.labels["in"] == "yes"
    assert gone.metadata.resourceVersion == last.metadata.resourceVersion == str(events[2].revision)


@on_both_stores
async def test_a_watch_from_nowhere_begins_with_what_is_there(door: Door) -> None:
    """Revision "0" tells every object as ADDED, then what follows."""
    await door.api.create(kinds.CONFIG_MAPS, config_map("there", labels={"mine": ""}))
    async with watching(door.api, "0", Selection("default", "mine")) as watch:
        await door.api.create(kinds.CONFIG_MAPS, config_map("later", labels={"mine": ""}))
        assert told(await watch.take(2)) == [("ADDED", "there"), ("ADDED", "later")]


@on_both_stores
async def test_a_watch_from_before_a_compaction_is_expired(door: Door) -> None:
    """Its client lists again, and watches from there."""
    start = await revision(door.api)
    await door.api.create(kinds.CONFIG_MAPS, config_map())
    await revision(door.api)
    door.forget()
    with pytest.raises(Expired):
        async with watching(door.api, start) as watch:
            await watch.take(1)
    async with watching(door.api, await revision(door.api)):
        pass


@on_both_stores
async def test_a_bookmark_has_a_revision_and_nothing_else(door: Door) -> None:
    """A quiet watch is kept young by it: resumed from there, it tells what follows."""
    start = await revision(door.api)
    async with watching(door.api, start, Selection("default", "nothing=has-this")) as watch:
        await door.api.create(kinds.CONFIG_MAPS, config_map())
        now = int(await revision(door.api))
        door.bookmark()
        batch: list[WatchEvent[Any]] = []
        while not batch:
            batch = await watch.batch()
    assert [(each.type, each.object) for each in batch] == [(EventType.BOOKMARK, None)]
    assert batch[0].revision >= now
    await door.api.create(kinds.CONFIG_MAPS, config_map("b"))
    async with watching(door.api, str(batch[0].revision)) as watch:
        assert told(await watch.take(1)) == [("ADDED", "b")]


async def test_a_watch_ends_after_the_time_it_asked_for(door: Door) -> None:
    """Normally, not with an error: its client resumes it."""
    stream = door.api.watch(kinds.CONFIG_MAPS, resource_version=await revision(door.api), timeout_s=1)
    with taking(at_least_s=0.9, less_than_s=20):
        async for _ in stream:
            pass


async def test_a_closed_connection_is_unavailable(door: Door) -> None:
    """For calls and for watches, running ones too; closing twice is as good as once."""
    start = await revision(door.api)
    async with watching(door.api, start) as running:
        await door.api.aclose()
        await door.api.aclose()
        with pytest.raises(Unavailable):
            await running.take(1)
    with pytest.raises(Unavailable):
        await door.api.list(kinds.CONFIG_MAPS)
    with pytest.raises(Unavailable):
        async with watching(door.api, start):
            pass


@contextlib.asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accept connections and say nothing."""

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await pause(3600, "as long as the test lasts")

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        yield "{}:{}".format(*server.sockets[0].getsockname())


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_every_call_has_a_deadline(served: Served, transport: str) -> None:
    """A server that takes the connection and says nothing costs no more than the caller allows."""
    async with silent_server() as address:
        api = served.connect(transport, address=address)
        with taking(at_least_s=0.25, less_than_s=5), pytest.raises(DeadlineExceeded):
            await api.list(kinds.CONFIG_MAPS, timeout_s=0.3)
        await api.aclose()


async def test_what_a_test_lets_hang_has_its_deadline() -> None:
    """The call before it arrives, the answer after the write: its client cannot tell them apart."""

    async def hang(*_: str) -> None:
        await asyncio.Event().wait()

    async with local_registry() as local:
        api = local.api()
        api.before_call = hang
        with pytest.raises(DeadlineExceeded):
            await api.create(kinds.CONFIG_MAPS, config_map("a"), timeout_s=0.05)
        api.before_call, api.before_reply = None, hang
        with pytest.raises(DeadlineExceeded):
            await api.create(kinds.CONFIG_MAPS, config_map("b"), timeout_s=2)  # in which it has been written
        listing = await api.list(kinds.CONFIG_MAPS, Selection("default"))
    assert [each.metadata.name for each in listing.items] == ["b"]
    assert api.calls == [
        ("create", "configmaps", "a"),
        ("create", "configmaps", "b"),
        ("list", "configmaps", ""),
    ]


async def test_broken_connections_end_watches_and_nothing_else() -> None:
    """Every watch ends with Unavailable; calls go on, and so does a new watch."""
    async with local_registry() as local:
        start = await revision(local.user)
        async with watching(local.user, start) as watch:
            local.break_watches()
            with pytest.raises(Unavailable):
                await watch.take(1)
        await local.user.create(kinds.CONFIG_MAPS, config_map())
        async with watching(local.user, start) as watch:
            assert told(await watch.take(1)) == [("ADDED", "a")]


async def test_a_history_that_is_forgotten_takes_no_object_along() -> None:
    """The lists stay whole; only the way from an old revision is gone."""
    async with local_registry() as local:
        start = await revision(local.user)
        await local.user.create(kinds.CONFIG_MAPS, config_map())
        await local.forget_history()
        with pytest.raises(Expired):
            async with watching(local.user, start) as watch:
                await watch.take(1)
        listing = await local.user.list(kinds.CONFIG_MAPS, Selection("default"))
    assert [each.metadata.name for each in listing.items] == ["a"]


async def test_a_version_says_what_it_serves(door: Door) -> None:
    """With subresources; one that nobody serves is not found."""
    api = door.api
    found = {each.name: each for each in await api.discover("apps", "v1")}
    assert (found["deployments"].kind, found["deployments"].namespaced) == ("Deployment", True)
    assert "watch" in found["deployments"].verbs
    assert found["deployments/scale"].kind == "Scale"
    assert "pods" in {each.name for each in await api.discover("", "v1")}
    for group, version in (("apps", "v7"), ("nothing.example.com", "v1")):
        with pytest.raises(NotFound):
            await api.discover(group, version)

"""One suite for both doors: what the client's interface promises, an apiserver does, over gRPC and over REST."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from apiserver.core.kinds import KINDS
from machinery.client.api import Api
from machinery.model import resources as kinds
from machinery.model.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotBuilt,
    NotFound,
    Unavailable,
)
from machinery.model.k8s.core_v1 import Binding, ConfigMap, Namespace, ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.requests import DeleteOptions, EventType, PatchType, Selection, WatchEvent
from tests.support.apiserver import Served
from tests.support.builders import changed
from tests.support.client_doors import revision, watching
from tests.support.ports import free_ports
from tests.support.streams import closing


def _config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default", labels=labels or {}), data=data)


async def _events(api: Api, start: int, count: int, **options: Any) -> list[WatchEvent[ConfigMap]]:
    found: list[WatchEvent[ConfigMap]] = []
    mine = Selection("default")  # an apiserver writes ConfigMaps of its own into kube-system
    watch = api.watch(kinds.CONFIG_MAPS, mine, resource_version=str(start), **options)
    async with asyncio.timeout(60), closing(watch) as stream:
        async for batch in stream:
            found += batch
            if len([event for event in found if event.object]) >= count:
                break
    return found


async def test_a_new_cluster_has_its_own_objects(api: Api) -> None:
    """Namespaces, and the Service by which pods find the apiserver."""
    found = {each.metadata.name for each in (await api.list(kinds.NAMESPACES)).items}
    assert found == {"default", "kube-node-lease", "kube-public", "kube-system"}
    service = await api.get(kinds.SERVICES, "kubernetes", namespace="default")
    assert (service.spec.clusterIP, [port.port for port in service.spec.ports]) == ("10.96.0.1", [443])
    assert (await api.list(kinds.CLUSTER_ROLES)).items


async def test_an_object_is_created_read_changed_and_deleted(api: Api) -> None:
    """Each reply is the object as it is then."""
    created = await api.create(kinds.CONFIG_MAPS, _config_map("a", key="1"))
    assert created.metadata.uid
    assert await api.get(kinds.CONFIG_MAPS, "a", namespace="default") == created
    replaced = await api.update(kinds.CONFIG_MAPS, changed(created, data={"key": "2"}))
    assert replaced.data == {"key": "2"}
    for kind, patch in (
        (PatchType.MERGE, {"data": {"b": "m"}}),
        (PatchType.STRATEGIC_MERGE, {"data": {"c": "s"}}),
        (PatchType.JSON, [{"op": "remove", "path": "/data/key"}]),
    ):
        patched = await api.patch(kinds.CONFIG_MAPS, "a", patch, namespace="default", kind=kind)
    assert patched.data == {"b": "m", "c": "s"}
    await api.delete(kinds.CONFIG_MAPS, "a", namespace="default")
    with pytest.raises(NotFound, match='configmaps "a" not found'):
        await api.get(kinds.CONFIG_MAPS, "a", namespace="default")


async def test_errors_arrive_as_what_they_are(api: Api) -> None:
    """With the reason, the message, and the fields that are at fault."""
    created = await api.create(kinds.CONFIG_MAPS, _config_map("a"))
    with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
        await api.create(kinds.CONFIG_MAPS, _config_map("a"))
    await api.patch(kinds.CONFIG_MAPS, "a", {"data": {"a": "b"}}, namespace="default")
    with pytest.raises(Conflict, match="the object has been modified"):
        await api.update(kinds.CONFIG_MAPS, created)
    with pytest.raises(Invalid) as refused:
        await api.create(kinds.CONFIG_MAPS, _config_map("Not-A-Name"))
    assert refused.value.causes[0].field == "metadata.name"
    with pytest.raises(BadRequest):
        await api.list(kinds.CONFIG_MAPS, Selection(label_selector="a in ("))
    with pytest.raises(BadRequest, match=r"^field label not supported: spec\.color$"):
        await api.list(kinds.PODS, Selection(field_selector="spec.color=blue"))
    with pytest.raises(BadRequest, match=r"^found '=', expected: ',' or 'end of string'$"):
        await api.list(kinds.PODS, Selection(label_selector="a=b=c"))
    with pytest.raises(BadRequest, match="Incorrect version specified in apply patch"):
        await api.patch(kinds.CONFIG_MAPS, "a", {}, namespace="default", kind=PatchType.APPLY)
    with pytest.raises(Conflict):
        await api.delete(kinds.CONFIG_MAPS, "a", namespace="default", options=DeleteOptions(uid="another"))


async def test_a_kind_that_is_not_built_is_named(api: Api) -> None:
    """Whatever is asked of it; one that nobody knows is not found."""
    candidates = kinds.Resource(
        "coordination.k8s.io", "v1beta1", "leasecandidates", "LeaseCandidate", namespaced=True, type=ConfigMap
    )
    with pytest.raises(NotBuilt, match=r"leasecandidates\.coordination\.k8s\.io .* is not built"):
        await api.list(candidates)
    with pytest.raises(NotBuilt, match=r"leasecandidates\.coordination\.k8s\.io .* is not built"):
        await api.delete(candidates, "a", namespace="default")
    puddings = kinds.Resource("", "v1", "puddings", "Pudding", namespaced=True, type=ConfigMap)
    with pytest.raises(NotFound):
        await api.list(puddings)


async def test_lists_select_and_come_in_pages(api: Api) -> None:
    """The pages of a list are one list."""
    for number in range(5):
        await api.create(kinds.CONFIG_MAPS, _config_map(f"m{number}", {"odd": str(number % 2)}))
    selected = await api.list(kinds.CONFIG_MAPS, Selection("default", "odd=1"))
    assert [each.metadata.name for each in selected.items] == ["m1", "m3"]
    by_name = await api.list(kinds.CONFIG_MAPS, Selection("default", "", "metadata.name=m4"))
    assert [each.metadata.name for each in by_name.items] == ["m4"]
    found, token = [], ""
    while True:
        page = await api.list(kinds.CONFIG_MAPS, Selection("default"), limit=2, continue_=token)
        found += [each.metadata.name for each in page.items]
        token = page.continue_
        if not token:
            break
    assert found == [f"m{number}" for number in range(5)]


async def test_a_watch_tells_what_follows_a_list(api: Api) -> None:
    """Each write once, in order; resumed in the middle, it goes on from there."""
    start = (await api.list(kinds.CONFIG_MAPS)).revision
    await api.create(kinds.CONFIG_MAPS, _config_map("a"))
    await api.patch(kinds.CONFIG_MAPS, "a", {"data": {"k": "v"}}, namespace="default")
    await api.delete(kinds.CONFIG_MAPS, "a", namespace="default")
    events = await _events(api, start, 3)
    assert [event.type for event in events] == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
    assert events[1].object
    assert events[1].object.data == {"k": "v"}
    again = await _events(api, events[0].revision, 2)
    assert [event.revision for event in again] == [event.revision for event in events[1:]]


async def test_a_watch_that_cannot_go_on_is_expired(api: Api, served: Served) -> None:
    """Its client lists again."""
    cache = served.core.feed.cache(KINDS["", "configmaps"])
    await api.create(kinds.CONFIG_MAPS, _config_map("a"))
    await api.list(kinds.CONFIG_MAPS)
    cache.replace([], cache.revision)
    with pytest.raises(Expired):
        await _events(api, 2, 1)


async def test_running_watches_end_when_the_server_drains(api: Api, served: Served) -> None:
    """As a timeout does: the client watches again, elsewhere."""
    async with watching(api, await revision(api)) as watched:
        served.core.feed.end_watches()
        with pytest.raises(StopAsyncIteration):
            await watched.batch()


async def test_subresources_are_posted(api: Api) -> None:
    """A binding answers with a Status, and the pod is bound."""
    pod = msgspec.convert(
        {
            "metadata": {"name": "p", "namespace": "kube-public"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
        kinds.PODS.type,
    )
    account = {"metadata": {"name": "default", "namespace": "kube-public"}}
    await api.create(kinds.SERVICE_ACCOUNTS, msgspec.convert(account, kinds.SERVICE_ACCOUNTS.type))
    await api.create(kinds.PODS, pod)
    binding = Binding(metadata=ObjectMeta(name="p"), target=ObjectReference(kind="Node", name="n"))
    status = await api.post(kinds.PODS, "p", "binding", binding, Status, namespace="kube-public")
    assert status.status == "Success"
    assert (await api.get(kinds.PODS, "p", namespace="kube-public")).spec.nodeName == "n"


async def test_a_namespace_terminates(api: Api) -> None:
    """Deleting it marks it; nothing is created in it any more."""
    await api.create(kinds.NAMESPACES, Namespace(metadata=ObjectMeta(name="team")))
    await api.delete(kinds.NAMESPACES, "team")
    assert (await api.get(kinds.NAMESPACES, "team")).status.phase == "Terminating"


async def test_a_collection_is_deleted(api: Api) -> None:
    """As far as it is selected."""
    for name in ("a", "b"):
        await api.create(kinds.CONFIG_MAPS, _config_map(name, {"name": name}))
    await api.delete_collection(kinds.CONFIG_MAPS, Selection("default", "name=a"))
    left = await api.list(kinds.CONFIG_MAPS, Selection("default"))
    assert [each.metadata.name for each in left.items] == ["b"]


async def test_who_has_no_role_may_do_nothing(nobody: Api) -> None:
    """Both doors refuse alike, and say who may not do what."""
    with pytest.raises(Forbidden) as refused:
        await nobody.list(kinds.CONFIG_MAPS, Selection("default"))
    assert refused.value.message.startswith('configmaps is forbidden: User "nobody" cannot list resource')
    with pytest.raises(Forbidden):
        await nobody.create(kinds.CONFIG_MAPS, _config_map("a"))


async def test_a_component_may_do_what_its_role_says(served: Served) -> None:
    """The scheduler reads pods and may not read secrets."""
    api = served.connect("grpc", "scheduler")
    assert (await api.list(kinds.PODS)).items == []
    with pytest.raises(Forbidden):
        await api.list(kinds.SECRETS)
    await api.aclose()


async def test_a_door_without_a_server_is_unavailable(served: Served) -> None:
    """Nobody answers: the outcome is unknown, and the error says so."""
    closed = f"127.0.0.1:{free_ports(1)[0]}"
    nowhere = replace(served, config=replace(served.config, rest_listen=(closed,), grpc_listen=(closed,)))
    for transport in ("grpc", "rest"):
        api = nowhere.connect(transport)
        with pytest.raises(Unavailable):
            await api.list(kinds.PODS, timeout_s=2)
        await api.aclose()


async def test_options_that_make_no_sense_are_refused(api: Api) -> None:
    """By both doors alike, with the field; nothing is deleted."""
    await api.create(kinds.CONFIG_MAPS, _config_map("a"))
    options = DeleteOptions(propagation_policy="Sideways")
    with pytest.raises(Invalid, match="Sideways") as refused:
        await api.delete(kinds.CONFIG_MAPS, "a", namespace="default", options=options)
    assert [cause.field for cause in refused.value.causes] == ["propagationPolicy"]
    assert await api.get(kinds.CONFIG_MAPS, "a", namespace="default")

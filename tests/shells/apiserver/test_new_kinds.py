"""Kinds that come and go while the apiserver runs: nothing of the product knows them, and everything serves them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from apiserver.storage.etcd import EtcdStorage
from kubarium.identity.pki import Pki
from machinery.client.api import Api
from machinery.model.errors import BadRequest, Conflict, Invalid, NotFound
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import EventType, PatchType
from tests.support.apiserver import Served, serving
from tests.support.etcd_server import etcd_server
from tests.support.requirements import need
from tests.support.rest_door import KUBECTL_TABLE, Client
from tests.support.streams import closing
from tests.support.toy_kinds import GROUP, PATH, PATH_V2, WIDGETS, Widget, widgets, widgets_in_two_versions


@pytest.fixture(params=["memory", pytest.param("etcd", marks=pytest.mark.etcd)])
async def served(request: pytest.FixtureRequest, pki: Pki) -> AsyncIterator[Served]:
    """An apiserver on a store in memory, and on a real etcd."""
    async with _served(request.param, pki) as running:
        yield running


@asynccontextmanager
async def _served(store: str, pki: Pki) -> AsyncIterator[Served]:
    with ExitStack() as stack:
        storage = None
        if store == "etcd":
            need("etcd")
            storage = EtcdStorage([stack.enter_context(etcd_server()).address])
        async with serving(pki, storage) as running:
            yield running
        if storage:
            await storage.aclose()


@pytest.fixture(params=["grpc", "rest"])
async def api(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Api]:
    """The admin's connection over each transport."""
    connection = served.connect(request.param)
    yield connection
    await connection.aclose()


@pytest.fixture
async def admin(client: Client) -> aiohttp.ClientSession:
    """The admin's HTTP session."""
    return client("admin")


def widget(name: str = "w", **spec: Any) -> Widget:
    return Widget(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


async def call(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with session.request(method, path, **options) as response:
        body = await response.read()
        return response.status, json.loads(body) if response.content_type == "application/json" else body


async def test_an_added_kind_is_served(served: Served, api: Api) -> None:
    """Created, read, listed, changed, its status apart from its spec, and deleted; by its schema, with a generation."""
    with pytest.raises(NotFound):
        await api.create(WIDGETS, widget(size=1))
    served.core.catalogue.add(widgets())
    created = await api.create(
        WIDGETS, Widget(metadata=widget().metadata, spec={"size": 1}, status={"a": "b"})
    )
    assert (created.spec, created.status, created.metadata.generation) == ({"size": 1}, {}, 1)
    patched = await api.patch(WIDGETS, "w", {"spec": {"size": 2}}, namespace="default", kind=PatchType.MERGE)
    assert (patched.spec, patched.metadata.generation) == ({"size": 2}, 2)
    told = await api.patch(
        WIDGETS,
        "w",
        {"spec": {"size": 9}, "status": {"phase": "Fun"}},
        namespace="default",
        subresource="status",
    )
    assert (told.spec, told.status, told.metadata.generation) == ({"size": 2}, {"phase": "Fun"}, 2)
    assert [each.spec for each in (await api.list(WIDGETS)).items] == [{"size": 2}]
    with pytest.raises(Conflict):
        await api.update(WIDGETS, created)
    with pytest.raises(BadRequest, match="size"):
        await api.create(WIDGETS, widget("x", size="large"))
    with pytest.raises(Invalid, match=r"metadata\.name"):
        await api.create(WIDGETS, widget("Not-A-Name"))
    await api.delete(WIDGETS, "w", namespace="default")
    with pytest.raises(NotFound, match=f'widgets.{GROUP} "w" not found'):
        await api.get(WIDGETS, "w", namespace="default")


async def test_an_added_kind_finds_what_was_stored_before(served: Served, api: Api) -> None:
    """Objects outlive the time in which their kind is not served; what is written meanwhile is not missed."""
    catalogue, kind = served.core.catalogue, widgets()
    catalogue.add(kind)
    for name in ("a", "b"):
        await api.create(WIDGETS, widget(name, size=1))
    catalogue.remove(kind)
    await served.core.storage.delete("/registry/widgets/default/a", (await _stored(served, "a")).revision)
    catalogue.add(widgets())
    await api.create(WIDGETS, widget("c", size=3))
    listed = await api.list(WIDGETS)
    assert [each.metadata.name for each in listed.items] == ["b", "c"]


async def test_watches_of_a_removed_kind_end_and_say_why(served: Served, api: Api) -> None:
    """Their events come until then; the end is a 404, as every later request's is."""
    kind = widgets()
    served.core.catalogue.add(kind)
    start = (await api.list(WIDGETS)).revision
    await api.create(WIDGETS, widget(size=1))
    told: list[tuple[EventType, str]] = []

    async def follow() -> None:
        async with asyncio.timeout(60), closing(api.watch(WIDGETS, resource_version=str(start))) as stream:
            async for batch in stream:
                told.extend((event.type, event.object.metadata.name) for event in batch if event.object)
                if told:
                    served.core.catalogue.remove(kind)

    with pytest.raises(NotFound):
        await follow()
    assert told == [(EventType.ADDED, "w")]
    with pytest.raises(NotFound):
        await api.list(WIDGETS)


async def test_an_added_kind_is_discovered_explained_and_printed(
    served: Served, admin: aiohttp.ClientSession
) -> None:
    """Both forms of discovery, both of OpenAPI, with new ETags; a table with name and age. All of it goes again."""
    pages = {
        "/apis": {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"},
        "/openapi/v2": {},
        "/openapi/v3": {},
    }

    async def texts() -> dict[str, str]:
        return {page: json.dumps(await call(admin, "GET", page, headers=pages[page])) for page in pages}

    before = await texts()
    assert not any(GROUP in text for text in before.values())
    kind = widgets()
    served.core.catalogue.add(kind)
    assert all(GROUP in text for text in (await texts()).values())
    status, listed = await call(admin, "GET", f"/apis/{GROUP}/v1")
    assert status == 200
    assert [each["name"] for each in listed["resources"]] == ["widgets", "widgets/status"]
    assert (listed["resources"][0]["shortNames"], listed["resources"][0]["categories"]) == (["wd"], ["all"])
    _, document = await call(admin, "GET", f"/openapi/v3/apis/{GROUP}/v1")
    assert document["components"]["schemas"]["com.example.toys.v1.WidgetSpec"]["properties"]["size"]
    assert "com.example.toys.v1.WidgetList" in document["components"]["schemas"]
    assert document["paths"][f"/apis/{GROUP}/v1/widgets"]["get"]["x-kubernetes-action"] == "list"
    assert (await call(admin, "POST", PATH, json={"metadata": {"name": "w"}}))[0] == 201
    _, table = await call(admin, "GET", PATH, headers={"Accept": KUBECTL_TABLE})
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Age"]
    assert [row["cells"][0] for row in table["rows"]] == ["w"]
    served.core.catalogue.remove(kind)
    assert await texts() == before
    assert (await call(admin, "GET", PATH))[0] == 404


async def test_versions_of_a_kind_share_its_storage(served: Served, admin: aiohttp.ClientSession) -> None:
    """What is written in one version is read, listed, patched and watched in the other; stored it is in one."""
    stored, older = widgets_in_two_versions()
    served.core.catalogue.add(stored)
    served.core.catalogue.add(older)
    _, group = await call(admin, "GET", f"/apis/{GROUP}")
    assert (group["preferredVersion"]["version"], len(group["versions"])) == ("v2", 2)
    status, created = await call(admin, "POST", PATH, json={"metadata": {"name": "w"}, "spec": {"size": 1}})
    assert (status, created["apiVersion"], created["spec"]) == (201, f"{GROUP}/v1", {"size": 1})
    assert json.loads((await _stored(served, "w")).value)["spec"] == {"extent": 1}
    _, found = await call(admin, "GET", f"{PATH_V2}/w")
    assert (found["apiVersion"], found["spec"]) == (f"{GROUP}/v2", {"extent": 1})
    headers = {"Content-Type": "application/merge-patch+json"}
    _, patched = await call(admin, "PATCH", f"{PATH}/w", data='{"spec": {"size": 2}}', headers=headers)
    assert (patched["spec"], patched["metadata"]["generation"]) == ({"size": 2}, 2)
    _, listed = await call(admin, "GET", PATH)
    assert (listed["apiVersion"], [each["spec"] for each in listed["items"]]) == (
        f"{GROUP}/v1",
        [{"size": 2}],
    )
    since = created["metadata"]["resourceVersion"]
    for path, spec in ((PATH, {"size": 2}), (PATH_V2, {"extent": 2})):
        async with admin.get(path, params={"watch": "1", "resourceVersion": since}) as watch:
            event = json.loads(await watch.content.readline())
        assert (event["type"], event["object"]["spec"]) == ("MODIFIED", spec)
    served.core.catalogue.remove(older)
    assert (await call(admin, "GET", f"{PATH}/w"))[0] == 404
    assert (await call(admin, "GET", f"{PATH_V2}/w"))[0] == 200


async def _stored(served: Served, name: str) -> Any:
    found = await served.core.storage.get(f"/registry/widgets/default/{name}")
    assert found
    return found

"""The REST door in protobuf, as a client in Go asks for it: objects, lists, watches, errors, discovery."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from google.protobuf.message_factory import GetMessageClass

from apiserver.core.kinds import KINDS
from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import MAGIC, MEDIA_TYPE, META, RUNTIME, message_pool
from tests.support.apiserver import Served
from tests.support.rest_door import config_map

MAPS = "/api/v1/namespaces/default/configmaps"
ACCEPT = {"Accept": f"{MEDIA_TYPE},application/json"}
METADATA = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def read(name: str, data: bytes) -> Any:
    return GetMessageClass(message_pool().FindMessageTypeByName(name)).FromString(data)


def unwrapped(body: bytes) -> tuple[str, bytes]:
    """The kind and the message of an answer."""
    assert body.startswith(MAGIC)
    envelope = read(f"{RUNTIME}.Unknown", body[len(MAGIC) :])
    return envelope.typeMeta.kind, envelope.raw


async def asked(
    session: aiohttp.ClientSession, path: str, accept: str = MEDIA_TYPE
) -> tuple[int, str, bytes]:
    async with session.get(path, headers={"Accept": accept}) as response:
        return response.status, response.headers["Content-Type"], await response.read()


async def test_an_object_and_a_list_say_what_json_says(admin: aiohttp.ClientSession):
    """Also a large list, compressed or not, before and after a change."""
    for number in range(3):
        made = config_map(f"m{number}", x=f"{number}" * 100_000)
        async with admin.post(MAPS, json=made, headers=ACCEPT) as response:
            assert (response.status, response.headers["Content-Type"]) == (201, MEDIA_TYPE)
            assert json.loads(protobuf_to_json(await response.read()))["metadata"]["name"] == f"m{number}"
    _, _, one = await asked(admin, f"{MAPS}/m1")
    _, _, as_json = await asked(admin, f"{MAPS}/m1", "application/json")
    assert json.loads(protobuf_to_json(one)) == json.loads(as_json)
    for _ in range(3):
        status, content_type, body = await asked(admin, MAPS)
        kind, message = unwrapped(body)
        assert (status, content_type, kind) == (200, MEDIA_TYPE, "ConfigMapList")
        found = read("k8s.io.api.core.v1.ConfigMapList", message)
        assert [each.data["x"][:1] for each in found.items] == ["0", "1", "2"]
        async with admin.get(MAPS, headers={**ACCEPT, "Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert await response.read() == body
    async with admin.put(f"{MAPS}/m0", json=config_map("m0", x="9"), headers=ACCEPT) as response:
        assert response.status == 200
    found = read("k8s.io.api.core.v1.ConfigMapList", unwrapped((await asked(admin, MAPS))[2])[1])
    assert [each.data["x"][:1] for each in found.items] == ["9", "1", "2"]


@pytest.mark.parametrize("metadata", ["", METADATA])
async def test_a_watch_is_events_behind_their_lengths(admin: aiohttp.ClientSession, metadata: str):
    """Initial ones, bookmarks and changes; or of each object only its metadata."""
    async with admin.post(MAPS, json=config_map("a", x="1")) as response:
        assert response.status == 201
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    accept = {"Accept": f"{MEDIA_TYPE}{metadata};stream=watch"}
    async with admin.get(f"{MAPS}?{query}", headers=accept) as response:
        assert response.headers["Content-Type"] == f"{MEDIA_TYPE};stream=watch"

        async def event() -> tuple[str, str, Any]:
            size = int.from_bytes(await response.content.readexactly(4), "big")
            found = read(f"{META}.WatchEvent", await response.content.readexactly(size))
            kind, message = unwrapped(found.object.raw)
            name = f"{META}.{kind}" if metadata else f"k8s.io.api.core.v1.{kind}"
            return found.type, kind, read(name, message)

        async with asyncio.timeout(60):
            kind = "PartialObjectMetadata" if metadata else "ConfigMap"
            first, bookmark = await event(), await event()
            assert (first[:2], first[2].metadata.name) == (("ADDED", kind), "a")
            assert "k8s.io/initial-events-end" in bookmark[2].metadata.annotations
            async with admin.delete(f"{MAPS}/a") as deleted:
                assert deleted.status == 200
            assert (await event())[0] == "DELETED"


async def test_an_expired_watch_ends_with_an_error_in_protobuf(admin: aiohttp.ClientSession, served: Served):
    """Among the events, where clients look for it."""
    await asked(admin, MAPS)
    cache = served.core.feed.cache(KINDS["", "configmaps"])
    cache.replace([], cache.revision)
    _, _, body = await asked(admin, f"{MAPS}?watch=1&resourceVersion=1", f"{MEDIA_TYPE};stream=watch")
    event = read(f"{META}.WatchEvent", body[4:])
    status = json.loads(protobuf_to_json(event.object.raw))
    assert (event.type, status["code"], status["reason"]) == ("ERROR", 410, "Expired")


async def test_errors_are_told_in_the_form_that_is_accepted(admin: aiohttp.ClientSession):
    """And in JSON where none is."""
    status, content_type, body = await asked(admin, f"{MAPS}/nobody")
    assert (status, content_type) == (404, MEDIA_TYPE)
    assert json.loads(protobuf_to_json(body))["details"] == {"name": "nobody", "kind": "configmaps"}
    status, content_type, body = await asked(admin, f"{MAPS}/nobody", "application/yaml")
    assert (status, content_type, b"reason: NotFound" in body) == (404, "application/yaml", True)
    table = ";as=Table;g=meta.k8s.io;v=v1"
    for path, accept, told in (
        (MAPS, MEDIA_TYPE + table, "application/json, application/yaml, application/vnd.kubernetes.protobuf"),
        (f"{MAPS}?watch=1", "application/yaml", "application/json;stream=watch"),
        (MAPS, f"application/json{METADATA}", "the requested object is a list (ConfigMapList)"),
    ):
        status, content_type, body = await asked(admin, path, accept)
        form = accept if accept == "application/yaml" else "application/json"
        assert (status, content_type, told in body.decode()) == (406, form, True)


async def test_discovery_is_told_in_protobuf(admin: aiohttp.ClientSession):
    """Groups, resources of a version, and all at once."""
    _, _, body = await asked(admin, "/apis")
    kind, message = unwrapped(body)
    groups = read(f"{META}.{kind}", message)
    assert "apps" in [each.name for each in groups.groups]
    kind, message = unwrapped((await asked(admin, "/apis/apps/v1"))[2])
    found = {each.name: list(each.verbs.items) for each in read(f"{META}.{kind}", message).resources}
    assert "watch" in found["deployments"]
    aggregated = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    _, content_type, body = await asked(admin, "/apis", MEDIA_TYPE + aggregated)
    assert content_type == MEDIA_TYPE + aggregated
    found = read("k8s.io.api.apidiscovery.v2.APIGroupDiscoveryList", unwrapped(body)[1])
    assert [each.metadata.name for each in found.items[:2]] == ["apiregistration.k8s.io", "apps"]


def options(api_version: str, **fields: str) -> bytes:
    """DeleteOptions, as a client in Go writes them: as a type of the group of what it deletes."""
    message = GetMessageClass(message_pool().FindMessageTypeByName(f"{META}.DeleteOptions"))(**fields)
    envelope = read(f"{RUNTIME}.Unknown", b"")
    envelope.typeMeta.apiVersion, envelope.typeMeta.kind = api_version, "DeleteOptions"
    envelope.raw = message.SerializeToString()
    return MAGIC + bytes(envelope.SerializeToString())


@pytest.mark.parametrize("api_version", ["v1", "coordination.k8s.io/v1", "meta.k8s.io/v1"])
@pytest.mark.parametrize("what", ["/a", "?fieldSelector=metadata.name=a"])
async def test_what_a_deletion_wants_may_be_said_in_any_group(
    admin: aiohttp.ClientSession, api_version: str, what: str
):
    """Of one object and of a collection; with `Orphan` it stays until a finalizer has gone."""
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    async with admin.post(path, json={"metadata": {"name": "a"}}) as response:
        assert response.status == 201
    body = options(api_version, propagationPolicy="Orphan")
    async with admin.delete(f"{path}{what}", data=body, headers={"Content-Type": MEDIA_TYPE}) as response:
        assert response.status == 200, await response.text()
    async with admin.get(f"{path}/a") as response:
        assert (await response.json())["metadata"]["finalizers"] == ["orphan"]

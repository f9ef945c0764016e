"""Images that came with credentials, on two nodes that share an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dockershim.docker import Engine
from dockershim.engine_connection import EngineConnection
from dockershim.loading import load
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import SystemClock
from machinery.rpc.status import RpcError
from tests.support.cri_servers import DOCKER, Cri
from tests.support.registry_server import PASSWORD, USER, private_registry

pytestmark = pytest.mark.docker

CREDENTIALS = cri.AuthConfig(username=USER, password=PASSWORD)


@pytest.fixture
async def name(nodes: list[Cri]) -> AsyncIterator[str]:
    """Return the name of an image in a private registry, which is on no node, now and in the end."""
    with private_registry() as found:
        yield found
        for node in nodes:
            await node.images.RemoveImage(
                cri.RemoveImageRequest(image=cri.ImageSpec(image=found)), timeout=20
            )
        for node in nodes:
            assert await _tags(node, found) == []
            assert not [tag for tag in await _all_tags(node) if "credentials" in tag]


async def _pull(node: Cri, name: str, auth: Any = None) -> str:
    request = cri.PullImageRequest(image=cri.ImageSpec(image=name), auth=auth)
    return str((await node.images.PullImage(request, timeout=30)).image_ref)


async def _tags(node: Cri, name: str) -> list[str]:
    """Return the names of an image as a node has them; none where it is not there."""
    request = cri.ImageStatusRequest(image=cri.ImageSpec(image=name))
    return list((await node.images.ImageStatus(request, timeout=20)).image.repo_tags)


async def _all_tags(node: Cri) -> list[str]:
    listed = await node.images.ListImages(cri.ListImagesRequest(), timeout=20)
    return [tag for image in listed.images for tag in image.repo_tags]


async def test_an_image_that_came_with_credentials_is_on_the_nodes_that_have_pulled_it(
    nodes: list[Cri], name: str
):
    """Each by its own credentials; the mark that the engine keeps is shown to nobody."""
    here, there = nodes
    image = await _pull(here, name, CREDENTIALS)
    assert await _tags(here, name) == await _tags(here, image) == [name]
    assert await _tags(there, name) == await _tags(there, image) == []
    assert name in await _all_tags(here)
    assert name not in await _all_tags(there)
    with pytest.raises(RpcError):
        await _pull(there, name)
    assert await _tags(there, name) == []
    assert await _pull(there, name, CREDENTIALS) == image
    assert await _tags(there, name) == [name]
    assert not [tag for tag in [*await _all_tags(here), *await _all_tags(there)] if "credentials" in tag]


async def test_a_node_keeps_what_it_has_pulled_across_a_kill(nodes: list[Cri], name: str):
    """And a node that has pulled nothing still has nothing."""
    await _pull(nodes[0], name, CREDENTIALS)
    for node in nodes:
        node.server.kill()
        node.server.start()
        await node.reach()
    assert [await _tags(node, name) for node in nodes] == [[name], []]


async def test_an_image_that_is_loaded_is_everyones_and_stays_so(nodes: list[Cri], name: str):
    """Credentials for something that every node has make it nobody's own."""
    image = await _pull(nodes[0], name, CREDENTIALS)
    engine = Engine(EngineConnection(DOCKER, SystemClock()))
    try:
        assert await load(engine, name, "") == {"image": name, "id": image}
    finally:
        await engine.aclose()
    assert await _tags(nodes[1], name) == [name]
    await _pull(nodes[0], name, CREDENTIALS)
    assert await _tags(nodes[1], name) == [name]


async def test_several_may_remove_an_image_at_once(nodes: list[Cri], name: str):
    """All of them are told that it is gone, from whatever node they ask."""
    for _ in range(5):
        image = await _pull(nodes[0], name, CREDENTIALS)
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=name))
        by_id = cri.RemoveImageRequest(image=cri.ImageSpec(image=image))
        await asyncio.gather(
            *(
                node.images.RemoveImage(each, timeout=30)
                for node in nodes
                for each in (request, by_id, request)
            )
        )
        assert await _tags(nodes[0], image) == []

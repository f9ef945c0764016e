"""Which images of a shared engine a node may remove as garbage: those that it has brought, and that nobody has named."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from machinery.pb import cri_pb2 as cri
from tests.support.cri_servers import Cri
from tests.support.registry_server import PASSWORD, USER, private_registry

pytestmark = pytest.mark.docker

CREDENTIALS = cri.AuthConfig(username=USER, password=PASSWORD)
OWN = "kubarium-test/named-by-somebody:1"


@pytest.fixture
def name() -> Iterator[str]:
    """Return the name of an image in a registry, which is not on the engine, now and in the end."""
    with private_registry() as found:
        yield found
        for left in (OWN, found):
            _docker("rmi", "--force", left, is_checked=False)


def _docker(*arguments: str, is_checked: bool = True) -> None:
    subprocess.run(["docker", *arguments], check=is_checked, capture_output=True, timeout=60)


async def _pull(node: Cri, name: str) -> str:
    request = cri.PullImageRequest(image=cri.ImageSpec(image=name), auth=CREDENTIALS)
    return str((await node.images.PullImage(request, timeout=60)).image_ref)


async def _is_pinned(node: Cri, image_id: str) -> bool:
    listed = await node.images.ListImages(cri.ListImagesRequest(), timeout=20)
    [pinned] = [each.pinned for each in listed.images if each.id == image_id]
    one = await node.images.ImageStatus(
        cri.ImageStatusRequest(image=cri.ImageSpec(image=image_id)), timeout=20
    )
    assert one.image.pinned == pinned
    return pinned


async def _remove(node: Cri, name: str) -> None:
    await node.images.RemoveImage(cri.RemoveImageRequest(image=cri.ImageSpec(image=name)), timeout=30)


async def test_an_image_belongs_to_the_node_that_brought_it(nodes: list[Cri], name: str):
    """Not to one that pulled it later; also after a kill. Pulled again it is still the first one's."""
    here, there = nodes
    image = await _pull(here, name)
    assert await _pull(there, name) == image
    assert [await _is_pinned(each, image) for each in (here, there)] == [False, True]
    here.server.kill()
    here.server.start()
    await here.reach()
    assert not await _is_pinned(here, image)
    await _pull(here, name)
    assert not await _is_pinned(here, image)
    await _remove(here, name)


async def test_an_image_that_somebody_has_named_is_kept_for_them(nodes: list[Cri], name: str):
    """Until they remove their name again."""
    image = await _pull(nodes[0], name)
    _docker("tag", image, OWN)
    assert await _is_pinned(nodes[0], image)
    _docker("rmi", OWN)
    assert not await _is_pinned(nodes[0], image)
    await _remove(nodes[0], name)


async def test_an_image_that_was_here_before_is_never_the_node_s(nodes: list[Cri], name: str):
    """Nor one that was removed and brought again by somebody else."""
    image = await _pull(nodes[1], name)
    await _pull(nodes[0], name)
    assert await _is_pinned(nodes[0], image)
    await _remove(nodes[0], name)
    await _pull(nodes[0], name)
    assert not await _is_pinned(nodes[0], image)
    _docker("rmi", "--force", image)
    await nodes[0].images.ListImages(cri.ListImagesRequest(), timeout=20)
    await _pull(nodes[1], name)
    await _pull(nodes[0], name)
    assert await _is_pinned(nodes[0], image)
    await _remove(nodes[0], name)


async def test_what_nobody_has_pulled_is_pinned(nodes: list[Cri]):
    """The user's own images, and what the sandboxes run."""
    listed = await nodes[0].images.ListImages(cri.ListImagesRequest(), timeout=20)
    assert listed.images
    assert all(each.pinned for each in listed.images)

"""Images that containers mount: what is in them, read-only, shared, and gone when nobody has them any more."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Iterator

import docker
import pytest

from machinery.pb import cri_pb2 as cri
from machinery.rpc.status import RpcError
from tests.support.cri_servers import Behaviour, Cri
from tests.support.waiting import until

pytestmark = pytest.mark.docker

NAME = "kubarium-test/data"
DATA = f"{NAME}:1"


@pytest.fixture(scope="module")
def data(dockershim: object) -> Iterator[str]:
    """An image that is nothing but files: one can be executed, two are links that lead out of it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text, mode in (
            ("top", "of the image", 0o644),
            ("models/small/weights", "1 2 3", 0o640),
            ("models/run", "#!/bin/sh\necho ran\n", 0o755),
        ):
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.uid, info.gid = len(text), mode, 1234, 5678
            tar.addfile(info, io.BytesIO(text.encode()))
        for name, target in (("out", "/srv"), ("models/passwd", "../../../../etc/passwd")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    client = docker.from_env()
    client.api.import_image_from_data(archive.getvalue(), repository=NAME, tag="1")
    yield DATA
    client.images.remove(DATA)
    client.close()


def mount(path: str, sub_path: str = "") -> cri.Mount:
    return cri.Mount(
        container_path=path, readonly=True, image=cri.ImageSpec(image=DATA), image_sub_path=sub_path
    )


def folders(shim: Cri) -> list[str]:
    place = shim.server.folder / "state" / "image-volumes"
    return [each.name for each in place.iterdir()] if place.exists() else []


async def test_containers_read_what_an_image_has_and_can_neither_write_nor_start_it(
    shim: Cri, data: str
) -> None:
    """With its owners and modes; links lead where they lead in the container."""
    script = """
        exec 2>&1; ls -A /all
        cat /all/top; echo; cat /small/weights; echo; stat -c '%u:%g %a' /small/weights
        touch /all/new; /all/models/run; ls -a /small; readlink /all/out
        grep -c ' /all ro,nosuid,nodev,noexec' /proc/self/mountinfo
    """
    mounts = [mount("/all"), mount("/small", "models//small/.")]
    _, container = await shim.run(Behaviour(script), mounts=mounts)
    await shim.ended(container)
    lines = [line.split(" ", 3)[3] for line in await shim.log_lines(container)]
    assert lines[:3] == ["models", "out", "top"]
    assert lines[3:6] == ["of the image", "1 2 3", "1234:5678 640"]
    assert "Read-only file system" in lines[6]
    assert "Permission denied" in lines[7]
    assert lines[8:] == [".", "..", "weights", "/srv", "1"]


async def test_an_image_is_unpacked_once_and_goes_with_its_last_container(shim: Cri, data: str) -> None:
    """Many at once; after a kill of the server as well."""
    sandbox = await shim.run_sandbox()
    first, second = await asyncio.gather(
        shim.create(sandbox, name="a", mounts=[mount("/data")]),
        shim.create(sandbox, name="b", mounts=[mount("/data")]),
    )
    await shim.call("StartContainer", container_id=first)
    assert len(folders(shim)) == 1
    await shim.call("RemoveContainer", container_id=first)
    assert len(folders(shim)) == 1
    client = docker.from_env()
    ours = {"label": ["kubarium.kind=imagevolume", f"kubarium.cluster={shim.server.cluster}"]}
    assert not client.containers.list(all=True, filters=ours, ignore_removed=True)
    shim.server.kill()
    shim.server.start()
    await shim.call("StartContainer", container_id=second)
    await shim.call("RemoveContainer", container_id=second)
    await until(lambda: not folders(shim))
    folder = str(shim.server.folder)
    assert not [each for each in client.volumes.list() if folder in str(each.attrs.get("Options"))]
    client.close()


@pytest.mark.parametrize(
    ("sub_path", "said"),
    [
        ("models/large", 'no folder "models/large"'),
        ("top", 'no folder "top"'),
        ("../etc", "has to lie within the image"),
        ("/models", "has to lie within the image"),
    ],
)
async def test_what_an_image_does_not_have_cannot_be_mounted(
    shim: Cri, data: str, sub_path: str, said: str
) -> None:
    """No folder is left; a link is followed within the image, and never leads to the machine's files."""
    with pytest.raises(RpcError, match=said):
        await shim.create(await shim.run_sandbox(), mounts=[mount("/data", sub_path)])
    assert not folders(shim)


async def test_a_link_as_sub_path_stays_in_the_image(shim: Cri, data: str) -> None:
    """It names the image's own /srv, which is not there."""
    with pytest.raises(RpcError, match=r"no folder"):
        await shim.create(await shim.run_sandbox(), mounts=[mount("/data", "out")])

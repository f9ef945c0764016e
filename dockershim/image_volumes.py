"""The contents of images as folders, for containers that mount an image as a volume.

The engine (API 1.41) cannot mount an image. So what an image has, or the part of it that is wanted, is unpacked into a
folder of the node's state, once for all its containers, and mounted read-only, without programs that can be started, by
a volume of the engine that goes with its container. A folder that no container has any more is removed.

    <state>/image-volumes/<key>/    the key says which image, and which part of it

An image's own folders dev, etc, proc and sys are left out where they are empty: the engine makes such ones in every
container, and does not say whether the image has them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from dockershim.catalogue import Catalogue, labels_of
from dockershim.core import naming
from dockershim.core.image_mounts import clean_sub_path, key_of, keys_in, of_the_engine
from dockershim.docker import Engine
from dockershim.locks import Locks
from machinery.model.errors import ApiError, BadRequest, Conflict, InternalError, NotFound
from machinery.model.log import EventLog
from machinery.process.trees import remove_tree


class ImageVolumes:
    """The folders of one node."""

    def __init__(self, engine: Engine, catalogue: Catalogue, folder: Path, log: EventLog) -> None:
        self._engine = engine
        self._catalogue = catalogue
        self._folder = folder
        self._log = log
        self._locks = Locks()
        self._wanted: Counter[str] = Counter()  # keys of containers that are being created

    @asynccontextmanager
    async def unpacked(self, mounts: Iterable[Any]) -> AsyncIterator[Mapping[str, str]]:
        """Have what a container mounts of images; yield the folder of each by its path in the container.

        While inside none of them is removed: create the container there.

        Raises:
            BadRequest: an image does not have what is to be mounted.
            NotFound: an image is not here.
        """
        folders: dict[str, str] = {}
        keys: list[str] = []
        try:
            for mount in mounts:
                if mount.image.image:
                    image = await self._engine.image(mount.image.image)
                    sub_path = clean_sub_path(mount.image_sub_path)
                    keys.append(key := key_of(image["Id"], sub_path))
                    self._wanted[key] += 1
                    async with self._locks.held(key):
                        await self._ensure(image["Id"], sub_path, key)
                    folders[mount.container_path] = str(self._folder / key)
            yield folders
        finally:
            self._wanted.subtract(keys)

    async def sweep(self) -> None:
        """Remove the folders that no container has.

        Raises:
            ApiError: the engine does not answer.
        """
        known = self._known()
        if not known:
            return
        summaries = await self._catalogue.summaries(naming.KIND_CONTAINER)
        used = {key for each in summaries for key in keys_in(labels_of(each))}
        for name in known - used:
            key = name.removesuffix(".new")
            async with self._locks.held(key):
                if not self._wanted[key]:
                    await asyncio.to_thread(remove_tree, self._folder / name)

    def _known(self) -> set[str]:
        with suppress(FileNotFoundError):
            return {each.name for each in self._folder.iterdir()}
        return set()

    async def _ensure(self, image_id: str, sub_path: str, key: str) -> None:
        place = self._folder / key
        if place.exists():
            return
        fresh = place.with_suffix(".new")
        if fresh.exists():  # of one that was killed
            await asyncio.to_thread(remove_tree, fresh)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.mkdir()
        await self._unpack(image_id, sub_path, key, fresh)
        fresh.rename(place)
        self._log.info("image_unpacked", image=image_id, sub_path=sub_path, folder=place)

    async def _unpack(self, image_id: str, sub_path: str, key: str, folder: Path) -> None:
        """Make a container of the image, which never runs, and copy its files."""
        name = f"k8s_image-volume_{self._catalogue.scope.cluster}_{self._catalogue.scope.node}_{key}"
        body = {
            "Image": image_id,
            "Cmd": ["-"],  # an image of data names no program
            "Labels": naming.image_volume_labels(self._catalogue.scope),
            "HostConfig": {"NetworkMode": "none"},
        }
        with suppress(NotFound):  # what one left that was killed
            await self._engine.remove(name)
        container_id = await self._engine.create(name, body)
        try:
            async with self._files(container_id, sub_path) as pieces:
                await _extract(pieces, folder)
            await asyncio.to_thread(_leave_to_image, folder, sub_path)
        except ApiError:
            await asyncio.to_thread(remove_tree, folder)
            raise
        finally:
            with suppress(NotFound, Conflict):
                await self._engine.remove(container_id)

    @asynccontextmanager
    async def _files(self, container_id: str, sub_path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        async with AsyncExitStack() as stack:
            try:
                archive = self._engine.archive(container_id, f"/{sub_path}/.")
                pieces = await stack.enter_async_context(archive)
            except (NotFound, BadRequest, InternalError) as error:  # of a file the engine says InternalError
                raise BadRequest(f'the image has no folder "{sub_path}" to mount: {error.message}') from error
            yield pieces


def _leave_to_image(folder: Path, sub_path: str) -> None:
    """Remove what is of the engine and not of the image: where it is empty, since that cannot be told apart."""
    for name in of_the_engine(sub_path):
        place = folder / name
        if place.parent.is_symlink():
            continue
        with suppress(OSError):  # it is not there, or not empty
            if place.is_symlink():
                if place.readlink() == Path("/proc/mounts"):
                    place.unlink()
            elif place.is_dir():
                place.rmdir()
            elif not place.stat().st_size:
                place.unlink()


async def _extract(pieces: AsyncIterator[bytes], folder: Path) -> None:
    """Unpack an archive as it comes, with its owners; names that lead out of the folder are refused by tar.

    Raises:
        InternalError: it cannot be unpacked, and why.
    """
    options = ("--extract", "--numeric-owner", "--same-owner", "--same-permissions")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "tar",
        *options,
        "--directory",
        str(folder),
        stdin=pipe,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=pipe,
    )
    assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 - they were asked for
    said = asyncio.ensure_future(process.stderr.read())
    try:
        with suppress(ConnectionError):  # it has ended, and said why
            async for piece in pieces:
                process.stdin.write(piece)
                await process.stdin.drain()
            process.stdin.close()
        if await process.wait():
            raise InternalError(
                f"the image cannot be unpacked: {(await said).decode(errors='replace').strip()}"
            )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.gather(said, return_exceptions=True)

"""`python -m dockershim --load [--registry=localhost:5001]`: see to it that images are where a node's pods find them.

The images are named on standard input, a line each: by their names in the engine's store, or as archives of `docker save`. All
nodes share the engine, so what it has each node has. A pull (`imagePullPolicy: Always`, the default of `:latest`) asks a
registry all the same: with --registry each image is pushed there, under the name that a pod then uses. What was done is
written on standard output, a JSON object a line; nothing is claimed that the engine or the registry did not confirm.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Sequence

from dockershim.config import DockershimConfig
from dockershim.core.images import PRIVATE, in_registry, is_archive, is_private, private_tag, split_reference
from dockershim.docker import Engine
from dockershim.engine_connection import EngineConnection
from machinery.model.errors import ApiError, BadRequest, NotFound
from machinery.process.clock import SystemClock
from machinery.process.config import parse


def load_command(argv: Sequence[str]) -> int:
    """Load what standard input names; return the exit code."""
    config = parse(DockershimConfig, argv)
    try:
        asyncio.run(_load_all(config.docker_socket, sys.stdin.read().splitlines(), config.registry))
    except ApiError as error:
        print(f"dockershim: {error.message}", file=sys.stderr)  # noqa: T201 - a command speaks on stderr
        return 1
    return 0


async def _load_all(docker_socket: str, wanted: Iterable[str], registry: str) -> None:
    engine = Engine(EngineConnection(docker_socket, SystemClock()))
    try:
        for each in wanted:
            async for image in _names(engine, each):
                done = await load(engine, image, registry)
                print(json.dumps(done), flush=True)  # noqa: T201 - the answer to whoever started the command
    finally:
        await engine.aclose()


async def _names(engine: Engine, wanted: str) -> AsyncIterator[str]:
    """List the images that an argument means: those in an archive, or the one of that name."""
    if not is_archive(wanted):
        yield wanted
        return
    try:
        with open(wanted, "rb") as archive:  # noqa: ASYNC230, PTH123 - a command that does nothing beside
            names = await engine.load(archive)
    except OSError as error:
        raise NotFound(f"{wanted}: {error.strerror or error}") from error
    for name in names:
        yield name


async def load(engine: Engine, image: str, registry: str) -> dict[str, str]:
    """Look an image up, push it where there is a registry, and return what was found: image, id, and pushed, digest.

    An image that a node's credentials have pulled is then on every node, for every pod, as any other.

    Raises:
        NotFound: the engine does not have it.
        BadRequest: it is no name, or one that cannot be pushed.
        ApiError: the engine or the registry refuses.
    """
    try:
        found = await engine.image(image)
    except NotFound as error:
        raise NotFound(
            f"the engine has no image {image!r}: `docker build -t {image} …`, `docker pull {image}` or an archive"
            " (`docker save`) brings it there"
        ) from error
    if is_private(found):  # it is for everyone now
        await engine.remove_image(f"{PRIVATE}:{private_tag(found['Id'])}")
    done = {"image": image, "id": str(found["Id"])}
    if not registry:
        return done
    try:
        target = in_registry(image, registry)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    repository, tag = split_reference(target)
    if target != image:
        await engine.tag(image, repository, tag)
    return {**done, "pushed": target, "digest": await engine.push(repository, tag)}

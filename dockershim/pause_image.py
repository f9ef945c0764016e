"""The sandbox's image, made here at first need: one program of a few hundred bytes, nothing to pull."""

from __future__ import annotations

import io
import tarfile

from dockershim.core.images import PAUSE_IMAGE, split_reference
from dockershim.core.pause_program import pause_program
from dockershim.docker import Engine
from machinery.model.errors import NotImplementedHere


async def make_pause_image(engine: Engine) -> None:
    """Import the image into the engine, under `PAUSE_IMAGE`.

    Raises:
        NotImplementedHere: the engine's machine is of a kind that the program is not written for.
        InternalError: the engine cannot keep it.
    """
    architecture = str((await engine.version())["Arch"])
    try:
        program = pause_program(architecture)
    except KeyError:
        raise NotImplementedHere(f"there is no sandbox program for {architecture} machines") from None
    await engine.import_image(*split_reference(PAUSE_IMAGE), _archive(program), ['ENTRYPOINT ["/pause"]'])


def _archive(program: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, mode in (("pause", program, 0o755), ("netns", b"", 0o444)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()

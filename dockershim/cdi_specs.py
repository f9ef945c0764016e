"""The spec files of the Container Device Interface, read when a container asks for such a device."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from dockershim.core.cdi import Edits, SpecFile, edits_for

_LARGEST: Final = 4 * 1024 * 1024  # bytes


async def edits_of(names: Sequence[str], folders: Sequence[str]) -> Edits:
    """Return what some devices bring, by the specs in some folders: those of a later one count before those of an earlier.

    Raises:
        BadRequest: a device is not there.
        NotImplementedHere: it brings what the engine cannot do.
    """
    if not names:
        return Edits()
    files = await asyncio.to_thread(lambda: list(_files(folders)))
    return edits_for(names, files)


def _files(folders: Sequence[str]) -> Iterator[SpecFile]:
    for rank, folder in enumerate(folders):
        try:
            paths = sorted(each for each in Path(folder).iterdir() if each.suffix in {".json", ".yaml"})
        except OSError:
            continue  # most nodes have no such folder
        for path in paths:
            try:
                yield SpecFile(str(path), rank, _read(path))
            except (OSError, ValueError) as error:
                yield SpecFile(str(path), rank, None, problem=str(error))


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"has more than {_LARGEST} bytes")
    if path.suffix == ".json":
        return json.loads(data)
    import yaml  # seldom needed

    try:
        return yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error

"""Finds the node's CNI configuration, anew for each pod: a user may put another file there at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dockershim.core.cni_conf import BUILT_IN, DEFAULT, ConfError, NetworkConf, read_conf

_ENDINGS: Final = (".conf", ".conflist", ".json")


def current_conf(folders: Sequence[str], otherwise: str, known: Mapping[str, Any]) -> NetworkConf:
    """Read the first file, by its name, of the first folder that has any, else the file `otherwise`; "" is the built-in configuration.

    Raises:
        ConfError: the file cannot be read or describes no network; the message names file and field.
    """
    file = next((found for folder in folders if (found := _first(Path(folder)))), None)
    if file is None and not otherwise:
        return read_conf(DEFAULT, BUILT_IN, known)
    return read_file(file or Path(otherwise), known)


def read_file(file: Path, known: Mapping[str, Any]) -> NetworkConf:
    """Read a file.

    Raises:
        ConfError: as `current_conf`.
    """
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfError(str(file), "", f"cannot be read: {error}") from error
    return read_conf(text, str(file), known)


def _first(folder: Path) -> Path | None:
    try:
        return min((each for each in folder.iterdir() if each.suffix in _ENDINGS), default=None)
    except OSError:  # it is not there
        return None

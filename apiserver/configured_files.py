"""The files that an administrator configures the apiserver with (`apiserver.core.configured`): YAML or JSON, of 3 MiB at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from apiserver.core.configured.documents import BadDocument

_LONGEST: Final = 3 * 1024 * 1024  # bytes


def read_document(path: str) -> Any:
    """Read a file.

    Raises:
        BadDocument: it is neither YAML nor JSON, or too long.
        OSError: it cannot be read.
    """
    import yaml

    text = Path(path).read_bytes()
    if len(text) > _LONGEST:
        raise BadDocument(f"{path}: {len(text)} bytes; {_LONGEST} at most are read")
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadDocument(f"{path}: {error}") from error


def beside(path: str) -> Callable[[str], Any]:
    """Return what reads the files that one names, relative to it."""
    return lambda named: read_document(str(Path(path).parent / named))

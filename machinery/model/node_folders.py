"""Folders of a node that are volumes: what their provisioner asks a kubelet for, and how that answers.

The kubelet's page /localVolumes says in which folder they are; /localVolumes/NAME is one of them: POST makes it, DELETE
removes it with all that is in it. Both are idempotent. The names are those of the PersistentVolumes.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from machinery.model.names import dns_subdomain_errors

FOLDERS: Final = "localVolumes"  # the page


class Folders(msgspec.Struct, frozen=True, kw_only=True):
    """Which folders a node has."""

    root: str  # absolute, on the node
    names: list[str]


def folder_path(name: str) -> str:
    """Return the path of one folder's page."""
    return f"{FOLDERS}/{name}"


def folder_of(path: str) -> str:
    """Return the name of the folder that one of these pages is about, "" for all of them.

    Raises:
        ValueError: no volume can have this name.
    """
    name = path.strip("/").removeprefix(FOLDERS).removeprefix("/")
    if name and dns_subdomain_errors(name):
        raise ValueError(f'"{name}" is no name of a PersistentVolume')
    return name


def read_root(answer: Any) -> str:
    """Return the folder in which a node has its volumes, from its page.

    Raises:
        ValueError: this is no answer of a kubelet of ours.
    """
    return msgspec.convert(answer, Folders).root  # its ValidationError is a ValueError

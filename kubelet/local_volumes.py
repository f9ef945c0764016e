"""The folders of a node that are volumes: they outlive pods, kubelets and the cluster's restarts, and end with the machine.

Who asks for them is the provisioner, through the apiserver and the kubelet's pages (`machinery.model.node_folders`); a pod
has one through its PersistentVolume, of the kind `local`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from machinery.model.node_folders import Folders
from machinery.process.trees import remove_tree

_UNFINISHED: Final = "~"  # at the end of a folder's name before it has its mode: no volume has such a name
_FREE_FOR_ALL: Final = 0o777  # whatever user a pod's processes are: the folder is as an emptyDir


class LocalVolumes:
    """The folders below one folder of the kubelet's own. Every method may block."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def all(self) -> Folders:
        """Return where the folders are, and which there are."""
        found = self._root.iterdir() if self._root.is_dir() else ()
        names = sorted(each.name for each in found if not each.name.endswith(_UNFINISHED))
        return Folders(root=str(self._root), names=names)

    def make(self, name: str) -> None:
        """Make a folder; one that is there stays as it is.

        Raises:
            OSError: it cannot be made.
        """
        folder = self._root / name
        if folder.is_dir():
            return
        fresh = self._root / f"{name}{_UNFINISHED}"
        fresh.mkdir(parents=True, exist_ok=True)
        fresh.chmod(_FREE_FOR_ALL)
        fresh.rename(folder)
        self._persist()

    def remove(self, name: str) -> None:
        """Remove a folder, and all that is in it; none is as good.

        Raises:
            OSError: something in it cannot be removed.
        """
        for folder in (self._root / name, self._root / f"{name}{_UNFINISHED}"):
            remove_tree(folder)
        if self._root.is_dir():
            self._persist()

    def _persist(self) -> None:
        """Have the disk know which folders there are before anybody is told."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Kubelets as far as they have folders that are volumes, in memory."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from machinery.model.errors import MethodNotSupported, Unavailable
from machinery.model.node_folders import Folders, folder_of


class FolderNodes:
    """Answers the pages of `machinery.model.node_folders`. Implements `apiserver.services.resources.NodePages`."""

    def __init__(self) -> None:
        self.folders: dict[str, set[str]] = defaultdict(set)  # by node
        self.silent: set[str] = set()  # nodes that do not answer

    async def page(self, node: str, method: str, path: str) -> bytes:
        """Answer as the kubelet of a node does."""
        if node in self.silent:
            raise Unavailable(f'the kubelet of node "{node}" does not answer')
        name, folders = folder_of(path), self.folders[node]
        match method:
            case "POST":
                folders.add(name)
            case "DELETE":
                folders.discard(name)
            case "GET":
                pass
            case _:
                raise MethodNotSupported(method)
        return msgspec.json.encode(Folders(root=f"/var/lib/{node}/local-volumes", names=sorted(folders)))

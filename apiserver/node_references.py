"""What the pods of a node refer to, for the Node authorizer: read from the watch cache, pod by pod, as they change."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from apiserver.core.authz import node
from apiserver.core.kind import Kind
from apiserver.lookup import own_request
from apiserver.registry.reads import Reads
from apiserver.request import ListOptions

Known: TypeAlias = dict[tuple[str, int], node.References]
"""What pods refer to, by uid and revision."""


class NodeReferences:
    """The references of all nodes that have been asked for."""

    def __init__(self, reads: Reads, pods: Kind) -> None:
        self._pods = pods
        self._reads = reads
        self._known: dict[str, Known] = {}  # by node

    async def of(self, name: str) -> node.References:
        """Return what the pods that are bound to a node refer to."""
        selection = ListOptions(field_selector=f"spec.nodeName={name}", resource_version="0")
        listed = await self._reads.list(self._pods, own_request("list", self._pods, selection=selection))
        before = self._known.get(name, {})
        known: Known = {}
        for item in listed.items:
            key = (item.uid, item.revision)
            known[key] = before.get(key) or frozenset(node.references_of(msgspec.json.decode(item.json)))
        self._known[name] = known
        return frozenset().union(*known.values())

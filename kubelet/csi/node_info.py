"""What the cluster knows of a node's CSI drivers: the object CSINode, an annotation and labels of the Node.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-node-v1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kubelet.core import csi_nodes
from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, Conflict, NotFound
from machinery.model.insist import insist
from machinery.model.k8s.core_v1 import Node
from machinery.model.resources import CSI_NODES, NODES

if TYPE_CHECKING:
    from machinery.wire.csi import messages

_AGAIN: Final = Backoff(0.01, 1.0, 5.0)  # wall seconds, after somebody else has written
_ATTEMPTS: Final = 4


class NodeInfo:
    """Tells the cluster of the drivers of one node."""

    def __init__(self, api: Api, node: str, clock: Clock) -> None:
        self._api = api
        self._node = node
        self._clock = clock

    async def ensure(self, node: Node) -> None:
        """Have the CSINode of a node, without drivers.

        Raises:
            ApiError: it could not be made.
        """
        fresh = csi_nodes.new_csi_node(node)
        try:
            found = await self._api.get(CSI_NODES, self._node)
        except NotFound:
            try:
                await self._api.create(CSI_NODES, fresh)
            except AlreadyExists:
                return
        else:
            if not csi_nodes.is_of(found, node):
                await self._api.delete(CSI_NODES, self._node)  # that of a node of this name before
                await self._api.create(CSI_NODES, fresh)

    async def install(self, driver: str, info: messages.NodeGetInfoResponse) -> None:
        """Note a driver, and what the node is to it.

        Raises:
            ValueError: the node's labels say something else than the driver.
            ApiError: it could not be written.
        """
        topology = dict(info.accessible_topology.segments)
        node = await self._api.get(NODES, self._node)
        patch = csi_nodes.node_patch(node, driver, info.node_id, topology)
        if patch:
            await self._api.patch(NODES, self._node, {"metadata": patch})
        fresh = csi_nodes.driver_entry(driver, info.node_id, info.max_volumes_per_node, topology)
        await self._change(lambda found: csi_nodes.with_driver(found, fresh), node)

    async def uninstall(self, driver: str) -> None:
        """Forget a driver.

        Raises:
            ApiError: it could not be written.
        """
        node = await self._api.get(NODES, self._node)
        await self._change(lambda found: csi_nodes.without_driver(found, driver), node)
        if patch := csi_nodes.node_patch(node, driver, "", {}):
            await self._api.patch(NODES, self._node, {"metadata": patch})

    async def _change(self, change: csi_nodes.Change, node: Node) -> None:
        async def attempt() -> None:
            try:
                found = await self._api.get(CSI_NODES, self._node)
            except NotFound:
                found = await self._api.create(CSI_NODES, csi_nodes.new_csi_node(node))
            if (changed := change(found)) != found:
                await self._api.update(CSI_NODES, changed)

        await insist(attempt, self._clock, _AGAIN, on=Conflict, attempts=_ATTEMPTS)

"""What other people's programs do on a node, put together: CSI and device drivers, and how they make themselves known."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kubelet.csi import CsiDrivers, CsiVolumes
from kubelet.csi.drivers import PLUGIN_TYPE as CSI_PLUGIN
from kubelet.csi.node_info import NodeInfo
from kubelet.devices import DeviceClaims, Drivers
from kubelet.devices.drivers import TYPE as DEVICE_PLUGIN
from kubelet.node import Node
from kubelet.plugins import PluginRegistry
from kubelet.referenced_objects import ReferencedObjects
from kubelet.volumes.sources import Sources
from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.insist import insist, tell_first
from machinery.model.log import EventLog

_TELL_AGAIN: Final = Backoff(initial_s=0.1, cap_s=10.0)  # wall seconds


class NodePlugins:
    """The volumes of CSI drivers, the devices of claims, and the registry of those who provide them."""

    def __init__(
        self,
        api: Api,
        root: Path,
        node: Node,
        node_name: str,
        objects: ReferencedObjects,
        events: EventRecorder,
        clock: Clock,
        log: EventLog,
        *,
        makes_tokens: bool = True,
    ) -> None:
        self._node = node
        self._clock = clock
        self._log = log
        self._info = NodeInfo(api, node_name, clock)
        csi_drivers, device_drivers = CsiDrivers(self._info, str(root), clock), Drivers(root, clock)
        self.sources = Sources(api, objects, clock, makes_tokens=makes_tokens)
        self.volumes = CsiVolumes(
            api, csi_drivers, self.sources, root, node_name, clock, node=node.own, on_use=node.pulse
        )
        node.subscribe(self.volumes.node_changed)
        self.device_claims = DeviceClaims(api, root, device_drivers, events, log)
        self._registry = PluginRegistry(
            root, {CSI_PLUGIN: csi_drivers, DEVICE_PLUGIN: device_drivers}, clock, log
        )

    async def run(self, *, is_watched: bool) -> None:
        """Serve plugins as they come and go until cancelled, as `PluginRegistry.run` does."""
        await self._registry.run(is_watched=is_watched)

    async def ensure_csi_node(self) -> None:
        """Have the node's CSINode, however long it takes."""
        if (node := self._node.own()) is not None:
            told = tell_first(self._log.warning, "csi_node_not_made", every=20)
            await insist(lambda: self._info.ensure(node), self._clock, _TELL_AGAIN, told)

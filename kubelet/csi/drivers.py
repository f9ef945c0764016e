"""The CSI drivers that have registered on this node: what takes plugins of the type CSIPlugin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from kubelet.core.csi import version_problem
from kubelet.core.plugins import Plugin
from kubelet.csi.node_info import NodeInfo
from kubelet.plugins import PluginRefused
from machinery.model.clock import Clock

if TYPE_CHECKING:
    from kubelet.csi.driver import CsiDriver

PLUGIN_TYPE: Final = "CSIPlugin"


class CsiDrivers:
    """The drivers of a node, by their names. Implements `kubelet.plugins.PluginHandler`."""

    def __init__(self, info: NodeInfo, root: str, clock: Clock) -> None:
        self._info = info
        self._root = root
        self._clock = clock
        self._drivers: dict[str, CsiDriver] = {}
        self._writing = asyncio.Lock()  # of what the cluster knows: one driver after the other

    def get(self, name: str) -> CsiDriver | None:
        """Return a driver; None where none of this name has registered."""
        return self._drivers.get(name)

    def check(self, plugin: Plugin) -> None:
        """Look at a driver's versions, and whether its name is free.

        Raises:
            PluginRefused: they do not do, or it is not.
        """
        if problem := version_problem(plugin.name, plugin.versions):
            raise PluginRefused(problem)
        if plugin.name in self._drivers:
            raise PluginRefused(
                f'CSI driver "{plugin.name}" failed. Another driver with the same name is already registered'
            )

    async def registered(self, plugin: Plugin) -> None:
        """Ask a driver what the node is to it, and tell the cluster.

        Raises:
            PluginRefused: it does not say, or says what cannot be.
            ApiError: the cluster was not told.
        """
        from kubelet.csi.driver import CsiDriver

        driver = CsiDriver(plugin.name, plugin.endpoint, self._root, self._clock)
        self._drivers[plugin.name] = driver
        try:
            await self._install(driver)
        except BaseException:
            del self._drivers[plugin.name]
            await driver.close()
            raise

    async def _install(self, driver: CsiDriver) -> None:
        from kubelet.csi.driver import rpc_text
        from machinery.rpc.status import RpcError

        try:
            info = await driver.begin()
        except RpcError as error:
            raise PluginRefused(rpc_text(error)) from error
        if not info.node_id:
            raise PluginRefused("error adding CSI driver node info: driverNodeID must not be empty")
        async with self._writing:
            try:
                await self._info.install(driver.name, info)
            except ValueError as error:
                raise PluginRefused(
                    f"error updating Node object with CSI driver node info: {error}"
                ) from error

    async def deregistered(self, plugin: Plugin) -> None:
        """Forget a driver, here and in the cluster.

        Raises:
            ApiError: the cluster was not told.
        """
        if (driver := self._drivers.pop(plugin.name, None)) is not None:
            await driver.close()
        async with self._writing:
            await self._info.uninstall(plugin.name)

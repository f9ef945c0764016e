"""One CSI driver, as its Node service is asked."""

from __future__ import annotations

from typing import Any, Final

from kubelet.core.plugins import path_here, path_there
from machinery.model.clock import Clock
from machinery.rpc.status import RpcError
from machinery.wire.csi import NODE, NODE_PATH, messages
from machinery.wire.stubs import Stub, unix_channel

_ANSWER_S: Final = 120.0  # wall seconds


class CsiDriver:
    """Asks a driver.

    Paths are the kubelet's; the driver is told them as it names things (`kubelet.core.plugins.path_there`).

    Raises:
        RpcError: from every method: the driver refuses, or does not answer in time.
    """

    def __init__(self, name: str, endpoint: str, root: str, clock: Clock) -> None:
        self.name = name
        self._endpoint = endpoint.removeprefix("unix://")
        self._root = root
        self._channel = unix_channel(path_here(self._endpoint, root), clock)
        self._node = Stub(self._channel, NODE, NODE_PATH)
        self.capabilities: frozenset[int] = frozenset()

    async def begin(self) -> messages.NodeGetInfoResponse:
        """Learn what the driver can do; return what the node is to it."""
        answer = await self._ask(self._node.NodeGetCapabilities, messages.NodeGetCapabilitiesRequest())
        self.capabilities = frozenset(each.rpc.type for each in answer.capabilities)
        return await self.info()

    async def info(self) -> messages.NodeGetInfoResponse:
        """Return what the node is to the driver."""
        info: messages.NodeGetInfoResponse = await self._ask(
            self._node.NodeGetInfo, messages.NodeGetInfoRequest()
        )
        return info

    async def stage(self, request: messages.NodeStageVolumeRequest) -> None:
        """Bring a volume to the node. Idempotent."""
        request.staging_target_path = self._there(request.staging_target_path)
        await self._ask(self._node.NodeStageVolume, request)

    async def unstage(self, handle: str, staging: str) -> None:
        """Undo that. Idempotent."""
        request = messages.NodeUnstageVolumeRequest(
            volume_id=handle, staging_target_path=self._there(staging)
        )
        await self._ask(self._node.NodeUnstageVolume, request)

    async def publish(self, request: messages.NodePublishVolumeRequest) -> None:
        """Bring a volume to a pod. Idempotent."""
        request.staging_target_path = self._there(request.staging_target_path)
        request.target_path = self._there(request.target_path)
        await self._ask(self._node.NodePublishVolume, request)

    async def unpublish(self, handle: str, target: str) -> None:
        """Undo that. Idempotent."""
        request = messages.NodeUnpublishVolumeRequest(volume_id=handle, target_path=self._there(target))
        await self._ask(self._node.NodeUnpublishVolume, request)

    async def expand(self, request: messages.NodeExpandVolumeRequest) -> None:
        """Have a volume's file system grow into what the volume has become. Idempotent."""
        request.volume_path = self._there(request.volume_path)
        request.staging_target_path = self._there(request.staging_target_path)
        await self._ask(self._node.NodeExpandVolume, request)

    async def stats(self, handle: str, path: str, staging: str) -> messages.NodeGetVolumeStatsResponse:
        """Return how full a volume is."""
        request = messages.NodeGetVolumeStatsRequest(
            volume_id=handle, volume_path=self._there(path), staging_target_path=self._there(staging)
        )
        answer: messages.NodeGetVolumeStatsResponse = await self._ask(self._node.NodeGetVolumeStats, request)
        return answer

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    def _there(self, path: str) -> str:
        return path_there(path, self._root, endpoint=self._endpoint)

    @staticmethod
    async def _ask(method: Any, request: Any) -> Any:
        return await method(request, timeout=_ANSWER_S)


def rpc_text(error: RpcError) -> str:
    """Return what a driver answered, as events show it."""
    code = "".join(part.capitalize() for part in error.code.name.split("_"))
    return f"rpc error: code = {code} desc = {error.details}"

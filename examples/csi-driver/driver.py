"""A CSI driver whose volumes are folders of a node: identity, controller and node service, and its own registrar.

    python driver.py --node-id node-1 --kubelet-dir /var/lib/kubelet --data-dir /srv/folders

It runs on the node as root, since it mounts. In the kubelet's folder it serves on `plugins/<name>/csi.sock`, and registers by
`plugins_registry/<name>-reg.sock`, as node-driver-registrar does for drivers that have none of their own. A volume is a folder
below --data-dir; it is staged and published by bind mounts. volume.yaml has what a cluster is told of it: the CSIDriver, a
PersistentVolume that is made by hand, and a pod with that and with a volume of its own (inline).

https://github.com/container-storage-interface/spec/blob/master/spec.md
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from machinery.model.errors import BadRequest, InternalError, NotFound
from machinery.process.server import grpc_server
from machinery.wire import csi, plugin_registration
from machinery.wire.csi import messages
from machinery.wire.services import handler

NAME: Final = "folders.example.com"
EPHEMERAL: Final = "csi.storage.k8s.io/ephemeral"
MARK: Final = ".ephemeral"  # beside the folder of a volume that goes with its pod


class Identity:
    """Who the driver is."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        """Name the driver."""
        return messages.GetPluginInfoResponse(name=self._name, vendor_version="1.0.0")

    async def GetPluginCapabilities(self, _request: Any, _context: Any) -> Any:
        """Say that there is a controller, and that volumes are on one node only."""
        kinds = messages.PluginCapability.Service
        services = (kinds.CONTROLLER_SERVICE, kinds.VOLUME_ACCESSIBILITY_CONSTRAINTS)
        found = [messages.PluginCapability(service=kinds(type=each)) for each in services]
        return messages.GetPluginCapabilitiesResponse(capabilities=found)

    async def Probe(self, _request: Any, _context: Any) -> Any:
        """Be ready."""
        return messages.ProbeResponse()


class Controller:
    """Makes volumes and removes them. Nothing is attached: a folder is where it is."""

    def __init__(self, folders: Folders, name: str, node_id: str) -> None:
        self._folders = folders
        self._topology = messages.Topology(segments={f"{name}/node": node_id})

    async def CreateVolume(self, request: Any, _context: Any) -> Any:
        """Make a volume. The same name again gives the same one."""
        self._folders.make(request.name)
        volume = messages.Volume(
            volume_id=request.name,
            capacity_bytes=request.capacity_range.required_bytes,
            volume_context=request.parameters,
            accessible_topology=[self._topology],
        )
        return messages.CreateVolumeResponse(volume=volume)

    async def DeleteVolume(self, request: Any, _context: Any) -> Any:
        """Remove a volume, with all that is in it; none is as good."""
        self._folders.remove(request.volume_id)
        return messages.DeleteVolumeResponse()

    async def GetCapacity(self, _request: Any, _context: Any) -> Any:
        """Return the bytes that are free."""
        return messages.GetCapacityResponse(available_capacity=shutil.disk_usage(self._folders.root).free)

    async def ControllerExpandVolume(self, request: Any, _context: Any) -> Any:
        """Say that a volume is larger: a folder has no size of its own. The node has to look, as with a file system."""
        self._folders.of(request.volume_id)
        size = request.capacity_range.required_bytes
        return messages.ControllerExpandVolumeResponse(capacity_bytes=size, node_expansion_required=True)

    async def ControllerGetCapabilities(self, _request: Any, _context: Any) -> Any:
        """Name what is built."""
        kinds = messages.ControllerServiceCapability.RPC
        types = (kinds.CREATE_DELETE_VOLUME, kinds.GET_CAPACITY, kinds.EXPAND_VOLUME)
        found = [messages.ControllerServiceCapability(rpc=kinds(type=each)) for each in types]
        return messages.ControllerGetCapabilitiesResponse(capabilities=found)


class Node:
    """Brings volumes to the node and to its pods."""

    def __init__(self, folders: Folders, name: str, node_id: str, most_volumes: int) -> None:
        self._folders = folders
        self._info = messages.NodeGetInfoResponse(
            node_id=node_id,
            max_volumes_per_node=most_volumes,
            accessible_topology=messages.Topology(segments={f"{name}/node": node_id}),
        )

    async def NodeGetInfo(self, _request: Any, _context: Any) -> Any:
        """Say what the node is to this driver."""
        return self._info

    async def NodeGetCapabilities(self, _request: Any, _context: Any) -> Any:
        """Name what is built beside the least."""
        kinds = messages.NodeServiceCapability.RPC
        types = (kinds.STAGE_UNSTAGE_VOLUME, kinds.GET_VOLUME_STATS, kinds.EXPAND_VOLUME)
        found = [messages.NodeServiceCapability(rpc=kinds(type=each)) for each in types]
        return messages.NodeGetCapabilitiesResponse(capabilities=found)

    async def NodeStageVolume(self, request: Any, _context: Any) -> Any:
        """Bind a volume's folder to where it is staged."""
        _check_is_folder(request.volume_capability)
        await bind(self._folders.of(request.volume_id), Path(request.staging_target_path))
        return messages.NodeStageVolumeResponse()

    async def NodeUnstageVolume(self, request: Any, _context: Any) -> Any:
        """Undo that."""
        await unbind(Path(request.staging_target_path))
        return messages.NodeUnstageVolumeResponse()

    async def NodePublishVolume(self, request: Any, _context: Any) -> Any:
        """Bind a volume to a pod's folder; one that is the pod's own is made now."""
        _check_is_folder(request.volume_capability)
        if request.volume_context.get(EPHEMERAL) == "true":
            self._folders.make(request.volume_id, goes_with_pod=True)
        source = Path(request.staging_target_path or self._folders.of(request.volume_id))
        await bind(source, Path(request.target_path), read_only=request.readonly)
        return messages.NodePublishVolumeResponse()

    async def NodeUnpublishVolume(self, request: Any, _context: Any) -> Any:
        """Undo that; a volume that is the pod's own goes with it."""
        await unbind(Path(request.target_path))
        if self._folders.goes_with_pod(request.volume_id):
            self._folders.remove(request.volume_id)
        return messages.NodeUnpublishVolumeResponse()

    async def NodeExpandVolume(self, request: Any, _context: Any) -> Any:
        """Have nothing to do: the folder has room as long as its disk has."""
        self._folders.of(request.volume_id)
        return messages.NodeExpandVolumeResponse(capacity_bytes=request.capacity_range.required_bytes)

    async def NodeGetVolumeStats(self, request: Any, _context: Any) -> Any:
        """Say how full the disk is that a volume lies on."""
        self._folders.of(request.volume_id)
        disk = os.statvfs(request.volume_path)
        size, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
        kinds = messages.VolumeUsage
        usage = [
            kinds(unit=kinds.BYTES, total=size, available=free, used=size - free),
            kinds(
                unit=kinds.INODES,
                total=disk.f_files,
                available=disk.f_favail,
                used=disk.f_files - disk.f_ffree,
            ),
        ]
        return messages.NodeGetVolumeStatsResponse(usage=usage)


class Registrar:
    """Makes the driver known to the kubelet."""

    def __init__(self, name: str, endpoint: Path) -> None:
        self._name = name
        self._endpoint = str(endpoint)
        self.registered = asyncio.Event()

    async def GetInfo(self, _request: Any, _context: Any) -> Any:
        """Say what this is, and where it is asked."""
        return plugin_registration.messages.PluginInfo(
            type="CSIPlugin", name=self._name, endpoint=self._endpoint, supported_versions=["1.0.0"]
        )

    async def NotifyRegistrationStatus(self, status: Any, _context: Any) -> Any:
        """Hear what came of it."""
        if status.plugin_registered:
            self.registered.set()
        print("registered" if status.plugin_registered else f"not registered: {status.error}", flush=True)
        return plugin_registration.messages.RegistrationStatusResponse()


class Folders:
    """The folders that are volumes, by the volumes' ids."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def of(self, volume_id: str) -> Path:
        """Return where a volume lies.

        Raises:
            BadRequest: no volume can have such an id.
            NotFound: there is none of this id.
        """
        if not (folder := self._place(volume_id)).is_dir():
            raise NotFound(f"volume {volume_id} does not exist: no folder {folder}")
        return folder

    def make(self, volume_id: str, *, goes_with_pod: bool = False) -> None:
        """Make a volume; one that is there stays as it is.

        Raises:
            BadRequest: no volume can have such an id.
        """
        folder = self._place(volume_id)
        if goes_with_pod:
            self._mark(volume_id).touch()
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)

    def goes_with_pod(self, volume_id: str) -> bool:
        """Whether a volume is one pod's own."""
        return self._mark(volume_id).exists()

    def remove(self, volume_id: str) -> None:
        """Remove a volume; none is as good.

        Raises:
            BadRequest: no volume can have such an id.
        """
        folder = self._place(volume_id)
        shutil.rmtree(folder, ignore_errors=True)
        self._mark(volume_id).unlink(missing_ok=True)

    def _mark(self, volume_id: str) -> Path:
        folder = self._place(volume_id)
        return folder.with_name(f"{folder.name}{MARK}")

    def _place(self, volume_id: str) -> Path:
        if not volume_id or "/" in volume_id or volume_id.startswith("."):
            raise BadRequest(f"a volume's id is the name of a folder, not {volume_id!r}")
        return self.root / volume_id


async def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Mount a folder at another, which is made, unless it is there already."""
    if is_mounted(target):
        return
    make_folder(target)
    await run("mount", "--bind", str(source), str(target))
    if read_only:
        await run("mount", "-o", "remount,bind,ro", str(target))


async def unbind(target: Path) -> None:
    """Remove a mount, if there is one, and the folder that it was at."""
    if is_mounted(target):
        await run("umount", str(target))
    remove_folder(target)


def make_folder(folder: Path) -> None:
    """Make an empty folder to mount at."""
    folder.mkdir(exist_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove it; what is in it is nothing of ours, and an error."""
    if folder.is_dir():
        folder.rmdir()


def is_mounted(path: Path) -> bool:
    """Whether something is mounted at a path; a bind mount may be of the same file system."""
    place = os.path.realpath(path)
    return any(line.split(" ")[4] == place for line in Path("/proc/self/mountinfo").read_text().splitlines())


async def run(*command: str) -> None:
    """Run a program.

    Raises:
        InternalError: it says that it cannot.
    """
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise InternalError(f"{' '.join(command)}: {said.decode(errors='replace').strip()}")


def _check_is_folder(capability: Any) -> None:
    if capability.HasField("block"):
        raise BadRequest("a folder is no block device: ask for a volume with the volumeMode Filesystem")


@asynccontextmanager
async def serving(
    name: str, node_id: str, kubelet_dir: Path, data_dir: Path, most_volumes: int = 0
) -> AsyncIterator[Registrar]:
    """Serve the driver and its registrar while inside."""
    folders = Folders(data_dir)
    endpoint = kubelet_dir / "plugins" / name / "csi.sock"
    registry = kubelet_dir / "plugins_registry" / f"{name}-reg.sock"
    for socket in (endpoint, registry):
        socket.parent.mkdir(parents=True, exist_ok=True)
    registrar = Registrar(name, endpoint)
    services = [
        handler(csi.IDENTITY, csi.IDENTITY_PATH, Identity(name)),
        handler(csi.CONTROLLER, csi.CONTROLLER_PATH, Controller(folders, name, node_id)),
        handler(csi.NODE, csi.NODE_PATH, Node(folders, name, node_id, most_volumes)),
    ]
    registration = handler(plugin_registration.SERVICE, plugin_registration.SERVICE_PATH, registrar)
    servers = [
        grpc_server([f"unix:{endpoint}"], None, services),
        grpc_server([f"unix:{registry}"], None, [registration]),
    ]
    try:
        for server in servers:
            await server.start()
        yield registrar
    finally:
        for server in reversed(servers):
            await server.stop(0.5)


async def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description="a CSI driver whose volumes are folders of a node")
    parser.add_argument("--name", default=NAME, help="the driver's name")
    parser.add_argument("--node-id", required=True, help="what the driver calls this node")
    parser.add_argument("--kubelet-dir", required=True, type=Path, help="the folder of the node's kubelet")
    parser.add_argument("--data-dir", required=True, type=Path, help="where the volumes lie")
    parser.add_argument("--max-volumes", default=0, type=int, help="volumes on a node at most; 0: any")
    options = parser.parse_args()
    async with serving(
        options.name, options.node_id, options.kubelet_dir, options.data_dir, options.max_volumes
    ):
        ended = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())

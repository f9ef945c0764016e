"""Sets up, keeps up to date and takes away the volumes of the node's pods.

Fed by the pod workers. Everything lies below the pod's own folder, in the layout that node tools know
(`pods/<uid>/volumes/kubernetes.io~<kind>/<name>`), so that a kubelet which starts again finds what it made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final

from kubelet.containment import contained
from kubelet.core.claims import is_used
from kubelet.core.csi import source_of_inline
from kubelet.core.environment import TooLargeError, expand, unknown_names
from kubelet.core.field_values import Addresses
from kubelet.core.node_status import Features
from kubelet.core.volumes import (
    BUILT,
    CLAIMED,
    Payload,
    Room,
    checked,
    downward_files,
    fs_group,
    is_large,
    kind_of,
    memory_volume_bytes,
)
from kubelet.finishing import finish
from kubelet.volumes import empty_dir, host_path, projected
from kubelet.volumes.atomic_writer import write_atomically
from kubelet.volumes.claimed import ClaimedVolumes
from kubelet.volumes.driver_volumes import DriverVolumes
from kubelet.volumes.keyed import config_map_files, secret_files
from kubelet.volumes.mounting import mount_tmpfs, mounts_are_seen, unmount_at, unmount_below
from kubelet.volumes.problem import NoPlugin, VolumeProblem
from kubelet.volumes.sources import Sources
from kubelet.volumes.sub_path import resolve
from machinery.client.api import Api
from machinery.client.events import WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import Container, Node, Pod, Volume, VolumeMount
from machinery.model.log import SILENT, EventLog
from machinery.pb import cri_pb2 as cri
from machinery.process.trees import keeps_out_of_mounts, remove_tree

_FOLDERS: Final = {
    "emptyDir": "kubernetes.io~empty-dir",
    "configMap": "kubernetes.io~configmap",
    "secret": "kubernetes.io~secret",
    "downwardAPI": "kubernetes.io~downward-api",
    "projected": "kubernetes.io~projected",
}
_VOLUMES: Final = "volumes/*/*"
_SUB_PATHS: Final = "volume-subpaths/*/*/*"
_WRITTEN: Final = ("configMap", "secret", "downwardAPI", "projected")
_IN_MEMORY: Final = ("secret", "projected")
_AT_ONCE: Final = 8  # volumes of one pod that are set up at the same time
_ENABLED: Final = "Enabled"
_MEDIA: Final = ("", "Memory")  # nodes have no huge pages to mount
_SHOWN: Final = 256  # characters of a name or an expression in a message
_PROPAGATION: Final = {
    "": cri.PROPAGATION_PRIVATE,
    "None": cri.PROPAGATION_PRIVATE,
    "HostToContainer": cri.PROPAGATION_HOST_TO_CONTAINER,
    "Bidirectional": cri.PROPAGATION_BIDIRECTIONAL,
}


class Volumes:
    """The volumes of the node's pods."""

    has_disk = True  # whether files, folders and mounts are made

    def __init__(
        self,
        api: Api,
        root_dir: Path,
        clock: Clock,
        events: EventRecorder,
        log: EventLog = SILENT,
        *,
        allocatable: Callable[[], Mapping[str, str]],
        host_ips: Sequence[str] = (),
        boot_id: str = "",
        node: Callable[[], Node | None] = lambda: None,
        handlers: Callable[[], Mapping[str, Features]] = dict,
        sources: Sources,
        drivers: DriverVolumes,
    ) -> None:
        self._root = root_dir
        self._pods = root_dir / "pods"
        self._pods.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._events = events
        self._log = log
        self._allocatable = allocatable
        self._boot_id = boot_id
        self._handlers = handlers
        self._host_ips = host_ips
        self._sources = sources
        self._drivers = drivers
        self.claimed = ClaimedVolumes(api, self._pods, node, drivers, events)
        self._writing = asyncio.Lock()
        self._can_mount = self.has_disk and mounts_are_seen(self._pods)
        if self.has_disk and not self._can_mount:
            log.warning("volumes_on_disk", why="mounts made here do not reach the container runtime")

    async def mount(self, pod: Pod) -> Mapping[str, str]:
        """Have every volume of a pod; return the host path of each by its name. Idempotent.

        Images are the runtime's to mount: they have none. Nor has a claim's volume that no container uses.

        Raises:
            VolumeProblem: one of them cannot be had; a FailedMount event says which and why.
        """
        volumes = [
            volume for volume in pod.spec.volumes if volume.image is None and not _is_idle(pod, volume)
        ]
        room, paths = Room(), dict[str, str]()
        for begin in range(0, len(volumes), _AT_ONCE):
            some = volumes[begin : begin + _AT_ONCE]
            outcomes = await asyncio.gather(
                *(self._set_up(pod, volume, room) for volume in some), return_exceptions=True
            )
            for volume, outcome in zip(some, outcomes, strict=True):
                if isinstance(outcome, BaseException):
                    self._tell(pod, volume, outcome)
                    raise outcome
                paths[volume.name] = outcome
        return paths

    async def refresh(self, pod: Pod) -> None:
        """Bring volumes up to date with what they come from; what cannot be read now stays as it is."""
        room = Room()
        for volume in pod.spec.volumes:
            try:
                await self._refresh(pod, volume, room)
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is this volume's
                self._tell(pod, volume, problem)

    def mounts(
        self,
        pod: Pod,
        container: Container,
        volumes: Mapping[str, str],
        env: Mapping[str, str],
        images: Mapping[str, str] = MappingProxyType({}),
    ) -> list[cri.Mount]:
        """Return a container's volume mounts. `images`: the references of those volumes that are images, by their names.

        Raises:
            VolumeProblem: a subPath leads out of its volume, or names a variable that nobody knows; or a mount has to be
                read-only with all that is mounted in it, and the runtime does not know how.
        """
        self._check_recursion(container)
        read_only = {volume.name for volume in pod.spec.volumes if _is_read_only(volume)}
        references = {each.name: each.image.reference for each in pod.spec.volumes if each.image}
        return [
            _image_mount(mount, images[mount.name], references[mount.name], env)
            if mount.name in images
            else self._mount(pod, container, index, mount, volumes, env, read_only=mount.name in read_only)
            for index, mount in enumerate(container.volumeMounts)
        ]

    def _check_recursion(self, container: Container) -> None:
        """Check that the runtime, by every handler, can do what some mounts insist on."""
        for mount in container.volumeMounts:
            if mount.recursiveReadOnly != _ENABLED:
                continue
            known = self._handlers().values()
            if not known or not all(each.has_recursive_read_only for each in known):
                text = f'volume "{mount.name}" requested recursive read-only mode, but it is not supported by the runtime'
                raise VolumeProblem(f"failed to resolve recursive read-only mode: {text}")

    def devices(self, pod: Pod, container: Container, volumes: Mapping[str, str]) -> list[cri.Device]:
        """Return the devices of a container: the volumes that it has as such.

        Raises:
            VolumeProblem: the pod has no volume of a name.
        """
        read_only = {volume.name for volume in pod.spec.volumes if _is_read_only(volume)}
        return [
            cri.Device(
                container_path=device.devicePath,
                host_path=_known(volumes, device.name, container),
                permissions="r" if device.name in read_only else "mrw",
            )
            for device in container.volumeDevices
        ]

    def folder_on_disk(self, pod: Pod, volume: Volume) -> Path | None:
        """Return the folder of a volume of the pod's own; None where nothing is written."""
        return self._folder(pod, volume) if self.has_disk else None

    async def unmount(self, pod_uid: str) -> None:
        """Remove everything of a pod: its volumes and its other files, but not what claims stand for. Idempotent.

        Raises:
            ApiError: a driver does not undo what it has done for the pod: nothing else is removed.
            OSError: the same.
        """
        await self._drivers.tear_down(pod_uid)
        self._sources.forget(pod_uid)
        folder = self._pods / pod_uid
        if folder.is_dir():
            await asyncio.to_thread(self._remove, folder)
        self.claimed.forget(pod_uid)

    async def sweep(self, active_uids: Collection[str]) -> None:
        """Remove what belongs to no pod any more."""
        for pod_uid in os.listdir(self._pods):  # noqa: PTH208 - names are all that is needed
            if pod_uid not in active_uids:
                self._log.info("orphaned_volumes_removed", pod_uid=pod_uid)
                with contained(self._log, "volumes_not_removed", pod_uid=pod_uid):
                    await self.unmount(pod_uid)

    async def _refresh(self, pod: Pod, volume: Volume, room: Room) -> None:
        if kind_of(volume) in _WRITTEN and self._folder(pod, volume).is_dir():
            await self._set_up(pod, volume, room)
        elif volume.csi:
            source = source_of_inline(pod, volume.name, volume.csi)
            await self._drivers.publish_again(pod, source, volume.name)
        elif kind_of(volume) in CLAIMED and self.claimed.is_drivers(pod, volume):
            await self.claimed.refresh(pod, volume)

    def _folder(self, pod: Pod, volume: Volume) -> Path:
        return self._pods / pod.metadata.uid / "volumes" / _FOLDERS[kind_of(volume)] / volume.name

    async def _set_up(self, pod: Pod, volume: Volume, room: Room) -> str:
        kind = kind_of(volume) or "emptyDir"
        if kind not in BUILT:
            raise NoPlugin(volume.name)
        try:
            return await self._set_up_kind(pod, volume, kind, room)
        except (ValueError, OSError) as error:
            raise VolumeProblem(str(error)) from error

    async def _set_up_kind(self, pod: Pod, volume: Volume, kind: str, room: Room) -> str:
        if volume.hostPath:
            return host_path.set_up(volume.hostPath, str(self._root))
        if kind in CLAIMED:
            return await self.claimed.set_up(pod, volume)
        if volume.csi:
            return await self._drivers.set_up(
                pod, volume.name, source_of_inline(pod, volume.name, volume.csi)
            )
        folder = self._folder(pod, volume)
        if kind == "emptyDir":
            wants_memory = self._check_medium(volume) == "Memory"
            empty_dir.set_up(
                folder,
                pod,
                memory_bytes=self._memory_bytes(pod, volume),
                boot_id=self._boot_id if wants_memory and not self._can_mount else "",
            )
        else:
            payload = checked(await self._payload(pod, volume, room))
            stamp = self._clock.timescale.format(self._clock.now()).replace("-", "_").replace(":", "_")
            write = partial(self._replace_files, folder, kind, payload, stamp, fs_group(pod))
            await self._write(write, payload)
        return str(folder)

    @staticmethod
    def _check_medium(volume: Volume) -> str:
        medium = volume.emptyDir.medium if volume.emptyDir is not None else ""
        if medium not in _MEDIA:
            raise VolumeProblem(f'unknown storage medium "{medium}"')
        return medium

    async def _write(self, write: Callable[[], None], payload: Payload) -> None:
        """Write beside the loop what takes long; one volume at a time, since one may be mounted and refreshed at once."""
        async with self._writing:
            if is_large(payload):
                await finish(asyncio.to_thread(write), lambda: False)
            else:
                write()

    def _replace_files(
        self, folder: Path, kind: str, payload: Payload, stamp: str, group: int | None
    ) -> None:
        self._prepare(folder, kind)
        write_atomically(folder, payload, stamp=stamp, group=group)

    def _prepare(self, folder: Path, kind: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if kind in _IN_MEMORY and self._can_mount and not folder.is_mount():
            mount_tmpfs(folder)
        folder.chmod(0o755)

    def _memory_bytes(self, pod: Pod, volume: Volume) -> int | None:
        source = volume.emptyDir
        if source is None or source.medium != "Memory" or not self._can_mount:
            return None
        return memory_volume_bytes(pod, source.sizeLimit, self._allocatable())

    async def _payload(self, pod: Pod, volume: Volume, room: Room) -> Payload:
        addresses = Addresses([item.ip for item in pod.status.podIPs], self._host_ips)
        if chosen := volume.configMap:
            return room.take(await config_map_files(self._sources, pod, chosen, mode=chosen.defaultMode))
        if hidden := volume.secret:
            return room.take(await secret_files(self._sources, pod, hidden, mode=hidden.defaultMode))
        allocatable = self._allocatable()
        if downward := volume.downwardAPI:
            mode = downward.defaultMode
            return room.take(
                downward_files(pod, downward.items, mode=mode, addresses=addresses, allocatable=allocatable)
            )
        assert volume.projected is not None  # noqa: S101 - the kinds that are written are these four
        return await projected.files(
            self._sources, pod, volume.projected, addresses=addresses, allocatable=allocatable, room=room
        )

    def _mount(
        self,
        pod: Pod,
        container: Container,
        index: int,
        mount: VolumeMount,
        volumes: Mapping[str, str],
        env: Mapping[str, str],
        *,
        read_only: bool,  # whatever the mount says
    ) -> cri.Mount:
        path = _known(volumes, mount.name, container)
        sub_path = _sub_path(mount, env)
        if sub_path and self.has_disk:
            place = (
                self._pods / pod.metadata.uid / "volume-subpaths" / mount.name / container.name / str(index)
            )
            path = resolve(path, sub_path, place=place if self._can_mount else None)
        return cri.Mount(
            container_path=_container_path(mount),
            host_path=path,
            readonly=bool(mount.readOnly) or read_only,
            propagation=_PROPAGATION[mount.mountPropagation],
            recursive_read_only=mount.recursiveReadOnly == _ENABLED,
        )

    def _remove(self, folder: Path) -> None:
        try:
            if self._can_mount:
                _remove_with_mounts(folder)
            else:
                remove_tree(folder)
        except OSError as error:  # the sweep comes back to it
            self._log.warning("volumes_not_removed", folder=folder, error=error)

    def _tell(self, pod: Pod, volume: Volume, problem: BaseException) -> None:
        told = problem if isinstance(problem, VolumeProblem) else VolumeProblem(str(problem))
        self._events.record(pod, WARNING, "FailedMount", told.event(volume.name))


def _is_idle(pod: Pod, volume: Volume) -> bool:
    return kind_of(volume) in CLAIMED and not any(is_used(pod, volume))


def _is_read_only(volume: Volume) -> bool:
    """Whether no container may write a volume: the kubelet writes it, and nobody else, or its claim is used so."""
    claim, made = volume.persistentVolumeClaim, volume.csi
    return (
        kind_of(volume) in _WRITTEN
        or (claim is not None and bool(claim.readOnly))
        or (made is not None and bool(made.readOnly))
    )


def _remove_with_mounts(folder: Path) -> None:
    """Remove a pod's folder and what is mounted in it.

    The kubelet's own mounts lie where it puts them. What a container has mounted deeper inside is looked for only where there
    is some: the kernel's table has a line for each mount of the machine.
    """
    for place in chain(folder.glob(_VOLUMES), folder.glob(_SUB_PATHS)):
        unmount_at(place)
    if keeps_out_of_mounts():
        with suppress(OSError):
            remove_tree(folder)
            return
    unmount_below(folder)
    remove_tree(folder)


def _known(volumes: Mapping[str, str], name: str, container: Container) -> str:
    if name not in volumes:
        raise VolumeProblem(f'cannot find volume "{name}" to mount into container "{container.name}"')
    return volumes[name]


def _image_mount(mount: VolumeMount, image_ref: str, reference: str, env: Mapping[str, str]) -> cri.Mount:
    return cri.Mount(
        container_path=_container_path(mount),
        readonly=True,
        propagation=_PROPAGATION[mount.mountPropagation],
        recursive_read_only=mount.recursiveReadOnly == _ENABLED,
        image=cri.ImageSpec(image=image_ref, user_specified_image=reference),
        image_sub_path=_sub_path(mount, env),
    )


def _container_path(mount: VolumeMount) -> str:
    return mount.mountPath if mount.mountPath.startswith("/") else f"/{mount.mountPath}"


def _sub_path(mount: VolumeMount, env: Mapping[str, str]) -> str:
    if not mount.subPathExpr:
        return mount.subPath
    if unknown := unknown_names(mount.subPathExpr, env):
        raise VolumeProblem(
            f'failed to expand subPath "{mount.subPathExpr[:_SHOWN]}": missing value for "{unknown[0][:_SHOWN]}"'
        )
    try:
        return expand(mount.subPathExpr, env)
    except TooLargeError as error:
        raise VolumeProblem(f'failed to expand subPath "{mount.subPathExpr[:_SHOWN]}": {error}') from error

"""Volumes that claims stand for: which PersistentVolume it is, and where that lies on this node.

The apiserver is asked each time that a pod begins. What a pod uses is noted in its folder before it is used, so that a
kubelet which starts again knows who has a volume that only one pod may have. The data is not in the pod's folder, and is
never removed with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kubelet.core import claims, csi
from kubelet.core.node_summary import VolumeUsage
from kubelet.core.volumes import fs_group
from kubelet.node_usage import read_disk
from kubelet.volumes import host_path, local
from kubelet.volumes.driver_volumes import DriverVolumes
from kubelet.volumes.ownership import give_volume_to_group
from kubelet.volumes.problem import NoPlugin, UnresolvedClaim, VolumeProblem
from machinery.client.api import Api
from machinery.client.events import NORMAL, EventRecorder
from machinery.model import quantity
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import (
    CSIPersistentVolumeSource,
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Volume,
)
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.volume_matching import is_reachable_from

_NOTES: Final = "claimed"  # in a pod's folder: a note for each of its volumes that a claim stands for
_AFFINITY: Final = "MountVolume.NodeAffinity check failed"
_OPTIONS: Final = "MountVolume.MountOptionSupport check failed"


class Note(msgspec.Struct, frozen=True):
    """What a pod's volume is."""

    volume: str  # the PersistentVolume
    claim: str
    namespace: str
    measured: str = ""  # the path of which it is told how full it is; "" for none


class ClaimedVolumes:
    """The volumes of the node's pods that claims stand for."""

    def __init__(
        self,
        api: Api,
        pods: Path,
        node: Callable[[], Node | None],
        drivers: DriverVolumes,
        events: EventRecorder,
    ) -> None:
        self._api = api
        self._drivers = drivers
        self._events = events
        self._pods = pods
        self._node = node
        self._notes: dict[str, dict[str, Note]] = {}  # by the pod's uid and its own name for the volume
        for path in pods.glob(f"*/{_NOTES}/*"):
            with suppress(OSError, msgspec.MsgspecError):  # half written: nobody has used it yet
                note = msgspec.json.decode(path.read_bytes(), type=Note)
                self._notes.setdefault(path.parts[-3], {})[path.name] = note

    async def set_up(self, pod: Pod, volume: Volume) -> str:
        """Return the path of a volume on this node: of a folder, a file or a device. Idempotent.

        Raises:
            VolumeProblem: it cannot be had now.
            OSError: it cannot be given to the pod's group.
        """
        claim, found = await self._find(pod, volume)
        self._check(pod, found)
        if found.spec.csi:
            self._note(pod, volume, Note(found.metadata.name, claim.metadata.name, pod.metadata.namespace))
            source = self._source(volume, found, found.spec.csi)
            path = await self._drivers.set_up(pod, volume.name, source, claim.metadata.name)
            await self._grow(pod, volume.name, claim, found, source)
            return path
        path = _path(found)
        measured = path if found.spec.local and found.spec.volumeMode != claims.BLOCK else ""
        is_first = self._note(
            pod, volume, Note(found.metadata.name, claim.metadata.name, pod.metadata.namespace, measured)
        )
        if measured and is_first and not self._is_read_only(volume):
            await self._give_to_group(pod, path)
        return path

    async def refresh(self, pod: Pod, volume: Volume) -> None:
        """Have a driver's volume hold what it should hold by now, and be as large as it has become.

        Raises:
            VolumeProblem: its driver refuses, or it is not the claim's any more.
        """
        claim, found = await self._find(pod, volume)
        if found.spec.csi:
            source = self._source(volume, found, found.spec.csi)
            await self._drivers.publish_again(pod, source, volume.name)
            await self._grow(pod, volume.name, claim, found, source)

    def is_drivers(self, pod: Pod, volume: Volume) -> bool:
        """Whether a volume that a pod has may be a driver's."""
        note = self._notes.get(pod.metadata.uid, {}).get(volume.name)
        return note is not None and not note.measured

    def forget(self, pod_uid: str) -> None:
        """Forget what a pod used; its folder is removed by others."""
        self._notes.pop(pod_uid, None)

    def usage(self) -> Iterator[VolumeUsage]:
        """Yield how full the volumes are."""
        yield from self._drivers.usage()
        for pod_uid, notes in self._notes.items():
            for name, note in notes.items():
                if note.measured:
                    with suppress(OSError):  # what is gone has no size
                        disk = read_disk(Path(note.measured))
                        yield VolumeUsage(pod_uid, name, note.namespace, note.claim, disk)

    async def _find(self, pod: Pod, volume: Volume) -> tuple[PersistentVolumeClaim, PersistentVolume]:
        name, namespace = claims.claim_name(pod, volume), pod.metadata.namespace
        about = f"error processing PVC {namespace}/{name}"
        try:
            claim = await self._api.get(PERSISTENT_VOLUME_CLAIMS, name, namespace=namespace)
        except ApiError as error:
            text = f"{about}: failed to fetch PVC from API server: {error.message}"
            raise UnresolvedClaim(text) from error
        if problem := claims.claim_problem(pod, volume, claim):
            raise UnresolvedClaim(f"{about}: {problem}")
        try:
            found = await self._api.get(PERSISTENT_VOLUMES, claim.spec.volumeName)
        except ApiError as error:
            text = f"{about}: failed to fetch PV {claim.spec.volumeName} from API server: {error.message}"
            raise UnresolvedClaim(text) from error
        if problem := claims.binding_problem(claim, found):
            raise UnresolvedClaim(f"{about}: {problem}")
        if problem := claims.mode_problem(pod, volume, found):
            raise UnresolvedClaim(problem)
        return claim, found

    def _check(self, pod: Pod, found: PersistentVolume) -> None:
        """Check what does not depend on the volume's source, except for its mount options."""
        name, node = found.metadata.name, self._node()
        if node is not None and not is_reachable_from(found, node):
            raise VolumeProblem("no matching NodeSelectorTerms", step=_AFFINITY, about=name)
        if options := claims.mount_options(found):
            _check_options(found, options)
        if claims.is_for_one_pod(found) and self._is_used_elsewhere(pod, name):
            text = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
            raise VolumeProblem(text, about=name)

    def _note(self, pod: Pod, volume: Volume, note: Note) -> bool:
        """Note what a pod uses; return whether no other pod of the node uses that."""
        is_first = not self._is_used_elsewhere(pod, note.volume)
        notes = self._notes.setdefault(pod.metadata.uid, {})
        if notes.get(volume.name) != note:
            path = self._pods / pod.metadata.uid / _NOTES / volume.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.encode(note))
            notes[volume.name] = note
        return is_first

    def _is_used_elsewhere(self, pod: Pod, name: str) -> bool:
        return any(
            note.volume == name
            for uid, notes in self._notes.items()
            if uid != pod.metadata.uid
            for note in notes.values()
        )

    async def _grow(
        self,
        pod: Pod,
        name: str,
        claim: PersistentVolumeClaim,
        found: PersistentVolume,
        source: csi.Source,
    ) -> None:
        """Have the file system of a volume grow that has become larger than its claim says, and say so."""
        size = found.spec.capacity.get("storage", "0")
        required_bytes = quantity.memory_bytes(size)
        if required_bytes <= quantity.memory_bytes(claim.status.capacity.get("storage", size)):
            return
        if not await self._drivers.expand(pod, source, name, required_bytes):
            return
        try:
            await self._api.patch(
                PERSISTENT_VOLUME_CLAIMS,
                claim.metadata.name,
                {"status": claims.grown_status(claim, size)},
                namespace=claim.metadata.namespace,
                subresource="status",
            )
        except ApiError as error:
            text = f"NodeExpandVolume: the claim's status was not written: {error.message}"
            raise VolumeProblem(text, about=found.metadata.name) from error
        node = self._node()
        where = node.metadata.name if node else ""
        text = f'MountVolume.NodeExpandVolume succeeded for volume "{found.metadata.name}" {where}'
        for about in (pod, claim):
            self._events.record(about, NORMAL, "FileSystemResizeSuccessful", text)

    def _source(
        self, volume: Volume, found: PersistentVolume, source: CSIPersistentVolumeSource
    ) -> csi.Source:
        is_read_only = self._is_read_only(volume)
        return csi.source_of_volume(found, source, claims.mount_options(found), read_only=is_read_only)

    @staticmethod
    def _is_read_only(volume: Volume) -> bool:
        return volume.persistentVolumeClaim is not None and bool(volume.persistentVolumeClaim.readOnly)

    @staticmethod
    async def _give_to_group(pod: Pod, path: str) -> None:
        context = pod.spec.securityContext
        if context is not None and (group := fs_group(pod)) is not None:
            await asyncio.to_thread(give_volume_to_group, path, group, context.fsGroupChangePolicy)


def _check_options(found: PersistentVolume, options: Sequence[str]) -> None:
    name = found.metadata.name
    if found.spec.hostPath:
        text = "Mount options are not supported for this volume type"
        raise VolumeProblem(text, step=_OPTIONS, about=name)
    if found.spec.local:
        text = f"mountOptions {options} of a local volume are not built in Kubarium: mount it with them, and name the folder"
        raise VolumeProblem(text, step=_OPTIONS, about=name)


def _path(found: PersistentVolume) -> str:
    name, spec = found.metadata.name, found.spec
    if spec.volumeMode == claims.BLOCK:
        if spec.local:
            return local.find_device(spec.local, name)
        text = f"block volumes of kind {_kind(found)} are not built"
        raise VolumeProblem(text, step="MapVolume.FindMapperPluginBySpec failed", about=name)
    if spec.local:
        return local.find_folder(spec.local, name)
    if spec.hostPath:
        try:
            return host_path.set_up(spec.hostPath)
        except VolumeProblem as problem:
            raise VolumeProblem(problem.message, about=name) from problem
    raise NoPlugin(name)


def _kind(volume: PersistentVolume) -> str:
    return next((name for name in ("hostPath", "local", "nfs") if getattr(volume.spec, name)), "")

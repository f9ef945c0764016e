"""The volumes of CSI drivers on this node: staged for the node, published for each pod, and undone again.

    set_up     attached? ─► NodeStageVolume, once for the node ─► NodePublishVolume, for each pod ─► fsGroup
    tear_down  NodeUnpublishVolume ─► NodeUnstageVolume, after the last pod

Everything is idempotent: a kubelet that starts again stages and publishes what its pods have once more, and undoes what pods had
that are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kubelet.core import csi
from kubelet.core.csi import Capability, Note, Source
from kubelet.core.node_summary import VolumeUsage
from kubelet.core.volumes import fs_group
from kubelet.csi.drivers import CsiDrivers
from kubelet.csi.given import Given, capability, disk, problem
from kubelet.csi.notes import Notes
from kubelet.volumes.ownership import give_volume_to_group
from kubelet.volumes.problem import SET_UP, VolumeProblem
from kubelet.volumes.sources import Sources
from machinery.client.api import Api
from machinery.client.waiting import event_within
from machinery.model.attachments import attachment_name, unique_name
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Unavailable
from machinery.model.k8s.core_v1 import CSIPersistentVolumeSource, Node, Pod
from machinery.model.k8s.storage_v1 import CSIDriver
from machinery.model.resources import VOLUME_ATTACHMENTS

if TYPE_CHECKING:
    from kubelet.csi.driver import CsiDriver
    from machinery.rpc.status import RpcError

_DEVICE: Final = "MountVolume.MountDevice failed"
_MAP: Final = "MapVolume.SetUpDevice failed"
_ATTACHED_WITHIN_S: Final = 123.0  # wall seconds that a pod waits for its volume to be attached
_MODE: Final = 0o750  # of the folders that a driver finds


class CsiVolumes:
    """The volumes of the node's pods that are drivers'. `on_use` is called when other volumes are in use than before."""

    def __init__(
        self,
        api: Api,
        drivers: CsiDrivers,
        sources: Sources,
        root: Path,
        node_name: str,
        clock: Clock,
        *,
        node: Callable[[], Node | None],
        on_use: Callable[[], None],
    ) -> None:
        self._api = api
        self._drivers = drivers
        self._given = Given(api, sources)
        self._root = str(root)
        self._pods = root / "pods"
        self._node_name = node_name
        self._clock = clock
        self._node = node
        self._on_use = on_use
        self._news = asyncio.Event()  # of the node; another one after each
        self._notes = Notes(self._pods)
        self._locks: dict[str, asyncio.Lock] = {}  # by the unique name of a volume that somebody has
        self._staged: set[str] = set()  # unique names: by this process
        self._usage: list[VolumeUsage] = []

    def in_use(self) -> list[str]:
        """Return the volumes that have to stay attached, as a node's status names them."""
        return self._notes.in_use()

    def node_changed(self) -> None:
        """Note that the node is another one: somebody may wait for that."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def usage(self) -> Iterator[VolumeUsage]:
        """Yield how full the volumes are that claims stand for, as of the last look."""
        yield from self._usage

    async def set_up(self, pod: Pod, name: str, source: Source, claim: str = "") -> str:
        """Return the path of a volume for a pod, whose own name for it is given: of a folder or a device. Idempotent.

        Raises:
            VolumeProblem: it cannot be had now.
        """
        kind = await self._given.kind(source)
        if text := csi.lifecycle_problem(source, kind):
            raise problem(source, text, SET_UP)
        driver = self._drivers.get(source.driver)
        if driver is None:
            raise problem(source, csi.unknown_driver(source), SET_UP if source.is_inline else _DEVICE)
        note = self._note(driver, source, kind, pod, claim)
        self._notes.write(pod.metadata.uid, name, note)
        context = await self._attached(source) if note.is_attachable else {}
        async with self._lock(note):
            if note.staging:
                await self._stage(driver, source, note, context, pod)
            await self._publish(driver, source, note, context, pod, kind)
        return note.target

    async def publish_again(self, pod: Pod, source: Source, name: str) -> None:
        """Publish a volume once more, where its driver wants that: tokens and other contents may be renewed.

        Raises:
            VolumeProblem: the driver refuses.
        """
        note, driver = self._notes.of(pod.metadata.uid).get(name), self._drivers.get(source.driver)
        if note is None or driver is None:
            return
        kind = await self._given.kind(source)
        if csi.republishes(kind):
            context = await self._attached(source) if note.is_attachable else {}
            async with self._lock(note):
                await self._publish(driver, source, note, context, pod, kind)

    async def expand(self, pod: Pod, source: Source, name: str, required_bytes: int) -> bool:
        """Have a volume's file system grow; return whether its driver did so, which not all have to.

        Raises:
            VolumeProblem: it does not.
        """
        note, driver = self._notes.of(pod.metadata.uid).get(name), self._drivers.get(source.driver)
        if note is None or driver is None or Capability.EXPAND_VOLUME not in driver.capabilities:
            return False
        from machinery.rpc.status import RpcError
        from machinery.wire.csi import messages

        request = messages.NodeExpandVolumeRequest(
            volume_id=source.handle,
            volume_path=note.target,
            staging_target_path=note.staging,
            capacity_range=messages.CapacityRange(required_bytes=required_bytes),
            volume_capability=capability(source, driver.capabilities, pod),
            secrets=await self._given.secret(source, source.expand_secret),
        )
        try:
            async with self._lock(note):
                await driver.expand(request)
        except RpcError as error:
            raise _refused(source, error, "NodeExpandVolume failed") from error
        return True

    async def tear_down(self, pod_uid: str) -> None:
        """Undo what a pod has of drivers. Idempotent.

        Raises:
            ApiError: a driver does not do it, or is not there.
            OSError: what it should have removed is still there.
        """
        for name, note in list(self._notes.of(pod_uid).items()):
            async with self._lock(note):
                await self._undo(pod_uid, name, note)
            if not self._notes.is_used_elsewhere(pod_uid, name, note):
                self._locks.pop(unique_name(note.driver, note.handle), None)

    async def measure(self) -> None:
        """Look how full the volumes are that claims stand for, where their drivers can say it."""
        found: list[VolumeUsage] = []
        for pod_uid, name, note in self._notes.all():
            driver = self._drivers.get(note.driver)
            if note.claim and driver and Capability.GET_VOLUME_STATS in driver.capabilities:
                found += [each async for each in _measured(driver, pod_uid, name, note)]
        self._usage = found

    # --- steps

    def _note(self, driver: CsiDriver, source: Source, kind: CSIDriver | None, pod: Pod, claim: str) -> Note:
        uid = pod.metadata.uid
        stages = Capability.STAGE_UNSTAGE_VOLUME in driver.capabilities and not source.is_inline
        return Note(
            driver=source.driver,
            handle=source.handle,
            target=csi.target_path(str(self._pods / uid), self._root, source, uid),
            staging=csi.staging_path(self._root, source) if stages else "",
            is_attachable=csi.is_attachable(source, kind),
            claim=claim,
            namespace=pod.metadata.namespace,
        )

    async def _attached(self, source: Source) -> Mapping[str, str]:
        """Wait until a volume is attached; return what its driver's attacher says of that."""
        name = unique_name(source.driver, source.handle)
        self._on_use()  # nobody attaches or detaches before the node says what it uses
        deadline_s = self._clock.monotonic_wall() + _ATTACHED_WITHIN_S
        while not _is_attached(self._node(), name):
            left_s = deadline_s - self._clock.monotonic_wall()
            if left_s <= 0:
                raise problem(source, "timed out waiting for the volume to be attached", _DEVICE)
            await event_within(self._news, self._clock, self._clock.timescale.cluster(left_s))
        named = CSIPersistentVolumeSource(driver=source.driver, volumeHandle=source.handle)
        attachment = attachment_name(named, self._node_name)
        try:
            return (await self._api.get(VOLUME_ATTACHMENTS, attachment)).status.attachmentMetadata
        except ApiError as error:
            text = f"kubernetes.io/csi: failed to get volume attachment [id={attachment}]: {error.message}"
            raise problem(source, text, _DEVICE) from error

    async def _stage(
        self, driver: CsiDriver, source: Source, note: Note, context: Mapping[str, str], pod: Pod
    ) -> None:
        from machinery.rpc.status import RpcError
        from machinery.wire.csi import messages

        name = unique_name(note.driver, note.handle)
        if name in self._staged:
            return
        _make_folder(Path(note.staging))
        request = messages.NodeStageVolumeRequest(
            volume_id=source.handle,
            publish_context=context,
            staging_target_path=note.staging,
            volume_capability=capability(source, driver.capabilities, pod),
            secrets=await self._given.secret(source, source.stage_secret),
            volume_context=source.attributes,
        )
        try:
            await driver.stage(request)
        except RpcError as error:
            raise _refused(source, error, _MAP if source.is_block else _DEVICE) from error
        self._staged.add(name)

    async def _publish(
        self,
        driver: CsiDriver,
        source: Source,
        note: Note,
        context: Mapping[str, str],
        pod: Pod,
        kind: CSIDriver | None,
    ) -> None:
        from machinery.rpc.status import RpcError
        from machinery.wire.csi import messages

        _make_folder(Path(note.target).parent)
        tokens = await self._given.tokens(pod, kind)
        hides_tokens = kind is not None and bool(kind.spec.serviceAccountTokenInSecrets)
        shown, hidden = ({}, tokens) if hides_tokens else (tokens, {})
        request = messages.NodePublishVolumeRequest(
            volume_id=source.handle,
            publish_context=context,
            staging_target_path=note.staging,
            target_path=note.target,
            volume_capability=capability(source, driver.capabilities, pod),
            readonly=source.read_only,
            secrets={**await self._given.secret(source, source.publish_secret), **hidden},
            volume_context={**source.attributes, **csi.pod_attributes(source, pod, kind), **shown},
        )
        try:
            await driver.publish(request)
        except RpcError as error:
            raise _refused(source, error, _MAP if source.is_block else SET_UP) from error
        if csi.takes_group(source, kind) and Capability.VOLUME_MOUNT_GROUP not in driver.capabilities:
            await _give_to_group(source, note, pod)

    async def _undo(self, pod_uid: str, name: str, note: Note) -> None:
        from machinery.wire.rpc_errors import api_errors

        driver = self._drivers.get(note.driver)
        if driver is None:
            text = f"driver name {note.driver} not found in the list of registered CSI drivers"
            raise Unavailable(f"volume {note.handle} is not unpublished: {text}")
        with api_errors():
            await driver.unpublish(note.handle, note.target)
        _remove(Path(note.target))
        if note.staging and not self._notes.is_used_elsewhere(pod_uid, name, note):
            with api_errors():
                await driver.unstage(note.handle, note.staging)
            self._staged.discard(unique_name(note.driver, note.handle))
            _remove(Path(note.staging))
        self._notes.drop(pod_uid, name)
        self._usage = [each for each in self._usage if (each.pod_uid, each.name) != (pod_uid, name)]
        if note.is_attachable:
            self._on_use()

    def _lock(self, note: Note) -> asyncio.Lock:
        """Return the lock of a volume: what is asked of a driver for it comes one after the other."""
        return self._locks.setdefault(unique_name(note.driver, note.handle), asyncio.Lock())


def _is_attached(node: Node | None, name: str) -> bool:
    """Whether a volume is attached, and everyone knows that it is in use."""
    if node is None or name not in node.status.volumesInUse:
        return False
    return any(each.name == name for each in node.status.volumesAttached)


async def _measured(driver: CsiDriver, pod_uid: str, name: str, note: Note) -> AsyncIterator[VolumeUsage]:
    from machinery.rpc.status import RpcError

    with suppress(RpcError):  # the next look may have it
        stats = await driver.stats(note.handle, note.target, note.staging)
        yield VolumeUsage(pod_uid, name, note.namespace, note.claim, disk(stats.usage))


async def _give_to_group(source: Source, note: Note, pod: Pod) -> None:
    group, context = fs_group(pod), pod.spec.securityContext
    if group is None or context is None:
        return
    try:
        await asyncio.to_thread(give_volume_to_group, note.target, group, context.fsGroupChangePolicy)
    except OSError as error:
        raise problem(source, f"applyFSGroup failed for vol {source.handle}: {error}", SET_UP) from error


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=_MODE, parents=True, exist_ok=True)


def _remove(path: Path) -> None:
    """Remove an empty folder or a file that a driver has left; what has something in it stays, and is an error."""
    with suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()


def _refused(source: Source, error: RpcError, step: str) -> VolumeProblem:
    from kubelet.csi.driver import rpc_text

    return problem(source, rpc_text(error), step)

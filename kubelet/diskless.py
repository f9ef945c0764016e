"""Volumes and files of pods whose containers are simulated: what nobody can read is not written.

What a volume comes from is read all the same, so a pod whose ConfigMap is missing waits for it as anywhere. Not made are files,
folders and mounts, and tokens, which would be asked for at the apiserver. The one line of a container's log is in a file, in one
folder for all pods of the node.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from kubelet.core.image_access import PulledRecord, PullIntent
from kubelet.core.volumes import CLAIMED, Room, checked
from kubelet.image_records import ImageRecords
from kubelet.pod_files import PodFiles
from kubelet.volumes import Volumes
from machinery.model.k8s.core_v1 import Container, Pod, Volume
from machinery.pb import cri_pb2 as cri


class DisklessVolumes(Volumes):
    """Volumes that have a path, and nothing there; those that claims stand for are as anywhere."""

    has_disk = False

    async def _set_up_kind(self, pod: Pod, volume: Volume, kind: str, room: Room) -> str:
        if kind in CLAIMED or volume.csi:
            return await super()._set_up_kind(pod, volume, kind, room)
        if volume.hostPath:
            return volume.hostPath.path
        if kind == "emptyDir":
            self._check_medium(volume)
        else:
            checked(await self._payload(pod, volume, room))
        return str(self._folder(pod, volume))


class DisklessFiles(PodFiles):
    """Files that are not there, except for logs: one a container, all in one folder."""

    def __init__(self, root_dir: Path, cluster_domain: str = "cluster.local") -> None:
        super().__init__(root_dir, cluster_domain)
        self._logs.mkdir(parents=True, exist_ok=True)

    def log_directory(self, pod: Pod) -> str:  # noqa: ARG002 - one for all
        """Return the folder of all logs."""
        return str(self._logs)

    def log_path(self, pod: Pod, container: str, attempt: int) -> str:
        """Return a container's log file, relative to the folder."""
        return f"{_prefix(pod)}{container}_{attempt}.log"

    def container_log_dir(self, pod: Pod, container: str) -> Path | None:  # noqa: ARG002 - one for all
        """Return None: what a simulated container says is one line."""
        return None

    def remove_logs(self, pod: Pod) -> None:
        """Remove a pod's logs. Idempotent."""
        for path in self._logs.glob(f"{_prefix(pod)}*"):
            with suppress(OSError):  # the sweep comes back to it
                path.unlink()

    def sweep_logs(self, active_uids: Collection[str]) -> None:
        """Remove the logs of pods that are no more."""
        for path in self._logs.iterdir():
            if path.name.partition("_")[0] not in active_uids:
                with suppress(OSError):
                    path.unlink()

    def hosts_mount(self, _pod: Pod, _container: Container, _pod_ips: Sequence[str]) -> cri.Mount | None:
        """Return None: nobody asks for a name."""
        return None

    def termination_log(self, _pod: Pod, _container: Container, _attempt: int) -> cri.Mount | None:
        """Return None: nobody leaves a message."""
        return None


class DisklessRecords(ImageRecords):
    """Records of pulled images in memory: they end with the machine, as its images do."""

    def _read(self) -> None:
        pass

    def _write(self, path: Path, content: PulledRecord | PullIntent) -> None:
        pass

    def _delete(self, path: Path) -> None:
        pass


def _prefix(pod: Pod) -> str:
    return f"{pod.metadata.uid}_"

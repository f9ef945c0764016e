"""emptyDir: a folder that lives as long as its pod, on the node's disk or in memory."""

from __future__ import annotations

from pathlib import Path

from kubelet.core.volumes import fs_group
from kubelet.volumes.atomic_writer import give_to_group
from kubelet.volumes.mounting import mount_tmpfs
from kubelet.volumes.problem import VolumeProblem
from machinery.model.k8s.core_v1 import Pod


def set_up(folder: Path, pod: Pod, *, memory_bytes: int | None) -> None:
    """Have the folder; `memory_bytes` is the size of its tmpfs (0: unbounded), None for one on disk. Idempotent.

    Raises:
        VolumeProblem: the tmpfs cannot be mounted.
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if memory_bytes is not None and not folder.is_mount():
        try:
            mount_tmpfs(folder, size_bytes=memory_bytes, mode=0o777)
        except OSError as error:
            raise VolumeProblem(f"mount of a tmpfs failed: {error}") from error
        is_new = True
    if is_new:
        folder.chmod(0o777)
        if (group := fs_group(pod)) is not None:
            give_to_group(folder, group, read_only=False)

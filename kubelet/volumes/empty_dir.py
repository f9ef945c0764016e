"""emptyDir: a folder that lives as long as its pod, on the node's disk or in memory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from kubelet.core.volumes import fs_group
from kubelet.volumes.atomic_writer import give_to_group
from kubelet.volumes.mounting import mount_tmpfs
from kubelet.volumes.problem import VolumeProblem
from machinery.model.k8s.core_v1 import Pod
from machinery.process.trees import remove_tree


def set_up(folder: Path, pod: Pod, *, memory_bytes: int | None, boot_id: str = "") -> None:
    """Create the folder; `memory_bytes` is the size of its tmpfs (0: unbounded), None for one on disk. Idempotent.

    `boot_id` is given for a volume that should be in memory and cannot: with another one than before it is empty again.

    Raises:
        VolumeProblem: the tmpfs cannot be mounted.
    """
    if boot_id:
        _forget_earlier_boot(folder, boot_id)
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


def _forget_earlier_boot(folder: Path, boot_id: str) -> None:
    note = folder.with_name(f".{folder.name}.boot-id")  # no volume's name begins with a dot
    if note.exists() and note.read_text() != boot_id:
        with suppress(OSError):
            remove_tree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(boot_id)

"""local: a folder of the node that a PersistentVolume stands for; as a block volume, a device of the node.

https://kubernetes.io/docs/concepts/storage/volumes/#local
The folder is used where it lies, without a mount of its own: what is removed with a pod never leads to it.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from kubelet.volumes.problem import VolumeProblem
from machinery.model.k8s.core_v1 import LocalVolumeSource

_NEW_MOUNTER: Final = "MountVolume.NewMounter initialization failed"
_MAP: Final = "MapVolume.SetUpDevice failed"


def find_folder(source: LocalVolumeSource, name: str) -> str:
    """Return where the volume of this name lies.

    Raises:
        VolumeProblem: there is no such folder.
    """
    try:
        mode = Path(source.path).stat().st_mode
    except FileNotFoundError as error:
        raise VolumeProblem(f'path "{source.path}" does not exist', step=_NEW_MOUNTER, about=name) from error
    if stat.S_ISBLK(mode):
        text = f"making a file system on {source.path} and mounting it is not built in Kubarium: mount it, and name the folder"
        raise VolumeProblem(text, about=name)
    if not stat.S_ISDIR(mode):
        raise VolumeProblem("only directory and block device are supported", step=_NEW_MOUNTER, about=name)
    return source.path


def find_device(source: LocalVolumeSource, name: str) -> str:
    """Return the device that the volume of this name is.

    Raises:
        VolumeProblem: there is no such device.
    """
    if not Path(source.path).is_block_device():
        raise VolumeProblem(f"{source.path} is not a block device", step=_MAP, about=name)
    return source.path

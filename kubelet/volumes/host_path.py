"""hostPath: a file or folder of the node, as it is, or made if its type allows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kubelet.core.plugins import path_here
from kubelet.volumes.problem import VolumeProblem
from machinery.model.k8s.core_v1 import HostPathVolumeSource

_CHECKS: Final[dict[str, tuple[Callable[[Path], bool], str]]] = {
    "Directory": (Path.is_dir, "directory"),
    "DirectoryOrCreate": (Path.is_dir, "directory"),
    "File": (Path.is_file, "file"),
    "FileOrCreate": (Path.is_file, "file"),
    "Socket": (Path.is_socket, "socket file"),
    "CharDevice": (Path.is_char_device, "character device"),
    "BlockDevice": (Path.is_block_device, "block device"),
}


def set_up(source: HostPathVolumeSource, root: str = "") -> str:
    """Check the path, make what its type allows to make, and return it.

    What lies below /var/lib/kubelet is looked for in the folder of this node's kubelet (`root`), wherever that is: plugins
    and their manifests mean it.

    Raises:
        VolumeProblem: it is not what its type says.
    """
    place = path_here(source.path, root) if root else source.path
    path = Path(place)
    if not source.type:
        _create_unchecked(path)
        return place
    if source.type not in _CHECKS:
        raise VolumeProblem(f"hostPath type check failed: {source.type} is an invalid volume type")
    try:
        _create(path, source.type)
    except OSError as error:
        raise VolumeProblem(f"hostPath type check failed: {error}") from error
    is_right, word = _CHECKS[source.type]
    if not is_right(path):
        raise VolumeProblem(f"hostPath type check failed: {source.path} is not a {word}")
    return place


def _create_unchecked(path: Path) -> None:
    """Make a missing folder, as containerd and the Docker engine do with what a manifest gives no type.

    CRI lets a runtime refuse a source that is missing, and ours does; so the kubelet makes it, if it can.
    """
    with contextlib.suppress(OSError):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)


def _create(path: Path, type_: str) -> None:
    if path.exists():
        return
    if type_ == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif type_ == "FileOrCreate":
        path.touch(mode=0o644, exist_ok=True)

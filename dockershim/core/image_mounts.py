"""Images as volumes: which folder has what of an image, and how the engine mounts it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from posixpath import basename
from typing import Any, Final

from dockershim.core.naming import IMAGE_VOLUMES
from machinery.model.errors import BadRequest

_OPTIONS: Final = "bind,ro,noexec,nosuid,nodev"  # https://kubernetes.io/docs/concepts/storage/volumes/#image


# What the engine puts into the root of each container where its image has none: empty files and folders, inner ones first.
_OF_THE_ENGINE: Final = (
    ".dockerenv",
    "dev/console",
    "dev/pts",
    "dev/shm",
    "dev",
    "etc/hostname",
    "etc/hosts",
    "etc/mtab",
    "etc/resolv.conf",
    "etc",
    "proc",
    "sys",
)


def of_the_engine(sub_path: str) -> list[str]:
    """Return what may be in a part of a container that its image does not have, inner paths first."""
    prefix = f"{sub_path}/" if sub_path else ""
    return [path.removeprefix(prefix) for path in _OF_THE_ENGINE if path.startswith(prefix)]


def clean_sub_path(path: str) -> str:
    """Return a part of an image without "." and doubled slashes; "" for the whole.

    Raises:
        BadRequest: it is absolute, or leads upwards.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts:
        raise BadRequest(f"image_sub_path {path!r} has to lie within the image")
    return "/".join(parts)


def key_of(image_id: str, sub_path: str) -> str:
    """Return what a part of an image is called, the same for all its containers."""
    return hashlib.sha256(f"{image_id}\0{sub_path}".encode()).hexdigest()[:40]


def image_mount(container_path: str, folder: str) -> dict[str, Any]:
    """Write the mount of a folder: by a volume without a name, which the engine removes with the container.

    Not the container's mount says that it is read-only, but the volume's: runc would forget the other options.
    """
    driver = {"Name": "local", "Options": {"type": "none", "o": _OPTIONS, "device": folder}}
    return {
        "Type": "volume",
        "Target": container_path,
        "VolumeOptions": {"NoCopy": True, "DriverConfig": driver},
    }


def image_labels(folders: Iterable[str]) -> dict[str, str]:
    """Return the label by which a container's folders are found."""
    keys = sorted({basename(folder) for folder in folders})
    return {IMAGE_VOLUMES: ",".join(keys)} if keys else {}


def keys_in(labels: Mapping[str, str]) -> list[str]:
    """Read that label."""
    return list(filter(None, labels.get(IMAGE_VOLUMES, "").split(",")))

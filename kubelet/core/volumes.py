"""What stands in the files of configMap, secret, downwardAPI and projected volumes.

https://kubernetes.io/docs/concepts/storage/volumes/ and .../projected-volumes/
"""

from __future__ import annotations

import binascii
import posixpath
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from kubelet.core.field_values import Addresses, field_value, resource_value
from machinery.model import quantity
from machinery.model.k8s.core_v1 import (
    ConfigMap,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    Secret,
    Volume,
)
from machinery.model.pods import limits, limits_all

DEFAULT_MODE: Final = 0o644
TOKEN_MODE: Final = 0o600  # where somebody is named to whom the token belongs
TOKEN_MAX_AGE_S: Final = 24 * 3600.0
MAX_WRITTEN_BYTES: Final = 64 * 2**20  # in all files that the kubelet writes for the volumes of one pod
_FEW: Final = 64  # files that are written at once, in a few milliseconds
_LITTLE_BYTES: Final = 256 * 1024
_BLOCK_BYTES: Final = 4096  # that a file or a folder takes at least
_LONGEST_PATH: Final = 4096
_LONGEST_NAME: Final = 255
CLAIMED: Final = ("persistentVolumeClaim", "ephemeral")
BUILT: Final = (
    "emptyDir",
    "configMap",
    "secret",
    "downwardAPI",
    "projected",
    "hostPath",
    "image",
    "csi",
    *CLAIMED,
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a volume."""

    data: bytes
    mode: int
    uid: int | None = None  # who owns it; None: the kubelet's own user


Payload: TypeAlias = dict[str, File]  # by path, relative to the volume


class Room:
    """What the kubelet may still write for one pod: a line of its spec may ask for a megabyte once more."""

    def __init__(self, left_bytes: int = MAX_WRITTEN_BYTES) -> None:
        self._left_bytes = left_bytes

    def take(self, payload: Payload) -> Payload:
        """Return the payload where there is room for it; each file and folder counts as a block at least.

        Raises:
            ValueError: there is none.
        """
        blocks = sum(1 + path.count("/") for path in payload)
        self._left_bytes -= blocks * _BLOCK_BYTES + sum(len(file.data) for file in payload.values())
        if self._left_bytes < 0:
            raise ValueError(
                "the pod's configMap, secret, downwardAPI and projected volumes have more than"
                f" {MAX_WRITTEN_BYTES} bytes of files together, which is the most that is written for one pod"
            )
        return payload


def kind_of(volume: Volume) -> str:
    """Return the name of the field that says what a volume is ("" for none)."""
    fields = (name for name in volume.__struct_fields__ if name != "name")
    return next((name for name in fields if getattr(volume, name) is not None), "")


def config_map_data(config_map: ConfigMap) -> dict[str, bytes]:
    """Return a ConfigMap's keys as bytes.

    Raises:
        ValueError: a value is no base64.
    """
    binary = {key: _decoded(key, text) for key, text in config_map.binaryData.items()}
    return {**{key: text.encode() for key, text in config_map.data.items()}, **binary}


def secret_data(secret: Secret) -> dict[str, bytes]:
    """Return a Secret's keys as bytes.

    Raises:
        ValueError: a value is no base64.
    """
    return {key: _decoded(key, text) for key, text in secret.data.items()}


def keyed_files(
    data: Mapping[str, bytes],
    items: Iterable[KeyToPath],
    *,
    mode: int | None,
    optional: bool,
    missing: str,
) -> Payload:
    """Return a file for every key, or for the chosen ones.

    Raises:
        ValueError: a chosen key is not there, and not optional; the text starts with `missing`.
    """
    default = DEFAULT_MODE if mode is None else mode
    chosen = list(items)
    if not chosen:
        return {key: File(content, default) for key, content in data.items()}
    files: Payload = {}
    for item in chosen:
        if item.key in data:
            files[item.path] = File(data[item.key], default if item.mode is None else item.mode)
        elif not optional:
            raise ValueError(f"{missing}: {item.key}")
    return files


def downward_files(
    pod: Pod,
    items: Iterable[DownwardAPIVolumeFile],
    *,
    mode: int | None,
    addresses: Addresses,
    allocatable: Mapping[str, str],
) -> Payload:
    """Return the files of a downwardAPI volume.

    Raises:
        ValueError: there is no such field.
    """
    default = DEFAULT_MODE if mode is None else mode
    files: Payload = {}
    fields: dict[str, bytes] = {}  # each once, however many files show it: annotations are 256 KiB
    for item in items:
        if item.fieldRef:
            path = item.fieldRef.fieldPath
            if path not in fields:
                fields[path] = field_value(pod, path, addresses).encode()
            data = fields[path]
        elif item.resourceFieldRef:
            data = resource_value(pod, pod.spec.containers[0], item.resourceFieldRef, allocatable).encode()
        else:
            continue
        files[item.path] = File(data, default if item.mode is None else item.mode)
    return files


def checked(payload: Payload) -> Payload:
    """Return the payload with clean paths.

    Raises:
        ValueError: a path would leave the volume, or lies where the writer keeps its own files.
    """
    return {_clean(path): file for path, file in payload.items()}


def is_large(payload: Payload) -> bool:
    """Whether writing the files takes so long that the node's other pods would notice."""
    return len(payload) > _FEW or sum(len(file.data) for file in payload.values()) > _LITTLE_BYTES


def owner_of_files(pod: Pod) -> int | None:
    """Return the user that all containers of a pod run as, None where they differ or do not say."""
    context = pod.spec.securityContext
    inherited = context.runAsUser if context else None
    users = {
        inherited
        if container.securityContext is None or container.securityContext.runAsUser is None
        else container.securityContext.runAsUser
        for container in (*pod.spec.initContainers, *pod.spec.containers)
    }
    return users.pop() if len(users) == 1 else None


def fs_group(pod: Pod) -> int | None:
    """Return the group that the pod's volumes belong to."""
    return pod.spec.securityContext.fsGroup if pod.spec.securityContext else None


def memory_volume_bytes(pod: Pod, size_limit: str, allocatable: Mapping[str, str]) -> int:
    """Return the size of an emptyDir in memory: the least of its limit, its pod's and the node's; 0 for no bound."""
    bounds = [
        quantity.memory_bytes(size_limit) if size_limit else 0,
        limits(pod).memory_bytes if limits_all(pod, "memory") else 0,
        quantity.memory_bytes(allocatable.get("memory", "0")),
    ]
    return min((bound for bound in bounds if bound > 0), default=0)


def token_refresh_s(fetched_s: float, expires_s: float) -> float:
    """Return when a token is asked for anew: after 80 % of its life, at the latest after a day."""
    return fetched_s + min(0.8 * (expires_s - fetched_s), TOKEN_MAX_AGE_S)


def ownership_mode(mode: int, *, directory: bool, read_only: bool) -> int:
    """Return the mode that lets a volume's group in (fsGroup): read, write where it may, enter folders."""
    wanted = mode | (0o440 if read_only else 0o660)
    return wanted | 0o2110 if directory else wanted


def _decoded(key: str, text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"key {key} is not base64: {error}") from error


def _clean(path: str) -> str:
    if not path:
        raise ValueError("invalid path: must not be empty")
    if path.startswith("/"):
        raise ValueError(f'invalid path: must be relative path: "{path}"')
    if len(path) > _LONGEST_PATH:
        raise ValueError(f"invalid path: must be less than or equal to {_LONGEST_PATH} characters")
    parts = path.split("/")
    if ".." in parts:
        raise ValueError(f'invalid path: must not contain "..": "{path}"')
    if parts[0].startswith(".."):
        raise ValueError(f'invalid path: must not start with "..": "{path}"')
    if any(len(part) > _LONGEST_NAME for part in parts):
        raise ValueError(f"invalid path: filenames must be less than or equal to {_LONGEST_NAME} characters")
    clean = posixpath.normpath(path)
    if clean == ".":
        raise ValueError(f'invalid path: names no file: "{path}"')
    return clean

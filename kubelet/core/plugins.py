"""Plugins of a node: what one says of itself, and which sockets have come and gone since the last look.

https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/ describes the same registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

USUAL_ROOT: Final = "/var/lib/kubelet"  # where manifests of plugins expect a kubelet's folder


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin, as it describes itself."""

    type: str  # which handler it is for: "CSIPlugin", "DRAPlugin"
    name: str
    endpoint: str  # the path of the socket on which its service is, as the plugin wrote it
    versions: tuple[str, ...]  # of its service's API
    socket: str  # the path of the socket by which it has registered, in the kubelet's folder


class Identity(NamedTuple):
    """Which file a socket is: one that was removed and made anew is another."""

    device: int
    inode: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class News:
    """What a look at the folder has brought: paths of sockets."""

    gone: frozenset[str]
    come: frozenset[str]  # also those that were made anew: they are among the gone, too


def diff(before: Mapping[str, Identity], now: Mapping[str, Identity]) -> News:
    """Compare two looks at a folder."""
    come = frozenset(path for path, identity in now.items() if before.get(path) != identity)
    return News(frozenset(path for path, identity in before.items() if now.get(path) != identity), come)


def path_here(path: str, root: str) -> str:
    """Return a path that a plugin names as the kubelet sees it.

    A plugin in a pod mostly names its socket below /var/lib/kubelet, wherever the folder of its node's kubelet lies.
    """
    return _moved(path, USUAL_ROOT, root)


def path_there(path: str, root: str, *, endpoint: str) -> str:
    """Return a path of the kubelet's as a plugin sees it whose endpoint is written so."""
    return _moved(path, root, USUAL_ROOT) if _is_below(endpoint, USUAL_ROOT) else path


def _moved(path: str, old: str, new: str) -> str:
    return new + path.removeprefix(old) if _is_below(path, old) else path


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")

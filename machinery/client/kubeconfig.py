"""Where the apiserver is, and as whom to come, by a kubeconfig: for a component of ours beside any apiserver.

What stands in the file itself (certificates, keys, tokens) is put into files in memory, which go with the process.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

_NOT_HERE: Final = {  # what would be left out in silence
    "cluster": ("insecure-skip-tls-verify", "proxy-url"),
    "user": ("exec", "auth-provider", "username", "password", "as"),
}
Keep = Callable[[bytes], str]  # a file's content into its path


class InKubeconfig(NamedTuple):
    """What a kubeconfig's current context says; paths of files, "" where it says nothing."""

    server: str
    ca_file: str
    cert_file: str
    key_file: str
    token_file: str
    server_name: str


def read_kubeconfig(file: str) -> InKubeconfig:
    """Read a kubeconfig.

    Raises:
        LookupError: it cannot be read, or says what cannot be done here; the text says what.
    """
    import yaml  # which components of a cluster of ours do without

    try:
        content = yaml.safe_load(Path(file).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LookupError(f"{file} cannot be read: {error}") from error
    try:
        return in_kubeconfig(content, Path(file).parent, in_memory)
    except (KeyError, TypeError, ValueError) as error:
        what = f"there is no {error}" if isinstance(error, KeyError) else error
        raise LookupError(f"{file} cannot be used: {what}") from error


def in_kubeconfig(content: Any, folder: Path, keep: Keep) -> InKubeconfig:
    """Return what the current context of a kubeconfig says; paths in it count from `folder`.

    Raises:
        KeyError: something is not there.
        TypeError, ValueError: something is none, or cannot be done here.
    """
    context = _named(content, "contexts", content["current-context"])["context"]
    cluster = _named(content, "clusters", context["cluster"])["cluster"]
    user = _named(content, "users", context["user"])["user"] or {}
    for kind, part in (("cluster", cluster), ("user", user)):
        if found := [each for each in _NOT_HERE[kind] if part.get(each)]:
            raise ValueError(f"the {kind}'s {found[0]} cannot be heeded here")
    token = user.get("token")
    return InKubeconfig(
        server=str(cluster["server"]),
        ca_file=_file(cluster, "certificate-authority", folder, keep),
        cert_file=_file(user, "client-certificate", folder, keep),
        key_file=_file(user, "client-key", folder, keep),
        token_file=keep(str(token).encode()) if token else _path(user.get("tokenFile"), folder),
        server_name=str(cluster.get("tls-server-name") or ""),
    )


def in_memory(data: bytes) -> str:
    """Return the path of a new file in memory; this process alone can read it, as often as it likes."""
    descriptor = os.memfd_create("kubeconfig", os.MFD_CLOEXEC)
    os.write(descriptor, data)
    return f"/proc/self/fd/{descriptor}"


def _file(part: Mapping[str, Any], key: str, folder: Path, keep: Keep) -> str:
    """Return the file of a key, or of what stands in its place."""
    if data := part.get(f"{key}-data"):
        return keep(b64decode(data, validate=True))
    return _path(part.get(key), folder)


def _path(path: Any, folder: Path) -> str:
    return str(folder / str(path)) if path else ""


def _named(content: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    for each in content[kind]:
        if each["name"] == name:
            return dict(each)
    raise ValueError(f'{kind} has no "{name}"')

"""Which Docker engine the user means, as the docker command line finds it, and which image of the product.

DOCKER_HOST wins; then DOCKER_CONTEXT, then the current context of the configuration (`docker context use`). Kubarium needs
a unix socket of this machine: pods' containers are joined to network namespaces that are here.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from kubarium.core.spec import DOCKER_SOCKET
from kubarium.errors import KubariumError

_UNIX = "unix://"


def docker_socket() -> str:
    """Return the path of the engine's socket.

    Raises:
        KubariumError: the engine that is meant has no socket on this machine, or the context cannot be read.
    """
    said, host = _said()
    if not host:
        return DOCKER_SOCKET
    if not host.startswith(_UNIX) or not host.removeprefix(_UNIX).startswith("/"):
        raise KubariumError(
            f"{said} means the engine at {host}, but nodes need one with a unix socket on this machine "
            f"(DOCKER_HOST=unix:///path/to/docker.sock)"
        )
    return host.removeprefix(_UNIX)


def product_image() -> str:
    """Return the name of the product's own image: KUBARIUM_IMAGE, as `scripts/image` and the compose files have it."""
    from kubarium.core.compose import IMAGE  # few commands ask for it

    return os.environ.get("KUBARIUM_IMAGE") or IMAGE


def _said() -> tuple[str, str]:
    """Return who names an engine, and its address; "" where nobody does."""
    if host := os.environ.get("DOCKER_HOST"):
        return "DOCKER_HOST", host
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    context = os.environ.get("DOCKER_CONTEXT") or _text(_read(folder / "config.json"), "currentContext")
    if context in {"", "default"}:
        return "", ""
    # as the docker command line stores it: the folder's name is a digest of the context's
    digest = hashlib.sha256(context.encode()).hexdigest()
    file = folder / "contexts" / "meta" / digest / "meta.json"
    host = _text(_read(file), "Endpoints", "docker", "Host")
    if not host:
        raise KubariumError(f'the docker context "{context}" names no engine in {file}: `docker context ls`')
    return f'the docker context "{context}"', host


def _read(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except (OSError, ValueError):
        return None


def _text(value: Any, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""

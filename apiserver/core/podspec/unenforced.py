"""What a pod may ask for and is not held to: warnings, where a refusal would keep ordinary manifests out.

Real nodes do not all act on it either: SELinux and Windows options mean something only where there are such, and what
is asked for "if possible" need not be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apiserver.core.podspec.paths import containers_with_paths
from apiserver.core.values import Json

_WITHOUT_EFFECT: Final = {
    "seLinuxOptions": "has no effect on nodes without SELinux",
    "seLinuxChangePolicy": "has no effect on nodes without SELinux",
    "windowsOptions": "has no effect: nodes run Linux",
}


def unenforced_in_spec(spec: Json, path: str) -> tuple[str, ...]:
    """Return each part of a pod's spec that no node acts on, with the reason."""
    return tuple(_found(spec, path))


def _found(spec: Json, path: str) -> Iterator[str]:
    yield from _in_security(spec, path)
    for container, where in containers_with_paths(spec, path):
        yield from _in_container(container, where)


def _in_container(container: Json, path: str) -> Iterator[str]:
    for index, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("recursiveReadOnly") == "IfPossible":
            yield f"{path}.volumeMounts[{index}].recursiveReadOnly has no effect: only the mount itself is read-only"
    yield from _in_security(container, path)


def _in_security(part: Json, path: str) -> Iterator[str]:
    context = part.get("securityContext") or {}
    for name, why in _WITHOUT_EFFECT.items():
        if name in context:
            yield f"{path}.securityContext.{name} {why}"

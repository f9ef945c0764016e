"""The rules of lifecycle hooks.

https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/
"""

from __future__ import annotations

from apiserver.core.podspec.handlers import handler_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause


def lifecycle_causes(lifecycle: Json, path: str, grace_s: int | None) -> list[Cause]:
    """Check both hooks; a sleep has to end within the pod's grace period."""
    kinds = ("exec", "httpGet", "tcpSocket", "sleep")
    return [
        cause
        for name in ("postStart", "preStop")
        if name in lifecycle
        for cause in handler_causes(lifecycle[name], kinds, f"{path}.{name}", grace_s)
    ]

"""The rules of probes.

https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

from apiserver.core import field_errors
from apiserver.core.podspec.handlers import handler_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause

_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def probe_causes(probe: Json, path: str, kind: str) -> list[Cause]:
    """Check a probe; `kind` is its field: livenessProbe, readinessProbe or startupProbe."""
    found = handler_causes(probe, ("exec", "httpGet", "tcpSocket", "grpc"), path, None)
    for name in _NUMBERS:
        found += field_errors.not_negative(f"{path}.{name}", probe.get(name))
    grace_s = probe.get("terminationGracePeriodSeconds")
    if grace_s is not None and grace_s <= 0:
        found.append(
            field_errors.invalid(f"{path}.terminationGracePeriodSeconds", grace_s, "must be greater than 0")
        )
    if kind == "readinessProbe":
        if grace_s is not None:
            text = "must not be set for readinessProbes"
            found.append(field_errors.invalid(f"{path}.terminationGracePeriodSeconds", grace_s, text))
    elif probe.get("successThreshold", 1) != 1:
        found.append(field_errors.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return found

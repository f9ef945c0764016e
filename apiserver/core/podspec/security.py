"""The rules of security contexts.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.paths import descending_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause

_LARGEST_ID: Final = 2**31 - 1
_SECCOMP: Final = frozenset({"Localhost", "RuntimeDefault", "Unconfined"})


def pod_security_causes(context: Json, path: str) -> list[Cause]:
    """Check what holds for all containers of a pod."""
    found = _id_causes(context, path)
    if "fsGroup" in context:
        found += field_errors.within(f"{path}.fsGroup", context["fsGroup"], 0, _LARGEST_ID)
    if "fsGroupChangePolicy" in context:
        policy, supported = context["fsGroupChangePolicy"], {"Always", "OnRootMismatch"}
        found += field_errors.one_of(f"{path}.fsGroupChangePolicy", policy, supported)
    for index, group in enumerate(context.get("supplementalGroups") or []):
        found += field_errors.within(f"{path}.supplementalGroups[{index}]", group, 0, _LARGEST_ID)
    return found + _seccomp_causes(context, path)


def container_security_causes(context: Json, path: str) -> list[Cause]:
    """Check what holds for one container."""
    return [*_id_causes(context, path), *_seccomp_causes(context, path), *_escalation_causes(context, path)]


def _id_causes(context: Json, path: str) -> list[Cause]:
    return [
        cause
        for name in ("runAsUser", "runAsGroup")
        if name in context
        for cause in field_errors.within(f"{path}.{name}", context[name], 0, _LARGEST_ID)
    ]


def _seccomp_causes(context: Json, path: str) -> list[Cause]:
    if "seccompProfile" not in context:
        return []
    profile, path = context["seccompProfile"], f"{path}.seccompProfile"
    type_, file = profile.get("type", ""), profile.get("localhostProfile")
    if not type_:
        found = [field_errors.required(f"{path}.type", "type is required when seccompProfile is set")]
    else:
        found = field_errors.one_of(f"{path}.type", type_, _SECCOMP)
    if type_ != "Localhost":
        if file is not None:
            text = "can only be set when seccomp type is Localhost"
            found.append(field_errors.invalid(f"{path}.localhostProfile", profile, text))
        return found
    if file is None:
        text = "must be set when seccomp type is Localhost"
        return [*found, field_errors.required(f"{path}.localhostProfile", text)]
    return found + descending_causes(f"{path}.localhostProfile", file)


def _escalation_causes(context: Json, path: str) -> list[Cause]:
    if context.get("allowPrivilegeEscalation", True):
        return []
    found: list[Cause] = []
    if context.get("privileged"):
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        found.append(field_errors.invalid(path, context, text))
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
        text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        found.append(field_errors.invalid(path, context, text))
    return found

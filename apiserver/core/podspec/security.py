"""The rules of security contexts.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.paths import containers_with_paths, descending_causes
from apiserver.core.podspec.windows import windows_causes
from apiserver.core.values import Json
from machinery.model import sysctls
from machinery.model.errors import Cause

_LARGEST_ID: Final = 2**31 - 1
_LONGEST_PROFILE: Final = 4095  # a path's length
_PROFILES: Final = frozenset({"Localhost", "RuntimeDefault", "Unconfined"})
_PROC_MOUNTS: Final = frozenset({"Default", "Unmasked"})
_POLICIES: Final = {
    "fsGroupChangePolicy": frozenset({"Always", "OnRootMismatch"}),
    "supplementalGroupsPolicy": frozenset({"Merge", "Strict"}),
    "seLinuxChangePolicy": frozenset({"MountOption", "Recursive"}),
}
_SYSCTL_TEXT: Final = f"must have at most {sysctls.MAX_LENGTH} characters and match regex ^({sysctls.SEGMENT}[\\./])*{sysctls.SEGMENT}$"


def pod_security_causes(spec: Json, path: str) -> list[Cause]:
    """Check what holds for all containers of a pod."""
    context, path = spec.get("securityContext"), f"{path}.securityContext"
    found: list[Cause] = []
    if spec.get("shareProcessNamespace") and spec.get(
        "hostPID"
    ):  # parts of the context, in Kubernetes' own form
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(field_errors.invalid(f"{path}.shareProcessNamespace", True, text))  # noqa: FBT003 - the value
    if not context:
        return found
    found += _id_causes(context, path)
    if "fsGroup" in context:
        found += field_errors.within(f"{path}.fsGroup", context["fsGroup"], 0, _LARGEST_ID)
    for index, group in enumerate(context.get("supplementalGroups") or []):
        found += field_errors.within(f"{path}.supplementalGroups[{index}]", group, 0, _LARGEST_ID)
    found += _sysctl_causes(context.get("sysctls") or [], spec, f"{path}.sysctls")
    for name, supported in _POLICIES.items():
        if name in context:
            found += field_errors.one_of(f"{path}.{name}", context[name], supported)
    return found + _common_causes(context, spec, path)


def container_security_causes(container: Json, spec: Json, path: str) -> list[Cause]:
    """Check what holds for one container."""
    context, path = container.get("securityContext"), f"{path}.securityContext"
    if not context:
        return []
    found = [*_id_causes(context, path), *_common_causes(context, spec, path)]
    if "procMount" in context:
        found += _proc_causes(context["procMount"], spec, f"{path}.procMount")
    return found + _escalation_causes(context, path)


def host_users_causes(spec: Json, path: str) -> list[Cause]:
    """Check that a pod with users of its own shares nothing else with its node."""
    if spec.get("hostUsers") is not False:
        return []
    text = "when `hostUsers` is false"
    found = [
        field_errors.forbidden(f"{path}.{name}", text)
        for name in ("hostNetwork", "hostPID", "hostIPC")
        if spec.get(name)
    ]
    return found + [
        field_errors.forbidden(f"{where}.volumeDevices", text)
        for container, where in containers_with_paths(spec, path)
        if container.get("volumeDevices") and "ephemeralContainers" not in where
    ]


def _proc_causes(kind: str, spec: Json, path: str) -> list[Cause]:
    found = field_errors.one_of(path, kind, _PROC_MOUNTS)
    if kind == "Unmasked" and spec.get("hostUsers") is not False:
        found.append(field_errors.invalid(path, kind, "`hostUsers` must be false to use `Unmasked`"))
    return found


def _common_causes(context: Json, spec: Json, path: str) -> list[Cause]:
    found = _seccomp_causes(context, path)
    if "windowsOptions" in context:
        found += windows_causes(context["windowsOptions"], spec, f"{path}.windowsOptions")
    return found + _app_armor_causes(context, path)


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
        found = field_errors.one_of(f"{path}.type", type_, _PROFILES)
    if type_ != "Localhost":
        if file is not None:
            text = "can only be set when seccomp type is Localhost"
            found.append(field_errors.invalid(f"{path}.localhostProfile", profile, text))
        return found
    if file is None:
        text = "must be set when seccomp type is Localhost"
        return [*found, field_errors.required(f"{path}.localhostProfile", text)]
    return found + descending_causes(f"{path}.localhostProfile", file)


def _app_armor_causes(context: Json, path: str) -> list[Cause]:
    if "appArmorProfile" not in context:
        return []
    profile, path = context["appArmorProfile"], f"{path}.appArmorProfile"
    type_, name = profile.get("type", ""), profile.get("localhostProfile")
    if not type_:
        return [field_errors.required(f"{path}.type", "type is required when appArmorProfile is set")]
    path_of_name = f"{path}.localhostProfile"
    if type_ == "Localhost":
        return _local_profile_causes(name or "", path_of_name)
    found = field_errors.one_of(f"{path}.type", type_, _PROFILES)
    if not found and name is not None:
        text = "can only be set when AppArmor type is Localhost"
        found.append(field_errors.invalid(path_of_name, name, text))
    return found


def _local_profile_causes(name: str, path: str) -> list[Cause]:
    if not name:
        return [field_errors.required(path, "must be set when AppArmor type is Localhost")]
    found: list[Cause] = []
    if name != name.strip():
        found.append(field_errors.invalid(path, name, "must not be padded with whitespace"))
    if len(name.encode()) > _LONGEST_PROFILE:
        found.append(field_errors.too_long(path, _LONGEST_PROFILE))
    return found


def _sysctl_causes(asked: list[Json], spec: Json, path: str) -> list[Cause]:
    """Check kernel parameters: each is named once, and lies in a namespace that the pod does not share."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, each in enumerate(asked):
        where, name = f"{path}[{index}].name", each.get("name", "")
        if not name:
            found.append(field_errors.required(where))
        elif not sysctls.is_name(name):
            found.append(field_errors.invalid(where, name, _SYSCTL_TEXT))
        elif name in seen:
            found.append(field_errors.duplicate(where, name))
        space = sysctls.namespace_of(sysctls.dotted(name))
        for field, shared in (("hostNetwork", sysctls.NETWORK), ("hostIPC", sysctls.IPC)):
            if space == shared and spec.get(field):
                text = f"may not be specified when '{field}' is true"
                found.append(field_errors.invalid(where, name, text))
        seen.add(name)
    return found


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

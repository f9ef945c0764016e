"""The rules of Windows options, which a pod may carry that runs on Linux: there they have no effect; and of pods for Windows.

https://kubernetes.io/docs/tasks/configure-pod-container/configure-runasusername/
"""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.paths import containers_with_paths
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_LONGEST_CREDENTIAL_KIB: Final = 64
_LONGEST_DOMAIN: Final = 256
_LONGEST_USER: Final = 104
_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NETBIOS: Final = re.compile(r"""[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}""")
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ONLY_DOTS: Final = re.compile(r"[. ]+")
_NOT_IN_USERS: Final = re.compile(r"""["/\\:;|=,+*?<>@\[\]]""")

_LINUX_OF_PODS: Final = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup", "fsGroupChangePolicy", "sysctls", "runAsUser",
    "runAsGroup", "supplementalGroups", "supplementalGroupsPolicy",
)  # fmt: skip
_LINUX_OF_SPECS: Final = ("hostPID", "hostIPC", "shareProcessNamespace")
_LINUX_OF_CONTAINERS: Final = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip


def windows_causes(options: Json, spec: Json, path: str) -> list[Cause]:
    """Check the Windows options of a pod or a container; `spec`: the pod's."""
    if (spec.get("os") or {}).get("name") == "linux":
        return [field_errors.forbidden(path, "windows options cannot be set for a linux pod")]
    found: list[Cause] = []
    if name := options.get("gmsaCredentialSpecName"):
        where = f"{path}.gmsaCredentialSpecName"
        found += field_errors.each_invalid(where, name, names.dns_subdomain_errors(name))
    if len((text := options.get("gmsaCredentialSpec", "")).encode()) > _LONGEST_CREDENTIAL_KIB * 1024:
        why = f"gmsaCredentialSpec size must be under {_LONGEST_CREDENTIAL_KIB} KiB"
        found.append(field_errors.invalid(f"{path}.gmsaCredentialSpec", text, why))
    if user := options.get("runAsUserName"):
        found += field_errors.each_invalid(f"{path}.runAsUserName", user, _user_errors(user))
    return found


def of_linux_causes(spec: Json, path: str) -> list[Cause]:
    """Check that a pod for Windows asks for nothing that is only of Linux."""
    text, where = "cannot be set for a windows pod", f"{path}.securityContext"
    context = spec.get("securityContext") or {}
    found = [field_errors.forbidden(f"{where}.{name}", text) for name in _LINUX_OF_PODS if name in context]
    found += [field_errors.forbidden(f"{where}.{name}", text) for name in _LINUX_OF_SPECS if spec.get(name)]
    if "hostUsers" in spec:
        found.append(field_errors.forbidden(f"{where}.hostUsers", text))
    return found + [
        field_errors.forbidden(f"{at}.securityContext.{name}", text)
        for container, at in containers_with_paths(spec, path)
        for name in _LINUX_OF_CONTAINERS
        if name in (container.get("securityContext") or {})
    ]


def host_process_causes(spec: Json, path: str) -> list[Cause]:
    """Check containers that are processes of a Windows node: all of them are, or none."""
    whole = _host_process(spec)
    found, own = list[Cause](), list[bool]()
    for container, at in containers_with_paths(spec, path):
        said = _host_process(container)
        if None not in {whole, said} and whole != said:
            text = f"pod hostProcess value must be identical if both are specified, was {str(whole).lower()}"
            where = f"{at}.securityContext.windowsOptions.hostProcess"
            found.append(field_errors.invalid(where, said, text))
        own.append(bool(whole if said is None else said))
    if not any(own):
        return found
    if not all(own):
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        found.append(field_errors.invalid(path, "", text))
    if not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        found.append(field_errors.invalid(f"{path}.hostNetwork", False, text))  # noqa: FBT003 - the value
    return found


def _host_process(holder: Json) -> bool | None:
    options = (holder.get("securityContext") or {}).get("windowsOptions") or {}
    said = options.get("hostProcess")
    return None if said is None else bool(said)


def _user_errors(name: str) -> list[str]:
    r"""Return what is wrong with `user` or `domain\user`."""
    if _CONTROL.search(name):
        return ["runAsUserName cannot contain control characters"]
    domain, backslash, user = name.rpartition("\\")
    if "\\" in domain:
        return ["runAsUserName cannot contain more than one backslash"]
    return [*(_domain_errors(domain) if backslash else []), *_account_errors(user)]


def _domain_errors(domain: str) -> list[str]:
    found = []
    if len(domain) >= _LONGEST_DOMAIN:
        found.append(f"runAsUserName's Domain length must be under {_LONGEST_DOMAIN} characters")
    if not _NETBIOS.fullmatch(domain) and not _DOMAIN.fullmatch(domain[:_LONGEST_DOMAIN]):
        found.append("runAsUserName's Domain doesn't match the NetBios nor the DNS format")
    return found


def _account_errors(user: str) -> list[str]:
    found = []
    if not user:
        found.append("runAsUserName's User cannot be empty")
    if len(user) > _LONGEST_USER:
        found.append(f"runAsUserName's User length must not be longer than {_LONGEST_USER} characters")
    if _ONLY_DOTS.fullmatch(user):
        found.append("runAsUserName's User cannot contain only periods or spaces")
    if _NOT_IN_USERS.search(user):
        found.append("runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return found

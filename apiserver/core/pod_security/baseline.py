"""The rules of the baseline standard: what is known to break out of a container is refused.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apiserver.core.pod_security.violations import (
    Check,
    Violation,
    containers,
    in_containers,
    names_where,
    plural,
    quoted,
    security,
    setters,
)
from apiserver.core.values import Json

_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER: Final = "container.seccomp.security.alpha.kubernetes.io/"
PROFILES: Final = frozenset({"RuntimeDefault", "Localhost"})
_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    },
)
SELINUX_TYPES: Final = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
SELINUX_TYPES_31: Final = SELINUX_TYPES | {"container_engine_t"}
SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_syncookies",
    },
)
SYSCTLS_27: Final = SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
SYSCTLS_29: Final = SYSCTLS_27 | {
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
}
SYSCTLS_32: Final = SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


def has_own_users(spec: Json) -> bool:
    """Whether root in the pod is nobody on the node: some rules then need not hold."""
    return spec.get("hostUsers") is False


def app_armor(meta: Json, spec: Json) -> Violation | None:
    """Refuse profiles that confine less than the runtime's own, in fields and in the annotations before them."""
    types = [_profile(part, "appArmorProfile") for part in (spec, *containers(spec))]
    bad = sorted({type_ for type_ in types if type_ is not None and type_ not in PROFILES})
    annotations = sorted(
        f'{key}="{value}"'
        for key, value in (meta.get("annotations") or {}).items()
        if key.startswith(_APPARMOR) and not _is_app_armor(value)
    )
    values = [*bad, *annotations]
    if not values:
        return None
    names = names_where(spec, lambda container: _profile(container, "appArmorProfile") in bad)
    who = [setters(types[0] in bad, names)] if bad else []
    who += [plural(annotations, "annotation")] if annotations else []
    detail = f"{' and '.join(who)} must not set AppArmor profile type to {quoted(values)}"
    return Violation(plural(values, "forbidden AppArmor profile"), detail)


def _is_app_armor(value: str) -> bool:
    return value in {"", "runtime/default"} or value.startswith("localhost/")


def _profile(part: Json, field: str) -> str | None:
    """Return the type of a profile; None where there is no profile."""
    profile = security(part).get(field)
    return None if profile is None else profile.get("type", "")


def capabilities(_meta: Json, spec: Json) -> Violation | None:
    """Refuse capabilities beyond those that runtimes give by default."""

    def added(container: Json) -> set[str]:
        return set((security(container).get("capabilities") or {}).get("add") or ()) - _CAPABILITIES

    names = names_where(spec, added)
    if not names:
        return None
    bad = sorted(set[str]().union(*map(added, containers(spec))))
    detail = f"{in_containers(names)} must not include {quoted(bad)} in securityContext.capabilities.add"
    return Violation("non-default capabilities", detail)


def host_namespaces(_meta: Json, spec: Json) -> Violation | None:
    """Refuse to share the node's namespaces."""
    shared = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def host_path_volumes(_meta: Json, spec: Json) -> Violation | None:
    """Refuse volumes that are directories of the node."""
    names = [
        volume.get("name", "") for volume in spec.get("volumes") or () if volume.get("hostPath") is not None
    ]
    return Violation("hostPath volumes", f"{plural(names, 'volume')} {quoted(names)}") if names else None


def host_ports(_meta: Json, spec: Json) -> Violation | None:
    """Refuse ports of the node."""

    def used(container: Json) -> set[str]:
        return {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}

    names = names_where(spec, used)
    if not names:
        return None
    ports = sorted(set[str]().union(*map(used, containers(spec))))
    uses = plural(names, "uses", "use")
    return Violation(
        "hostPort", f"{in_containers(names)} {uses} {plural(ports, 'hostPort')} {', '.join(ports)}"
    )


def probe_hosts(_meta: Json, spec: Json) -> Violation | None:
    """Refuse probes and hooks that a kubelet would carry to another host."""
    names = sorted(set(names_where(spec, lambda container: any(_hosts(container)))))
    if not names:
        return None
    hosts = sorted({host for container in containers(spec) for host in _hosts(container)})
    reason = "probe or lifecycle host"
    uses = plural(names, "uses", "use")
    return Violation(reason, f"{in_containers(names)} {uses} {plural(hosts, reason)} {quoted(hosts)}")


def _hosts(container: Json) -> Iterator[str]:
    hooks = container.get("lifecycle") or {}
    probes = (container.get(field) for field in ("livenessProbe", "readinessProbe", "startupProbe"))
    for handler in (*probes, hooks.get("postStart"), hooks.get("preStop")):
        for action in ("httpGet", "tcpSocket"):
            if host := ((handler or {}).get(action) or {}).get("host"):
                yield host


def privileged(_meta: Json, spec: Json) -> Violation | None:
    """Refuse containers to which nothing is closed."""
    names = names_where(spec, lambda container: security(container).get("privileged"))
    if not names:
        return None
    return Violation("privileged", f"{in_containers(names)} must not set securityContext.privileged=true")


def proc_mount(_meta: Json, spec: Json) -> Violation | None:
    """Refuse a /proc whose dangerous files are not masked."""
    types = [security(container).get("procMount") for container in containers(spec)]
    bad = sorted({type_ for type_ in types if type_ not in {None, "Default"}})
    if not bad:
        return None
    names = names_where(spec, lambda container: security(container).get("procMount") in bad)
    return Violation(
        "procMount", f"{in_containers(names)} must not set securityContext.procMount to {quoted(bad)}"
    )


def proc_mount_35(meta: Json, spec: Json) -> Violation | None:
    """Refuse an unmasked /proc, except where the pod's root is nobody on the node."""
    return None if has_own_users(spec) else proc_mount(meta, spec)


def selinux(allowed: frozenset[str]) -> Check:
    """Return the check that refuses types of SELinux but the allowed ones, and every user and role."""

    def options(part: Json) -> Json:
        return security(part).get("seLinuxOptions") or {}

    def is_bad(part: Json) -> bool:
        own = options(part)
        return own.get("type", "") not in allowed or bool(own.get("user") or own.get("role"))

    def check(_meta: Json, spec: Json) -> Violation | None:
        who = setters(is_bad(spec), names_where(spec, is_bad))
        if not who:
            return None
        parts = [options(part) for part in (spec, *containers(spec))]
        types = sorted({own.get("type", "") for own in parts} - allowed)
        said = [f"{plural(types, 'type')} {quoted(types)}"] if types else []
        said += [
            f"{field} may not be set" for field in ("user", "role") if any(own.get(field) for own in parts)
        ]
        return Violation(
            "seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
        )

    return check


def seccomp_annotations(meta: Json, spec: Json) -> Violation | None:
    """Refuse profiles that confine less than the runtime's own, where annotations named them: before v1.19."""
    annotations = meta.get("annotations") or {}
    keys = [_SECCOMP_POD, *(_SECCOMP_CONTAINER + container.get("name", "") for container in containers(spec))]
    bad = sorted({f'{key}="{annotations[key]}"' for key in keys if not _is_seccomp(annotations.get(key))})
    if not bad:
        return None
    return Violation("seccompProfile", f"forbidden {plural(bad, 'annotation')} {', '.join(bad)}")


def _is_seccomp(value: str | None) -> bool:
    return value is None or value in {"runtime/default", "docker/default"} or value.startswith("localhost/")


def seccomp(_meta: Json, spec: Json) -> Violation | None:
    """Refuse profiles that confine less than the runtime's own; none is fine."""
    types = [_profile(part, "seccompProfile") for part in (spec, *containers(spec))]
    bad = sorted({type_ for type_ in types if type_ is not None and type_ not in PROFILES})
    if not bad:
        return None
    names = names_where(spec, lambda container: _profile(container, "seccompProfile") in bad)
    who = setters(types[0] in bad, names)
    return Violation(
        "seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(bad)}"
    )


def seccomp_type(part: Json) -> str | None:
    """Return the type of a seccomp profile; None where there is no profile."""
    return _profile(part, "seccompProfile")


def sysctls(allowed: frozenset[str]) -> Check:
    """Return the check that refuses sysctls but the allowed ones."""

    def check(_meta: Json, spec: Json) -> Violation | None:
        asked = [sysctl.get("name", "") for sysctl in security(spec).get("sysctls") or ()]
        bad = [name for name in asked if name not in allowed]
        return Violation("forbidden sysctls", ", ".join(bad)) if bad else None

    return check


def windows_host_process(_meta: Json, spec: Json) -> Violation | None:
    """Refuse processes of the node on Windows."""

    def is_bad(part: Json) -> Any:
        return (security(part).get("windowsOptions") or {}).get("hostProcess")

    who = setters(bool(is_bad(spec)), names_where(spec, is_bad))
    if not who:
        return None
    return Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true")

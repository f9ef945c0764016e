"""Which kernel parameters the node lets a pod set: those that reach no other pod, and those that its owner allows.

https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from machinery.model.k8s.core_v1 import Pod
from machinery.model.sysctls import IPC, NETWORK, dotted, is_name, namespace_of

SAFE: Final[dict[str, tuple[int, int]]] = {  # with the kernel that keeps each apart from other pods'
    "kernel.shm_rmid_forced": (0, 0),
    "net.ipv4.ip_local_port_range": (0, 0),
    "net.ipv4.ip_local_reserved_ports": (3, 16),
    "net.ipv4.ip_unprivileged_port_start": (0, 0),
    "net.ipv4.ping_group_range": (0, 0),
    "net.ipv4.tcp_fin_timeout": (4, 6),
    "net.ipv4.tcp_keepalive_intvl": (4, 5),
    "net.ipv4.tcp_keepalive_probes": (4, 5),
    "net.ipv4.tcp_keepalive_time": (4, 5),
    "net.ipv4.tcp_rmem": (4, 15),
    "net.ipv4.tcp_syncookies": (0, 0),
    "net.ipv4.tcp_wmem": (4, 15),
}
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class AllowedSysctls:
    """What pods may set: names and beginnings of names, dotted."""

    names: frozenset[str] = field(default_factory=frozenset)
    prefixes: tuple[str, ...] = ()

    def problem(self, pod: Pod) -> str:
        """Return why a pod may not set what it asks for; "" where it may."""
        context = pod.spec.securityContext
        found = (self._problem(dotted(each.name), pod) for each in context.sysctls) if context else ()
        return next((text for text in found if text), "")

    def _problem(self, name: str, pod: Pod) -> str:
        if name not in self.names and not name.startswith(self.prefixes):
            return f'"{name}" not allowlisted'
        space = namespace_of(name)
        if (space == NETWORK and pod.spec.hostNetwork) or (space == IPC and pod.spec.hostIPC):
            return f'"{name}" not allowed with host {space} enabled'
        return ""


NO_SYSCTLS: Final = AllowedSysctls()
"""What a node allows that has not been asked what is safe on it."""


def allowed_sysctls(kernel_version: str, patterns: Iterable[str] = ()) -> AllowedSysctls:
    """Return what is safe on a kernel, and what the node's owner allows besides: names, or prefixes that end in `*`.

    Raises:
        ValueError: a pattern is none, or of parameters that pods share with their node.
    """
    found = _VERSION.match(kernel_version)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    names = {name for name, since in SAFE.items() if version >= since}
    prefixes = []
    for pattern in patterns:
        name = dotted(pattern)
        prefix, star = name.removesuffix("*"), name.endswith("*")
        if not is_name(prefix.removesuffix(".") if star else name):
            raise ValueError(f"{pattern!r} is no kernel parameter: net.core.somaxconn, or kernel.msg*")
        if not namespace_of(prefix):
            raise ValueError(f"{pattern!r}: pods share it with their node, so that none may set it")
        if star:
            prefixes.append(prefix)
        else:
            names.add(name)
    return AllowedSysctls(frozenset(names), tuple(prefixes))

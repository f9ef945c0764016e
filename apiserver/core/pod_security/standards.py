"""The Pod Security Standards as data: which rule each level has, since which version, in which form.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from apiserver.core.pod_security import baseline, restricted
from apiserver.core.pod_security.policy import Level, LevelVersion
from apiserver.core.pod_security.violations import Check, Violation
from apiserver.core.values import Json


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; `since` has its forms by the minor version that each began with, in ascending order."""

    id: str
    since: dict[int, Check]
    replaces: str = ""  # the rule of the baseline that this one of the restricted level contains

    def in_version(self, minor: int) -> Check | None:
        """Return the form of a version; None where the rule is younger."""
        return next((check for begun, check in reversed(self.since.items()) if begun <= minor), None)


_SELINUX: Final = {
    0: baseline.selinux(baseline.SELINUX_TYPES),
    31: baseline.selinux(baseline.SELINUX_TYPES_31),
}
_SYSCTLS: Final = {
    0: baseline.sysctls(baseline.SYSCTLS),
    27: baseline.sysctls(baseline.SYSCTLS_27),
    29: baseline.sysctls(baseline.SYSCTLS_29),
    32: baseline.sysctls(baseline.SYSCTLS_32),
}


def _except_on_windows(since: int, check: Check) -> dict[int, Check]:
    return {since: check, 25: restricted.not_on_windows(check)}


def _except_with_own_users(since: int, check: Check) -> dict[int, Check]:
    return {since: check, 35: restricted.not_with_own_users(check)}


_BASELINE: Final = (
    Rule("appArmorProfile", {0: baseline.app_armor}),
    Rule("capabilities_baseline", {0: baseline.capabilities}),
    Rule("hostNamespaces", {0: baseline.host_namespaces}),
    Rule("hostPathVolumes", {0: baseline.host_path_volumes}),
    Rule("hostPorts", {0: baseline.host_ports}),
    Rule("hostProbesAndHostLifecycle", {34: baseline.probe_hosts}),
    Rule("privileged", {0: baseline.privileged}),
    Rule("procMount", {0: baseline.proc_mount, 35: baseline.proc_mount_35}),
    Rule("seLinuxOptions", _SELINUX),
    Rule("seccompProfile_baseline", {0: baseline.seccomp_annotations, 19: baseline.seccomp}),
    Rule("sysctls", _SYSCTLS),
    Rule("windowsHostProcess", {0: baseline.windows_host_process}),
)
_RESTRICTED: Final = (
    Rule("allowPrivilegeEscalation", _except_on_windows(8, restricted.privilege_escalation)),
    Rule("capabilities_restricted", _except_on_windows(22, restricted.capabilities), "capabilities_baseline"),
    Rule("procMount_restricted", {35: baseline.proc_mount}, "procMount"),
    Rule("restrictedVolumes", {0: restricted.volume_types}, "hostPathVolumes"),
    Rule("runAsNonRoot", _except_with_own_users(0, restricted.non_root)),
    Rule("runAsUser", _except_with_own_users(23, restricted.user)),
    Rule(
        "seccompProfile_restricted",
        _except_on_windows(19, restricted.seccomp_profile),
        "seccompProfile_baseline",
    ),
)
RULES: Final[Mapping[Level, tuple[Rule, ...]]] = {Level.BASELINE: _BASELINE, Level.RESTRICTED: _RESTRICTED}
"""The rules that each level adds to the one before it, in the order in which they are told."""

LATEST: Final = max(begun for rules in RULES.values() for rule in rules for begun in rule.since)
"""The minor version that `latest`, and everything after it, is."""


def _checks(level: Level, minor: int) -> tuple[Check, ...]:
    present = [
        rule for each, rules in RULES.items() if each <= level for rule in rules if rule.in_version(minor)
    ]
    replaced = {rule.replaces for rule in present}
    return tuple(check for rule in present if rule.id not in replaced and (check := rule.in_version(minor)))


_CHECKS: Final = {(level, minor): _checks(level, minor) for level in Level for minor in range(LATEST + 1)}


def checks(standard: LevelVersion) -> tuple[Check, ...]:
    """Return what a pod has to pass, in the order in which failures are told."""
    minor = LATEST if standard.version is None else min(standard.version, LATEST)
    return _CHECKS[standard.level, minor]


def evaluate(standard: LevelVersion, meta: Json, spec: Json) -> tuple[Violation, ...]:
    """Return the rules that a pod, or a template, breaks."""
    found = (check(meta, spec) for check in checks(standard))
    return tuple(violation for violation in found if violation)

"""The rules that the restricted standard adds: pods do as hardening guides advise.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from typing import Final

from apiserver.core.pod_security.baseline import PROFILES, has_own_users, seccomp, seccomp_type
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

_VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    },
)


def not_on_windows(check: Check) -> Check:
    """Return a check that leaves pods alone which say that they are for Windows: it has no such thing."""

    def checked(meta: Json, spec: Json) -> Violation | None:
        return None if (spec.get("os") or {}).get("name") == "windows" else check(meta, spec)

    return checked


def not_with_own_users(check: Check) -> Check:
    """Return a check that leaves pods alone whose root is nobody on the node."""

    def checked(meta: Json, spec: Json) -> Violation | None:
        return None if has_own_users(spec) else check(meta, spec)

    return checked


def privilege_escalation(_meta: Json, spec: Json) -> Violation | None:
    """Demand that no process gets more rights than its parent had."""
    names = names_where(
        spec, lambda container: security(container).get("allowPrivilegeEscalation") is not False
    )
    if not names:
        return None
    detail = f"{in_containers(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", detail)


def capabilities(_meta: Json, spec: Json) -> Violation | None:
    """Demand that all capabilities are dropped; only one may be added again."""

    def of(container: Json, field: str) -> set[str]:
        return set((security(container).get("capabilities") or {}).get(field) or ())

    def added(container: Json) -> set[str]:
        return of(container, "add") - {"NET_BIND_SERVICE"}

    said = []
    if keeping := names_where(spec, lambda container: "ALL" not in of(container, "drop")):
        said.append(f'{in_containers(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding := names_where(spec, added):
        bad = sorted(set[str]().union(*map(added, containers(spec))))
        said.append(
            f"{in_containers(adding)} must not include {quoted(bad)} in securityContext.capabilities.add"
        )
    return Violation("unrestricted capabilities", "; ".join(said)) if said else None


def volume_types(_meta: Json, spec: Json) -> Violation | None:
    """Refuse volumes but those that need no more rights than the pod has, or that a PersistentVolume stands for."""
    bad = [volume for volume in spec.get("volumes") or () if _VOLUMES.isdisjoint(volume)]
    if not bad:
        return None
    names = [volume.get("name", "") for volume in bad]
    types = sorted({next((key for key in volume if key != "name"), "unknown") for volume in bad})
    uses = plural(names, "uses", "use")
    word = plural(types, "restricted volume type")
    return Violation(
        "restricted volume types", f"{plural(names, 'volume')} {quoted(names)} {uses} {word} {quoted(types)}"
    )


def non_root(_meta: Json, spec: Json) -> Violation | None:
    """Demand that every container, by itself or by its pod, says that it is not root."""
    pod = security(spec).get("runAsNonRoot")
    reason = "runAsNonRoot != true"
    bad = names_where(spec, lambda container: security(container).get("runAsNonRoot") is False)
    if who := setters(pod is False, bad):
        return Violation(reason, f"{who} must not set securityContext.runAsNonRoot=false")
    silent = names_where(spec, lambda container: security(container).get("runAsNonRoot") is None)
    if pod or not silent:
        return None
    return Violation(reason, f"pod or {in_containers(silent)} must set securityContext.runAsNonRoot=true")


def user(_meta: Json, spec: Json) -> Violation | None:
    """Refuse the user 0."""

    def is_root(part: Json) -> bool:
        return security(part).get("runAsUser") == 0

    who = setters(is_root(spec), names_where(spec, is_root))
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def seccomp_profile(meta: Json, spec: Json) -> Violation | None:
    """Demand that every container, by itself or by its pod, has a profile that confines it."""
    if found := seccomp(meta, spec):
        return found
    silent = names_where(spec, lambda container: seccomp_type(container) is None)
    if seccomp_type(spec) in PROFILES or not silent:
        return None
    detail = f'pod or {in_containers(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", detail)

"""Security contexts: what a pod and its containers say, as the runtime is told it.

https://kubernetes.io/docs/tasks/configure-pod-container/security-context/: a container's own field wins.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from machinery.model.k8s.core_v1 import (
    AppArmorProfile,
    Container,
    Pod,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
    SELinuxOptions,
)
from machinery.pb import cri_pb2 as cri

MASKED_PATHS: Final = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS: Final = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_NO_POD_CONTEXT: Final = PodSecurityContext()
_NO_CONTEXT: Final = SecurityContext()
_PROFILES: Final = {
    "RuntimeDefault": cri.SecurityProfile.RuntimeDefault,
    "Unconfined": cri.SecurityProfile.Unconfined,
    "Localhost": cri.SecurityProfile.Localhost,
}

V = TypeVar("V")


def sandbox_security(pod: Pod) -> Any:
    """Write the sandbox's security context."""
    context = pod.spec.securityContext or _NO_POD_CONTEXT
    return cri.LinuxSandboxSecurityContext(
        namespace_options=namespace_options(pod),
        selinux_options=_selinux(context.seLinuxOptions),
        run_as_user=_int64(context.runAsUser),
        run_as_group=_int64(context.runAsGroup),
        supplemental_groups=_supplemental_groups(pod),
        supplemental_groups_policy=_groups_policy(pod),
        privileged=any(is_privileged(container) for container in _all(pod)),
        seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
    )


def container_security(pod: Pod, container: Container, image: Any = None, target_id: str = "") -> Any:
    """Write a container's security context. `image` is asked for its user where `needs_image_user`.

    `target_id`: the container whose processes this one is to see.
    """
    own = container.securityContext or _NO_CONTEXT
    context = pod.spec.securityContext or _NO_POD_CONTEXT
    open_proc = is_privileged(container) or own.procMount == "Unmasked"
    user, username = _user(pod, container, image)
    return cri.LinuxContainerSecurityContext(
        capabilities=_capabilities(own),
        privileged=is_privileged(container),
        namespace_options=namespace_options(pod, target_id),
        selinux_options=_selinux(own.seLinuxOptions or context.seLinuxOptions),
        run_as_user=_int64(user),
        run_as_username=username,
        run_as_group=_int64(run_as_group(pod, container)),
        readonly_rootfs=bool(own.readOnlyRootFilesystem),
        supplemental_groups=_supplemental_groups(pod),
        supplemental_groups_policy=_groups_policy(pod),
        no_new_privs=own.allowPrivilegeEscalation is False,
        masked_paths=() if open_proc else MASKED_PATHS,
        readonly_paths=() if open_proc else READONLY_PATHS,
        seccomp=_profile(own.seccompProfile or context.seccompProfile, cri.SecurityProfile.Unconfined),
        apparmor=_profile(own.appArmorProfile or context.appArmorProfile, cri.SecurityProfile.RuntimeDefault),
    )


def namespace_options(pod: Pod, target_id: str = "") -> Any:
    """Write which namespaces a pod shares with its node, and its containers with each other, or one with another."""
    spec = pod.spec
    own_pid = cri.TARGET if target_id else cri.CONTAINER
    shared_pid = cri.POD if spec.shareProcessNamespace else own_pid
    pid = cri.NODE if spec.hostPID else shared_pid
    return cri.NamespaceOption(
        network=cri.NODE if spec.hostNetwork else cri.POD,
        pid=pid,
        target_id=target_id if pid == cri.TARGET else "",
        ipc=cri.NODE if spec.hostIPC else cri.POD,
    )


def run_as_user(pod: Pod, container: Container) -> int | None:
    """Return the user that a container runs as, None for its image's."""
    own = container.securityContext or _NO_CONTEXT
    return _first(own.runAsUser, (pod.spec.securityContext or _NO_POD_CONTEXT).runAsUser)


def run_as_group(pod: Pod, container: Container) -> int | None:
    """Return the group that a container runs as, None for its user's."""
    own = container.securityContext or _NO_CONTEXT
    return _first(own.runAsGroup, (pod.spec.securityContext or _NO_POD_CONTEXT).runAsGroup)


def needs_image_user(pod: Pod, container: Container) -> bool:
    """Whether only the image knows the user: for a group without one, or where nobody may be root."""
    if run_as_user(pod, container) is None and run_as_group(pod, container) is not None:
        return True
    contexts = (pod.spec.securityContext, container.securityContext)
    return any(context and context.runAsNonRoot for context in contexts)


def security_problem(pod: Pod, container: Container, image: Any) -> str:
    """Return why a container that must not run as root would, or could; "" where all is well.

    `image` is the CRI image (uid or username of its user), None where nobody knows.
    """
    own = container.securityContext or _NO_CONTEXT
    context = pod.spec.securityContext or _NO_POD_CONTEXT
    if not _first(own.runAsNonRoot, context.runAsNonRoot):
        return ""
    where = f'(pod: "{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})", container: {container.name})'
    user = run_as_user(pod, container)
    if user is not None:
        return "" if user else f"container's runAsUser breaks non-root policy {where}"
    if image is not None and image.username:
        return (
            f"container has runAsNonRoot and image has non-numeric user ({image.username}), cannot verify user is"
            f" non-root {where}"
        )
    if image is None or not image.HasField("uid") or image.uid.value == 0:
        return f"container has runAsNonRoot and image will run as root {where}"
    return ""


def wants_strict_groups(pod: Pod) -> bool:
    """Whether a pod's processes may have no groups of their image."""
    return (pod.spec.securityContext or _NO_POD_CONTEXT).supplementalGroupsPolicy == "Strict"


def app_armor_profiles(pod: Pod) -> list[AppArmorProfile]:
    """Return the profiles that a pod's containers ask for by themselves or by their pod."""
    common = (pod.spec.securityContext or _NO_POD_CONTEXT).appArmorProfile
    asked = [(each.securityContext or _NO_CONTEXT).appArmorProfile or common for each in _all(pod)]
    return [profile for profile in asked if profile is not None]


def is_privileged(container: Container) -> bool:
    """Whether a container asks for all that the node has."""
    return bool(container.securityContext and container.securityContext.privileged)


def _user(pod: Pod, container: Container, image: Any) -> tuple[int | None, str]:
    """Return a container's user as an id or a name. The image's own is named only beside a group, which needs one."""
    user = run_as_user(pod, container)
    if user is not None or image is None or run_as_group(pod, container) is None:
        return user, ""
    return (None, image.username) if image.username else (image.uid.value, "")


def _all(pod: Pod) -> list[Container]:
    return [*pod.spec.initContainers, *pod.spec.containers]


def _first(own: V | None, inherited: V | None) -> V | None:
    return inherited if own is None else own


def _int64(value: int | None) -> Any:
    return None if value is None else cri.Int64Value(value=value)


def _capabilities(context: SecurityContext) -> Any:
    if context.capabilities is None:
        return None
    return cri.Capability(
        add_capabilities=context.capabilities.add, drop_capabilities=context.capabilities.drop
    )


def _selinux(options: SELinuxOptions | None) -> Any:
    if options is None:
        return None
    return cri.SELinuxOption(user=options.user, role=options.role, type=options.type, level=options.level)


def _supplemental_groups(pod: Pod) -> list[int]:
    context = pod.spec.securityContext or _NO_POD_CONTEXT
    groups = [*context.supplementalGroups, *([context.fsGroup] if context.fsGroup is not None else [])]
    return list(dict.fromkeys(groups))


def _groups_policy(pod: Pod) -> Any:
    return cri.Strict if wants_strict_groups(pod) else cri.Merge


def _profile(profile: SeccompProfile | AppArmorProfile | None, default: Any) -> Any:
    if profile is None:
        return cri.SecurityProfile(profile_type=default)
    return cri.SecurityProfile(profile_type=_PROFILES[profile.type], localhost_ref=profile.localhostProfile)

"""CRI configurations as bodies of the engine's "create a container".

A sandbox is a container that only sleeps and holds the namespaces; the pod's containers join them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from dockershim.core.capabilities import ALL, available
from dockershim.core.cdi import NO_EDITS, Edits
from dockershim.core.image_mounts import image_labels, image_mount
from dockershim.core.naming import Scope, container_labels, sandbox_labels
from dockershim.core.security import UNCONFINED, capabilities, groups, security_options, user
from machinery.model.errors import BadRequest, NotImplementedHere
from machinery.pb import cri_pb2 as cri

LOG_OPTIONS: Final = {"Type": "json-file", "Config": {"max-size": "64m", "max-file": "2"}}
NO_LOG: Final = {"Type": "none"}
NETNS_MOUNT: Final = "/netns"  # where the pause program finds the network namespace that it has to enter
SANDBOX_OOM_SCORE: Final = -998  # as Kubernetes has it: a pod's sandbox goes last
SANDBOX_SHARES: Final = 2
_CGROUP_FILE: Final = re.compile(r"[a-z_0-9]+(\.[A-Za-z_0-9]+)+")
_PROPAGATION: Final = {
    # Private is the engine's default. Where a mount contains the engine's own folder (/, /var…), or lies in it, the
    # default is rslave instead, and the engine refuses a wish for anything else.
    cri.PROPAGATION_PRIVATE: {},
    cri.PROPAGATION_HOST_TO_CONTAINER: {"BindOptions": {"Propagation": "rslave"}},
    cri.PROPAGATION_BIDIRECTIONAL: {"BindOptions": {"Propagation": "rshared"}},
}


@dataclass(frozen=True, slots=True)
class Host:
    """What the machine allows and needs."""

    least_oom_score: int = -1000  # the engine cannot go below this
    systemd_cgroups: bool = False
    unified_cgroups: bool = False  # whether it has cgroup v2 alone
    runtimes: tuple[str, ...] = ()
    missing_capabilities: tuple[str, ...] = ()  # that the engine lacks, so that it can give them to nobody
    left_out: tuple[str, ...] = ()  # those of them that it would give with "all" or "privileged", and fail
    devices: tuple[
        str, ...
    ] = ()  # paths of all device files; only known where there is something to leave out


def is_host_network(config: Any) -> bool:
    """Whether a sandbox is on the node's own network."""
    return bool(config.linux.security_context.namespace_options.network == cri.NODE)


def sandbox_body(
    config: Any, *, scope: Scope, image: str, runtime_handler: str, netns: str, host: Host, profile: str = ""
) -> dict[str, Any]:
    """Write the body for a sandbox. `netns`: the node's network namespace as a file, for pods on its network.

    Raises:
        BadRequest: the engine has no such runtime.
        NotImplementedHere: user namespaces, which the engine does not have for one pod alone.
    """
    security, on_node = config.linux.security_context, is_host_network(config)
    _refuse_user_namespaces(security.namespace_options)
    host_config: dict[str, Any] = {
        "NetworkMode": "none",
        "IpcMode": "host" if security.namespace_options.ipc == cri.NODE else "shareable",
        "PidMode": "host" if security.namespace_options.pid == cri.NODE else "",
        "CgroupParent": cgroup_parent(config, host),
        "CapDrop": ["ALL"],
        "CapAdd": ["SYS_ADMIN"] if on_node else [],
        "ReadonlyRootfs": True,
        "SecurityOpt": security_options(security, profile),
        "Sysctls": dict(config.linux.sysctls),
        "CpuShares": SANDBOX_SHARES,
        "OomScoreAdj": max(SANDBOX_OOM_SCORE, host.least_oom_score),
        "LogConfig": NO_LOG,
        "Dns": list(config.dns_config.servers),
        "DnsSearch": list(config.dns_config.searches),
        "DnsOptions": list(config.dns_config.options),
        "Mounts": [{"Type": "bind", "Source": netns, "Target": NETNS_MOUNT, "ReadOnly": True}]
        if on_node
        else [],
    }
    return {
        "Image": image,
        "Cmd": [NETNS_MOUNT] if on_node else [],
        "Hostname": config.hostname or (scope.node if on_node else ""),
        "Labels": sandbox_labels(scope, config, runtime_handler),
        "StopSignal": "SIGKILL",  # it has nothing to tidy up
        "HostConfig": {**host_config, **_runtime(runtime_handler, host)},
    }


def container_body(
    config: Any,
    sandbox: Any,
    sandbox_id: str,
    *,
    scope: Scope,
    runtime_handler: str,
    host: Host,
    profile: str = "",
    image_folders: Mapping[str, str] = MappingProxyType({}),
    cdi: Edits = NO_EDITS,
) -> dict[str, Any]:
    """Write the body for a container of a sandbox.

    `image_folders`: of images that it mounts, by the path in the container.
    `cdi`: what its CDI devices bring; of variables of one name theirs count.

    Raises:
        BadRequest: a mount without one of its paths, a group without a user, a runtime that the engine does not have.
        NotImplementedHere: something that the engine cannot do; the message names it.
    """
    security = config.linux.security_context
    host_config = {
        "NetworkMode": f"container:{sandbox_id}",
        "IpcMode": "host" if security.namespace_options.ipc == cri.NODE else f"container:{sandbox_id}",
        "PidMode": _pid_mode(security.namespace_options, sandbox_id),
        "CgroupParent": cgroup_parent(sandbox, host),
        "Privileged": security.privileged,
        "ReadonlyRootfs": security.readonly_rootfs,
        "SecurityOpt": security_options(security, profile),
        "GroupAdd": [*groups(security), *cdi.groups],
        "Mounts": [*(_mount(mount, image_folders) for mount in config.mounts), *cdi.mounts],
        "Devices": [*map(_device, config.devices), *cdi.devices],
        "LogConfig": LOG_OPTIONS if sandbox.log_directory and config.log_path else NO_LOG,
        "RestartPolicy": {"Name": "no"},
        "Init": False,
        **capabilities(security, host.missing_capabilities, host.left_out),
        **_paths(security),
        **resources(config.linux.resources, host),
        **_runtime(runtime_handler, host),
    }
    if security.privileged and host.left_out:
        host_config |= _nearly_privileged(host)
    return {
        "Image": config.image.image,
        **_process(config, cdi.env),
        "User": user(security),
        "Labels": container_labels(scope, config, sandbox_id) | image_labels(image_folders.values()),
        "Healthcheck": {"Test": ["NONE"]},  # probing is the kubelet's
        "HostConfig": host_config,
    }


def resources(limits: Any, host: Host) -> dict[str, Any]:
    """Write what a container is held to; only what is asked for. Memory extends into swap only where that is asked for.

    Huge pages are left out: the engine has no limits for them. `unified_settings` are not the engine's either.

    Raises:
        BadRequest, NotImplementedHere: as `unified_settings`.
    """
    unified_settings(limits, host)
    memory = limits.memory_limit_in_bytes
    wanted = {
        "CpuShares": limits.cpu_shares,
        "CpuQuota": limits.cpu_quota,
        "CpuPeriod": limits.cpu_period,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "Memory": memory,
        "MemorySwap": max(memory, limits.memory_swap_limit_in_bytes) if memory else 0,
        "OomScoreAdj": max(limits.oom_score_adj, host.least_oom_score),
    }
    return {key: value for key, value in wanted.items() if value}


def unified_settings(limits: Any, host: Host) -> dict[str, str]:
    """Return the files of cgroup v2 that have to be written once a container runs, with what goes into them.

    A kubelet sets memory.oom.group wherever there is cgroup v2, so that a container is killed as a whole.

    Raises:
        BadRequest: a name is none of a file of a cgroup.
        NotImplementedHere: the machine has cgroup v1.
    """
    settings = dict(limits.unified)
    if settings and not host.unified_cgroups:
        raise NotImplementedHere("unified cgroup settings: this machine has cgroup v1")
    for name in settings:
        if not _CGROUP_FILE.fullmatch(name):
            raise BadRequest(f"unified: {name!r} is no file of a cgroup")
    return settings


def cgroup_parent(sandbox: Any, host: Host) -> str:
    """Return the cgroup that a pod's containers lie in: with systemd the slice's own name."""
    parent = str(sandbox.linux.cgroup_parent)
    return parent.rstrip("/").rpartition("/")[2] if host.systemd_cgroups else parent


def stop_signal(signal: int) -> str:
    """Return a CRI signal's name as the engine knows it; "" for the default.

    The engine has SIGRTMIN+n where the protocol writes SIGRTMINPLUSn.
    """
    if signal == cri.RUNTIME_DEFAULT:
        return ""
    name: str = cri.Signal.Name(signal)
    return name.replace("PLUS", "+").replace("MINUS", "-")


def _process(config: Any, env: Sequence[str]) -> dict[str, Any]:
    given = {each.partition("=")[0] for each in env}
    body: dict[str, Any] = {
        "Env": [*(f"{pair.key}={pair.value}" for pair in config.envs if pair.key not in given), *env],
        "WorkingDir": config.working_dir,
        "Tty": config.tty,
        "OpenStdin": config.stdin,
        "StdinOnce": config.stdin_once,
    }
    if config.command:
        body["Entrypoint"] = list(config.command)
    if config.args:
        body["Cmd"] = list(config.args)
    if signal := stop_signal(config.stop_signal):
        body["StopSignal"] = signal
    return body


def _pid_mode(options: Any, sandbox_id: str) -> str:
    match options.pid:
        case cri.POD:
            return f"container:{sandbox_id}"
        case cri.NODE:
            return "host"
        case cri.TARGET:
            return f"container:{options.target_id}"
        case _:
            return ""


def _paths(security: Any) -> dict[str, list[str]]:
    if security.privileged:
        return {"MaskedPaths": [], "ReadonlyPaths": []}
    paths = {"MaskedPaths": list(security.masked_paths), "ReadonlyPaths": list(security.readonly_paths)}
    return {key: value for key, value in paths.items() if value}


def _nearly_privileged(host: Host) -> dict[str, Any]:
    """Write a privileged container for an engine that does not see what it lacks: with the word it would fail.

    What the word means beside them is asked for by itself. /sys stays read-only, until the container mounts it again.
    """
    return {
        "Privileged": False,
        **available([ALL], [], host.missing_capabilities, host.left_out),
        "SecurityOpt": list(UNCONFINED),
        "CgroupnsMode": "host",
        "Devices": [
            {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in host.devices
        ],
        "DeviceCgroupRules": ["a *:* rwm"],
    }


def _mount(mount: Any, image_folders: Mapping[str, str]) -> dict[str, Any]:
    if mount.uidMappings or mount.gidMappings:
        raise NotImplementedHere(f"{mount.container_path}: the Docker engine cannot map the ids of a mount")
    if mount.recursive_read_only:
        raise NotImplementedHere(f"{mount.container_path}: recursive read-only mounts are not built")
    if mount.image.image and mount.container_path:
        return image_mount(mount.container_path, image_folders[mount.container_path])
    if not mount.host_path or not mount.container_path:
        raise BadRequest(
            f"a mount needs host_path and container_path: {mount.host_path!r} → {mount.container_path!r}"
        )
    return {
        "Type": "bind",
        "Source": mount.host_path,
        "Target": mount.container_path,
        "ReadOnly": mount.readonly,
        **_PROPAGATION[mount.propagation],
    }


def _device(device: Any) -> dict[str, str]:
    return {
        "PathOnHost": device.host_path,
        "PathInContainer": device.container_path,
        "CgroupPermissions": device.permissions or "rwm",
    }


def _runtime(handler: str, host: Host) -> dict[str, str]:
    if not handler:
        return {}
    if handler not in host.runtimes:
        known = ", ".join(host.runtimes) or "none but the default"
        raise BadRequest(f"the engine has no runtime {handler!r} (it has: {known})")
    return {"Runtime": handler}


def _refuse_user_namespaces(options: Any) -> None:
    if options.HasField("userns_options") and options.userns_options.mode == cri.POD:
        raise NotImplementedHere(
            "user namespaces of pods: the Docker engine has one setting for all containers"
        )

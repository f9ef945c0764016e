"""The engine's view of a container as CRI's. States are derived, never kept.

A container whose start failed stays "created" on the engine, with the error beside it; for CRI it has exited with
code 128 and reason StartError (as containerd has it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dockershim.core import naming
from dockershim.core.images import ImageNames
from dockershim.core.times import parse_ns
from machinery.pb import cri_pb2 as cri

START_ERROR_CODE: Final = 128
_RUNNING: Final = ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True)
class Details:
    """A container as the engine's inspect describes it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The whole id."""
        return str(self.raw["Id"])

    @property
    def name(self) -> str:
        """The engine's name, which naming.py made."""
        return str(self.raw["Name"]).lstrip("/")

    @property
    def labels(self) -> Mapping[str, str]:
        """The engine's labels."""
        return self.raw["Config"].get("Labels") or {}

    @property
    def kind(self) -> str:
        """Whether it is a sandbox or a container."""
        return self.labels.get(naming.KIND, "")

    @property
    def sandbox_id(self) -> str:
        """The sandbox that it is or belongs to."""
        return self.labels.get(naming.SANDBOX, "") or self.id

    @property
    def status(self) -> str:
        """The engine's word for its state."""
        return str(self.raw["State"]["Status"])

    @property
    def is_running(self) -> bool:
        """Whether it has a process."""
        return self.status in _RUNNING

    @property
    def pid(self) -> int:
        """Its first process, as the engine's machine counts; 0 if none."""
        return int(self.raw["State"].get("Pid") or 0) if self.is_running else 0

    @property
    def layer_folder(self) -> str:
        """Where the engine's machine keeps what it has written; "" where the storage driver has no such folder."""
        driver = self.raw.get("GraphDriver") or {}
        return str((driver.get("Data") or {}).get("UpperDir") or "")

    @property
    def start_error(self) -> str:
        """Why its start failed; "" if it did not."""
        return str(self.raw["State"].get("Error") or "") if self.status == "created" else ""

    @property
    def state(self) -> Any:
        """Its state as CRI has it."""
        return cri.CONTAINER_EXITED if self.start_error else container_state(self.status)

    @property
    def stop_signal(self) -> str:
        """The signal that asks it to end."""
        return str(self.raw["Config"].get("StopSignal") or "SIGTERM")

    @property
    def has_tty(self) -> bool:
        """Whether it has a terminal: then its output is one stream."""
        return bool(self.raw["Config"].get("Tty"))

    def sandbox_config(self) -> Any:
        """Read a sandbox's configuration."""
        return naming.read_sandbox_config(self.labels)

    def container_config(self) -> Any:
        """Read a container's configuration."""
        return naming.read_container_config(self.labels)


def container_state(word: str) -> Any:
    """Return the CRI state for the engine's word."""
    if word == "created":
        return cri.CONTAINER_CREATED
    return cri.CONTAINER_RUNNING if word in _RUNNING else cri.CONTAINER_EXITED


def sandbox_state(*, running: bool, connected: bool) -> Any:
    """Return the CRI state of a sandbox: ready is one that runs and has its network."""
    return cri.SANDBOX_READY if running and connected else cri.SANDBOX_NOTREADY


def view_sandbox(summary: Mapping[str, Any], *, connected: bool) -> Any:
    """Write a sandbox from the engine's list."""
    labels = summary["Labels"]
    config = naming.read_sandbox_config(labels)
    return cri.PodSandbox(
        id=summary["Id"],
        metadata=config.metadata,
        state=sandbox_state(running=summary["State"] in _RUNNING, connected=connected),
        created_at=int(summary["Created"]) * 1_000_000_000,
        labels=config.labels,
        annotations=config.annotations,
        runtime_handler=labels.get(naming.HANDLER, ""),
    )


def view_sandbox_status(details: Details, *, connected: bool, addresses: tuple[str, ...]) -> Any:
    """Write a sandbox's status."""
    config = details.sandbox_config()
    options = config.linux.security_context.namespace_options
    network = cri.PodSandboxNetworkStatus(
        ip=addresses[0] if addresses else "", additional_ips=[cri.PodIP(ip=ip) for ip in addresses[1:]]
    )
    return cri.PodSandboxStatus(
        id=details.id,
        metadata=config.metadata,
        state=sandbox_state(running=details.is_running, connected=connected),
        created_at=parse_ns(details.raw["Created"]),
        network=network,
        linux=cri.LinuxPodSandboxStatus(namespaces=cri.Namespace(options=options)),
        labels=config.labels,
        annotations=config.annotations,
        runtime_handler=details.labels.get(naming.HANDLER, ""),
    )


def view_container(summary: Mapping[str, Any], state: Any, image_ref: str) -> Any:
    """Write a container from the engine's list."""
    labels = summary["Labels"]
    config = naming.read_container_config(labels)
    return cri.Container(
        id=summary["Id"],
        pod_sandbox_id=labels.get(naming.SANDBOX, ""),
        metadata=config.metadata,
        image=config.image,
        image_ref=image_ref,
        image_id=summary["ImageID"],
        state=state,
        created_at=int(summary["Created"]) * 1_000_000_000,
        labels=config.labels,
        annotations=config.annotations,
    )


def view_container_status(details: Details, *, log_path: str, names: ImageNames, failed_ns: int = 0) -> Any:
    """Write a container's status. `failed_ns`: when its start failed, if somebody noted it.

    A kubelet has a container made from an image's id; its status names the image, as every runtime has it.
    """
    config, state = details.container_config(), details.raw["State"]
    if names.tag and config.image.image == details.raw["Image"]:
        config.image.image = names.tag
    status = cri.ContainerStatus(
        id=details.id,
        metadata=config.metadata,
        state=details.state,
        created_at=parse_ns(details.raw["Created"]),
        started_at=parse_ns(state.get("StartedAt", "")),
        image=config.image,
        image_ref=names.reference,
        image_id=details.raw["Image"],
        labels=config.labels,
        annotations=config.annotations,
        mounts=config.mounts,
        log_path=log_path,
        resources=cri.ContainerResources(linux=view_resources(details.raw["HostConfig"])),
        stop_signal=config.stop_signal,
    )
    if details.start_error:
        status.finished_at = failed_ns or status.created_at
        status.exit_code, status.reason = START_ERROR_CODE, "StartError"
        status.message = f"failed to start container {details.id}: {details.start_error}"
    elif details.state == cri.CONTAINER_EXITED:
        # The engine notes the start of a short-lived container a little after its end.
        status.finished_at = max(parse_ns(state.get("FinishedAt", "")), status.started_at)
        status.exit_code = int(state.get("ExitCode") or 0)
        status.reason = end_reason(status.exit_code, oom=bool(state.get("OOMKilled")))
        status.message = str(state.get("Error") or "")
    return status


def end_reason(exit_code: int, *, oom: bool) -> str:
    """Return the one word for how a container ended."""
    if oom:
        return "OOMKilled"
    return "Error" if exit_code else "Completed"


def view_resources(host_config: Mapping[str, Any]) -> Any:
    """Write what a container is held to now."""
    return cri.LinuxContainerResources(
        cpu_period=int(host_config.get("CpuPeriod") or 0),
        cpu_quota=int(host_config.get("CpuQuota") or 0),
        cpu_shares=int(host_config.get("CpuShares") or 0),
        memory_limit_in_bytes=int(host_config.get("Memory") or 0),
        memory_swap_limit_in_bytes=int(host_config.get("MemorySwap") or 0),
        oom_score_adj=int(host_config.get("OomScoreAdj") or 0),
        cpuset_cpus=host_config.get("CpusetCpus") or "",
        cpuset_mems=host_config.get("CpusetMems") or "",
    )


def is_chosen(id_: str, labels: Mapping[str, str], chosen: Any) -> bool:
    """Whether an item has the id (or its beginning) and the labels of a filter."""
    wanted: Mapping[str, str] = chosen.label_selector
    return id_.startswith(chosen.id) and all(labels.get(key) == value for key, value in wanted.items())


def fits(view: Any, chosen: Any) -> bool:
    """Whether a listed item passes a filter."""
    in_state = not chosen.HasField("state") or chosen.state.state == view.state
    return in_state and is_chosen(view.id, view.labels, chosen)


def log_path(directory: str, path: str) -> str:
    """Return the whole path of a container's log; "" if it has none."""
    return f"{directory.rstrip('/')}/{path}" if directory and path else ""

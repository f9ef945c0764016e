"""Makes the sandboxes of pods: volumes, devices, cgroup, names and addresses, then the sandbox itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Final

from kubelet.cgroups import Cgroups
from kubelet.core import labels
from kubelet.core.cri_config import sandbox_config
from kubelet.core.instructions import Problem
from kubelet.core.network_files import (
    ClusterDns,
    Dns,
    PodDns,
    kernel_hostname,
    plan_dns,
    read_resolv_conf,
)
from kubelet.devices import DeviceClaims, DeviceProblem
from kubelet.finishing import finish
from kubelet.pod_files import PodFiles
from kubelet.relist import Relist
from kubelet.runtime import Runtime
from kubelet.runtime_handlers import HandlerProblem, RuntimeHandlers
from kubelet.volumes import VolumeProblem, Volumes
from machinery.client.events import WARNING, EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Pod
from machinery.pb import cri_pb2 as cri

_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_CONFIGS: Final = 32  # descriptions that are kept: of pods that start at the same time


@dataclass(slots=True)
class Sandboxes:
    """The sandboxes of the node's pods, and the volumes that they were given."""

    runtime: Runtime
    relist: Relist
    volumes: Volumes
    device_claims: DeviceClaims
    cgroups: Cgroups
    files: PodFiles
    events: EventRecorder
    clock: Clock
    handlers: RuntimeHandlers
    _: KW_ONLY
    is_draining: Callable[[], bool]
    cluster_dns: ClusterDns = field(default_factory=ClusterDns)
    _mounted: dict[str, Mapping[str, str]] = field(init=False, default_factory=dict)
    # of those that were made last, by pod uid: each of their containers is made with the same description
    _configs: OrderedDict[str, cri.PodSandboxConfig] = field(init=False, default_factory=OrderedDict)

    async def run(self, pod: Pod, attempt: int) -> Problem | None:
        """Make a pod's sandbox; the runtime's picture is up to date afterwards."""
        try:
            await self.mount(pod)
            await self.device_claims.prepare(pod)
        except (VolumeProblem, DeviceProblem) as problem:
            return Problem("ContainerCreating", str(problem))
        await self.cgroups.ensure_pod(pod)
        dns = self._plan_dns(pod)
        for reason, message in dns.warnings:
            self.events.record(pod, WARNING, reason, message)
        try:
            config = self._configs[pod.metadata.uid] = self._describe(pod, attempt, dns)
            if len(self._configs) > _CONFIGS:
                self._configs.popitem(last=False)
            handler = await self.handlers.of(pod)
            sandbox_id = await finish(self.runtime.run_sandbox(config, handler), self.is_draining)
        except (ApiError, HandlerProblem, ValueError) as error:
            message = f"Failed to create pod sandbox: {error}"
            self.events.record(pod, WARNING, "FailedCreatePodSandBox", message)
            return Problem("ContainerCreating", message)
        await self.relist.note_sandbox(pod.metadata.uid, sandbox_id)
        return None

    def config(self, pod: Pod, attempt: int) -> cri.PodSandboxConfig:
        """Return the description of a pod's sandbox."""
        known = self._configs.get(pod.metadata.uid)
        if known and known.metadata.attempt == attempt:
            return known
        return self._describe(pod, attempt, self._plan_dns(pod))

    def _plan_dns(self, pod: Pod) -> PodDns:
        return plan_dns(pod, self._host_dns(), self.cluster_dns)

    def _describe(self, pod: Pod, attempt: int, dns: PodDns) -> cri.PodSandboxConfig:
        return sandbox_config(
            pod,
            attempt=attempt,
            log_directory=self.files.log_directory(pod),
            cgroup_parent=self.cgroups.pod_parent(pod),
            dns=dns.settings,
            hostname=kernel_hostname(pod, self.cluster_dns.domain),
            labels=labels.sandbox_labels(pod),
            annotations=labels.sandbox_annotations(
                pod, seen_text=self.clock.timescale.format_micro(self.clock.now())
            ),
        )

    async def mount(self, pod: Pod) -> Mapping[str, str]:
        """Return where a pod's volumes are, mounted once by this kubelet, kept up to date elsewhere.

        Raises:
            VolumeProblem: one of them cannot be had now.
        """
        uid = pod.metadata.uid
        if uid not in self._mounted:
            self._mounted[uid] = await self.volumes.mount(pod)
        return self._mounted[uid]

    async def clean_up(self, pod_uid: str) -> None:
        """Put away a pod's devices, remove its volumes and its cgroup. Idempotent.

        Raises:
            DeviceProblem: a driver does not put away what the pod had.
        """
        await self.device_claims.unprepare(pod_uid)
        self._mounted.pop(pod_uid, None)
        self._configs.pop(pod_uid, None)
        await self.volumes.unmount(pod_uid)
        await self.cgroups.remove_pod(pod_uid)

    def _host_dns(self) -> Dns:
        try:
            return read_resolv_conf(_RESOLV_CONF.read_text(errors="replace"))
        except OSError:
            return Dns()

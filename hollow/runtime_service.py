# ruff: noqa: N802 - methods are named as the protocol names its RPCs
"""runtime.v1.RuntimeService over the simulated machine."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from hollow.core.lifetime import State
from hollow.records import Container, Sandbox
from hollow.simulation import POD_UID, Simulation
from hollow.statistics import container_stats, sandbox_stats
from hollow.views import container_state, sandbox_state, view_container, view_sandbox, view_sandbox_status
from machinery.model.errors import BadRequest, Conflict, NotFound, NotImplementedHere
from machinery.pb import cri_pb2 as cri

VERSION: Final = "0.1.0"
SIMULATED: Final = "the container is simulated by the hollow runtime: no process runs in it"


class RuntimeService:
    """One method per RPC; what is not here answers UNIMPLEMENTED and says so."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def Version(self, _request: Any, _context: Any) -> Any:
        """Name the runtime."""
        return cri.VersionResponse(
            version="0.1.0", runtime_name="hollow", runtime_version=VERSION, runtime_api_version="v1"
        )

    async def Status(self, _request: Any, _context: Any) -> Any:
        """Whether containers can run, and whether pods get addresses."""
        network = cri.RuntimeCondition(type="NetworkReady", status=bool(self._simulation.node.pod_cidr))
        if not network.status:
            network.reason = "NetworkPluginNotReady"
            network.message = "no pod range is known yet (UpdateRuntimeConfig gives it)"
        ready = cri.RuntimeCondition(type="RuntimeReady", status=True)
        return cri.StatusResponse(
            status=cri.RuntimeStatus(conditions=[ready, network]), runtime_handlers=[cri.RuntimeHandler()]
        )

    async def RuntimeConfig(self, _request: Any, _context: Any) -> Any:
        """Name a cgroup driver; none is used."""
        return cri.RuntimeConfigResponse(linux=cri.LinuxRuntimeConfiguration(cgroup_driver=cri.CGROUPFS))

    async def UpdateRuntimeConfig(self, request: Any, _context: Any) -> Any:
        """Note the node's pod range.

        Raises:
            BadRequest: the range is none.
        """
        pod_cidr = request.runtime_config.network_config.pod_cidr
        for part in filter(None, pod_cidr.split(",")):
            try:
                ipaddress.ip_network(part)
            except ValueError as error:
                raise BadRequest(f"pod_cidr {pod_cidr!r}: {error}") from error
        if pod_cidr:
            self._simulation.configure(pod_cidr=pod_cidr)
        return cri.UpdateRuntimeConfigResponse()

    # --- sandboxes

    async def RunPodSandbox(self, request: Any, _context: Any) -> Any:
        """Make and start a sandbox."""
        sandbox = self._simulation.run_sandbox(request.config, request.runtime_handler)
        return cri.RunPodSandboxResponse(pod_sandbox_id=sandbox.id)

    async def StopPodSandbox(self, request: Any, _context: Any) -> Any:
        """Stop a sandbox and all in it; one that is gone is fine."""
        if sandbox := self._sandbox_or_none(request.pod_sandbox_id):
            self._simulation.stop_sandbox(sandbox)
        return cri.StopPodSandboxResponse()

    async def RemovePodSandbox(self, request: Any, _context: Any) -> Any:
        """Remove a sandbox and all in it; one that is gone is fine."""
        if sandbox := self._sandbox_or_none(request.pod_sandbox_id):
            self._simulation.remove_sandbox(sandbox)
        return cri.RemovePodSandboxResponse()

    async def PodSandboxStatus(self, request: Any, _context: Any) -> Any:
        """Describe a sandbox."""
        sandbox = self._simulation.sandbox(request.pod_sandbox_id)
        response = cri.PodSandboxStatusResponse(
            status=view_sandbox_status(sandbox, self._simulation.clock.timescale)
        )
        if request.verbose:
            response.info["runtime"] = SIMULATED
        return response

    async def ListPodSandbox(self, request: Any, _context: Any) -> Any:
        """List sandboxes."""
        chosen = request.filter
        items = [
            view_sandbox(sandbox, self._simulation.clock.timescale)
            for sandbox in self._sandboxes_for(chosen)
            if _is_chosen(sandbox.id, sandbox.config.labels, chosen)
            and _is_in_state(sandbox_state(sandbox), chosen)
        ]
        return cri.ListPodSandboxResponse(items=items)

    # --- containers

    async def CreateContainer(self, request: Any, _context: Any) -> Any:
        """Make a container in a sandbox."""
        sandbox = self._simulation.sandbox(request.pod_sandbox_id)
        return cri.CreateContainerResponse(container_id=self._simulation.create(sandbox, request.config).id)

    async def StartContainer(self, request: Any, _context: Any) -> Any:
        """Start a container."""
        self._simulation.start(self._simulation.container(request.container_id))
        return cri.StartContainerResponse()

    async def StopContainer(self, request: Any, _context: Any) -> Any:
        """Stop a container: SIGTERM, `timeout` cluster seconds, SIGKILL. Answers when it has ended."""
        if container := self._container_or_none(request.container_id):
            self._simulation.stop(container, request.timeout)
            await self._simulation.ended(container)
        return cri.StopContainerResponse()

    async def RemoveContainer(self, request: Any, _context: Any) -> Any:
        """Remove a container, running or not; one that is gone is fine."""
        if container := self._container_or_none(request.container_id):
            self._simulation.remove(container)
        return cri.RemoveContainerResponse()

    async def ListContainers(self, request: Any, _context: Any) -> Any:
        """List containers."""
        simulation, now_s, chosen = self._simulation, self._simulation.clock.now(), request.filter
        items = [
            view_container(found, simulation.clock.timescale, now_s)
            for found in self._containers_for(chosen)
            if _is_chosen(found.id, found.config.labels, chosen)
            and _is_in_state(container_state(found, now_s), chosen)
        ]
        return cri.ListContainersResponse(containers=items)

    async def ContainerStatus(self, request: Any, _context: Any) -> Any:
        """Describe a container."""
        container = self._simulation.container(request.container_id)
        response = cri.ContainerStatusResponse(status=self._simulation.status_of(container))
        if request.verbose:
            response.info["runtime"] = SIMULATED
        return response

    async def UpdateContainerResources(self, request: Any, _context: Any) -> Any:
        """Note new resources."""
        container = self._simulation.container(request.container_id)
        config = cri.ContainerConfig()
        config.CopyFrom(container.config)
        config.linux.resources.MergeFrom(request.linux)
        self._simulation.reconfigure(container, config)
        return cri.UpdateContainerResourcesResponse()

    async def ReopenContainerLog(self, request: Any, _context: Any) -> Any:
        """Make the new file: the kubelet has renamed the old one. A log is opened for each line anyway.

        Raises:
            NotFound: there is no such container.
            Conflict: it does not run.
        """
        container = self._simulation.container(request.container_id)
        if container.state(self._simulation.clock.now()) is not State.RUNNING:
            raise Conflict(f"container {container.id} does not run: there is nothing to reopen")
        self._simulation.reopen_log(container)
        return cri.ReopenContainerLogResponse()

    async def ExecSync(self, request: Any, _context: Any) -> Any:
        """Refuse.

        Raises:
            NotFound: there is no such container.
            NotImplementedHere: no process runs here.
        """
        self._simulation.container(request.container_id)
        raise NotImplementedHere(f"exec: {SIMULATED}")

    async def Exec(self, request: Any, context: Any) -> Any:
        """Refuse.

        Raises:
            NotFound: there is no such container.
            NotImplementedHere: no process runs here.
        """
        return await self.ExecSync(request, context)

    async def Attach(self, request: Any, _context: Any) -> Any:
        """Refuse.

        Raises:
            NotFound: there is no such container.
            NotImplementedHere: no process runs here.
        """
        self._simulation.container(request.container_id)
        raise NotImplementedHere(f"attach: {SIMULATED}")

    async def PortForward(self, request: Any, _context: Any) -> Any:
        """Refuse.

        Raises:
            NotFound: there is no such sandbox.
            NotImplementedHere: no process runs here.
        """
        self._simulation.sandbox(request.pod_sandbox_id)
        raise NotImplementedHere(f"port-forward: {SIMULATED}")

    # --- statistics and events

    async def ContainerStats(self, request: Any, _context: Any) -> Any:
        """Return what a container seems to use."""
        container = self._simulation.container(request.container_id)
        return cri.ContainerStatsResponse(stats=container_stats(container, self._simulation.clock))

    async def ListContainerStats(self, request: Any, _context: Any) -> Any:
        """Return what the containers seem to use."""
        chosen = request.filter
        found = [
            container_stats(container, self._simulation.clock)
            for container in self._simulation.containers.values()
            if _is_chosen(container.id, container.config.labels, chosen)
            and chosen.pod_sandbox_id in {"", container.record.sandbox_id}
        ]
        return cri.ListContainerStatsResponse(stats=found)

    async def PodSandboxStats(self, request: Any, _context: Any) -> Any:
        """Return what a pod seems to use."""
        sandbox = self._simulation.sandbox(request.pod_sandbox_id)
        return cri.PodSandboxStatsResponse(stats=self._sandbox_stats(sandbox))

    async def ListPodSandboxStats(self, request: Any, _context: Any) -> Any:
        """Return what the pods seem to use."""
        found = [
            self._sandbox_stats(sandbox)
            for sandbox in self._simulation.sandboxes.values()
            if _is_chosen(sandbox.id, sandbox.config.labels, request.filter)
        ]
        return cri.ListPodSandboxStatsResponse(stats=found)

    def GetContainerEvents(self, _request: Any, context: Any) -> AsyncIterator[Any]:
        """Stream every change from now on; ends when the subscriber is too slow, who then lists again."""
        return self._simulation.subscribers.serve(context)

    def _sandboxes_for(self, chosen: Any) -> Iterable[Sandbox]:
        """Return the sandboxes that a filter may choose: one pod's, where it names a pod as kubelets do."""
        if uid := chosen.label_selector.get(POD_UID, ""):
            return self._simulation.labelled_sandboxes.of(uid)
        return self._simulation.sandboxes.values()

    def _containers_for(self, chosen: Any) -> Iterable[Container]:
        """Return the containers that a filter may choose: one sandbox's or pod's, where it names one."""
        simulation = self._simulation
        if chosen.pod_sandbox_id:
            sandbox = simulation.sandboxes.get(chosen.pod_sandbox_id)
            return simulation.containers_of(sandbox) if sandbox else ()
        if uid := chosen.label_selector.get(POD_UID, ""):
            return simulation.labelled_containers.of(uid)
        return simulation.containers.values()

    def _sandbox_stats(self, sandbox: Sandbox) -> Any:
        return sandbox_stats(sandbox, self._simulation.containers_of(sandbox), self._simulation.clock)

    def _sandbox_or_none(self, sandbox_id: str) -> Sandbox | None:
        try:
            return self._simulation.sandbox(sandbox_id)
        except NotFound:
            return None

    def _container_or_none(self, container_id: str) -> Container | None:
        try:
            return self._simulation.container(container_id)
        except NotFound:
            return None


def _is_in_state(state: Any, chosen: Any) -> bool:
    return not chosen.HasField("state") or chosen.state.state == state


def _is_chosen(id_: str, labels: Mapping[str, str], chosen: Any) -> bool:
    wanted: Mapping[str, str] = chosen.label_selector
    return id_.startswith(chosen.id) and all(labels.get(key) == value for key, value in wanted.items())

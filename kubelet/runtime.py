"""The conversation with the container runtime: CRI v1 over a unix socket.

Every call has a deadline (wall seconds) and ends with a message or an error of `machinery.model.errors`. All calls
but ExecSync may be repeated (CRI asks that of its servers), so a runtime that is being restarted is waited for a
few seconds. Containers do not notice any of it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

from kubelet.hosting import CriChannel
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotImplementedHere, Unavailable
from machinery.model.insist import Failures
from machinery.pb import cri_pb2 as cri
from machinery.rpc.status import Closed, Code, RpcError
from machinery.wire.cause_headers import request_metadata
from machinery.wire.rpc_errors import from_rpc
from machinery.wire.status import STATUS_KEY
from machinery.wire.stubs import Stub

_SERVICES: Final = cri.DESCRIPTOR.services_by_name
_QUERY_S: Final = 10.0
_ACTION_S: Final = 120.0  # making, starting, removing: the machine may be busy
_PULL_S: Final = 1800.0
_EXEC_MARGIN_S: Final = 1
_PATIENCE_S: Final = 5.0  # with a runtime that does not answer
_RETRY: Final = Backoff(initial_s=0.05, cap_s=0.5)


class Runtime:
    """A typed client of RuntimeService and ImageService.

    Raises:
        ApiError: from every method: the runtime refuses a call, or does not answer in time.
    """

    def __init__(self, channel: CriChannel, clock: Clock, *, caller: str = "kubelet") -> None:
        self._runtime = Stub(channel, _SERVICES["RuntimeService"], "runtime.v1.RuntimeService")
        self._images = Stub(channel, _SERVICES["ImageService"], "runtime.v1.ImageService")
        self._clock = clock
        self._caller = caller

    # --- the runtime itself

    async def version(self) -> cri.VersionResponse:
        """Name the runtime."""
        response: cri.VersionResponse = await self._ask(
            self._runtime.Version, cri.VersionRequest(version="v1"), patience_s=0
        )
        return response

    async def status(self) -> cri.StatusResponse:
        """Whether containers can run and pods get addresses."""
        response: cri.StatusResponse = await self._ask(
            self._runtime.Status, cri.StatusRequest(), patience_s=0
        )
        return response

    async def runtime_config(self) -> cri.RuntimeConfigResponse:
        """Return which cgroup driver the runtime uses."""
        response: cri.RuntimeConfigResponse = await self._ask(
            self._runtime.RuntimeConfig, cri.RuntimeConfigRequest()
        )
        return response

    async def update_runtime_config(self, pod_cidr: str) -> None:
        """Pass the node's pod range to the runtime."""
        network = cri.NetworkConfig(pod_cidr=pod_cidr)
        request = cri.UpdateRuntimeConfigRequest(runtime_config=cri.RuntimeConfig(network_config=network))
        await self._ask(self._runtime.UpdateRuntimeConfig, request)

    # --- sandboxes

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str = "") -> str:
        """Make and start a sandbox by a handler; return its id. The same metadata again gives the same sandbox."""
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        return str((await self._ask(self._runtime.RunPodSandbox, request, _ACTION_S)).pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop a sandbox and what runs in it. Idempotent."""
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        await self._ask(self._runtime.StopPodSandbox, request, _ACTION_S)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Forget a sandbox and its containers. Idempotent."""
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        await self._ask(self._runtime.RemovePodSandbox, request, _ACTION_S)

    async def sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        """Describe a sandbox; NotFound where it is gone."""
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        status: cri.PodSandboxStatus = (await self._ask(self._runtime.PodSandboxStatus, request)).status
        return status

    async def sandbox_process(self, sandbox_id: str) -> int:
        """Return a process of a sandbox, as the machine numbers it; 0 where the runtime does not tell."""
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id, verbose=True)
        info = (await self._ask(self._runtime.PodSandboxStatus, request)).info.get("info", "")
        try:
            return int(json.loads(info)["pid"])  # as containerd and CRI-O tell it, too
        except (KeyError, TypeError, ValueError):
            return 0

    async def list_sandboxes(self, labels: Mapping[str, str] | None = None) -> Sequence[cri.PodSandbox]:
        """List the sandboxes with these labels, or all."""
        chosen = cri.PodSandboxFilter(label_selector=dict(labels or {}))
        request = cri.ListPodSandboxRequest(filter=chosen)
        items: Sequence[cri.PodSandbox] = (
            await self._ask(self._runtime.ListPodSandbox, request, patience_s=0)
        ).items
        return items

    # --- containers

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox: cri.PodSandboxConfig
    ) -> str:
        """Make a container; return its id. The same name and attempt again gives the same container."""
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox)
        return str((await self._ask(self._runtime.CreateContainer, request, _ACTION_S)).container_id)

    async def start_container(self, container_id: str) -> None:
        """Start a container."""
        request = cri.StartContainerRequest(container_id=container_id)
        await self._ask(self._runtime.StartContainer, request, _ACTION_S)

    async def stop_container(self, container_id: str, timeout_s: int) -> None:
        """Send the stop signal, and SIGKILL after `timeout_s`; answers when it is over. Idempotent."""
        request = cri.StopContainerRequest(container_id=container_id, timeout=timeout_s)
        await self._ask(self._runtime.StopContainer, request, _ACTION_S + timeout_s)

    async def remove_container(self, container_id: str) -> None:
        """Forget a container. Idempotent."""
        request = cri.RemoveContainerRequest(container_id=container_id)
        await self._ask(self._runtime.RemoveContainer, request, _ACTION_S)

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        """Describe a container; NotFound where it is gone."""
        request = cri.ContainerStatusRequest(container_id=container_id)
        status: cri.ContainerStatus = (await self._ask(self._runtime.ContainerStatus, request)).status
        return status

    async def list_containers(self, labels: Mapping[str, str] | None = None) -> Sequence[cri.Container]:
        """List the containers with these labels, or all."""
        chosen = cri.ContainerFilter(label_selector=dict(labels or {}))
        request = cri.ListContainersRequest(filter=chosen)
        items: Sequence[cri.Container] = (
            await self._ask(self._runtime.ListContainers, request, patience_s=0)
        ).containers
        return items

    async def update_container_resources(
        self, container_id: str, resources: cri.LinuxContainerResources
    ) -> None:
        """Hold a container to other resources. Idempotent."""
        request = cri.UpdateContainerResourcesRequest(container_id=container_id, linux=resources)
        await self._ask(self._runtime.UpdateContainerResources, request, _ACTION_S)

    async def reopen_container_log(self, container_id: str) -> None:
        """Make the runtime open a container's log file again, after it was renamed."""
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        await self._ask(self._runtime.ReopenContainerLog, request)

    async def container_events(self) -> AsyncIterator[cri.ContainerEventResponse | None]:
        """Yield what happens to containers, until the connection ends; first None: from then on nothing is missed.

        Raises:
            NotImplementedHere: the runtime tells no events.
            Unavailable: the connection has broken.
        """
        call = self._runtime.GetContainerEvents(cri.GetEventsRequest(), metadata=self._metadata())
        try:
            await call.begun()  # of a runtime that says nothing before its first event, with that
            yield None
            async for event in call:
                yield event
        except RpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    # --- commands in containers

    async def exec_sync(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> cri.ExecSyncResponse:
        """Run a command; DeadlineExceeded when it has not ended after so many wall seconds. Never repeated."""
        limit_s = ceil(timeout_s) + _EXEC_MARGIN_S
        request = cri.ExecSyncRequest(container_id=container_id, cmd=command, timeout=limit_s)
        response: cri.ExecSyncResponse = await self._ask(
            self._runtime.ExecSync, request, timeout_s, patience_s=0
        )
        return response

    async def checkpoint_container(self, container_id: str, location: str) -> None:
        """Write the state of a container's processes to a file. Never repeated.

        Raises:
            NotImplementedHere: the runtime cannot.
        """
        request = cri.CheckpointContainerRequest(container_id=container_id, location=location)
        await self._ask(self._runtime.CheckpointContainer, request, patience_s=0)

    async def exec(self, request: cri.ExecRequest) -> str:
        """Prepare a command whose streams a client attaches to; return their URL."""
        return str((await self._ask(self._runtime.Exec, request)).url)

    async def attach(self, request: cri.AttachRequest) -> str:
        """Prepare an attachment to a container's main process; return the URL of its streams."""
        return str((await self._ask(self._runtime.Attach, request)).url)

    async def port_forward(self, sandbox_id: str) -> str:
        """Prepare connections to ports of a sandbox; return the URL of their streams."""
        request = cri.PortForwardRequest(pod_sandbox_id=sandbox_id)
        return str((await self._ask(self._runtime.PortForward, request)).url)

    # --- statistics

    async def sandbox_stats(self) -> Sequence[cri.PodSandboxStats]:
        """Return what each pod uses."""
        request = cri.ListPodSandboxStatsRequest()
        stats: Sequence[cri.PodSandboxStats] = (
            await self._ask(self._runtime.ListPodSandboxStats, request)
        ).stats
        return stats

    async def container_stats(self, container_id: str) -> cri.ContainerStats:
        """Return what a container uses, with what it has written; NotFound where it is gone."""
        request = cri.ContainerStatsRequest(container_id=container_id)
        stats: cri.ContainerStats = (await self._ask(self._runtime.ContainerStats, request)).stats
        return stats

    # --- images

    async def image_fs(self) -> Sequence[cri.FilesystemUsage]:
        """Return what the images take; nothing of a runtime that does not tell.

        Raises:
            ApiError: the runtime does not answer.
        """
        try:
            answer = await self._ask(self._images.ImageFsInfo, cri.ImageFsInfoRequest())
        except NotImplementedHere:
            return ()
        return list(answer.image_filesystems)

    async def image_status(self, image: str) -> cri.Image | None:
        """Describe an image; None where it is not on the node."""
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        response = await self._ask(self._images.ImageStatus, request)
        return response.image if response.HasField("image") else None

    async def pull_image(
        self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig | None
    ) -> str:
        """Pull an image; return its reference."""
        request = cri.PullImageRequest(image=cri.ImageSpec(image=image), auth=auth, sandbox_config=sandbox)
        return str((await self._ask(self._images.PullImage, request, _PULL_S)).image_ref)

    async def list_images(self) -> Sequence[cri.Image]:
        """List the images on the node."""
        images: Sequence[cri.Image] = (
            await self._ask(self._images.ListImages, cri.ListImagesRequest())
        ).images
        return images

    async def remove_image(self, image_id: str) -> None:
        """Remove an image with all its names; one that is not here is fine.

        Raises:
            ApiError: the runtime does not answer.
            Conflict: a container uses it.
        """
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=image_id))
        await self._ask(self._images.RemoveImage, request, _ACTION_S)

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        """Return who asks, and because of what; nothing where there is no caller's name: it asks within its own process."""
        return request_metadata(self._caller) if self._caller else ()

    async def _ask(
        self, method: Any, request: Any, timeout_s: float = _QUERY_S, *, patience_s: float = _PATIENCE_S
    ) -> Any:
        """Call once, and again while nobody answers and patience lasts."""
        give_up_s = self._clock.monotonic() + self._clock.timescale.cluster(patience_s)
        failures = Failures(self._clock, _RETRY)
        while True:
            try:
                return await method(request, timeout=timeout_s, metadata=self._metadata())
            except Closed as error:
                raise _closed(error) from error
            except RpcError as error:
                if not _is_absent(error) or self._clock.monotonic() >= give_up_s:
                    raise from_rpc(error) from error
                failures.note(error)
            await failures.pause()


def _is_absent(error: RpcError) -> bool:
    """Whether nobody answered, rather than a runtime that says it cannot."""
    return error.code is Code.UNAVAILABLE and all(key != STATUS_KEY for key, _ in error.trailers)


def _closed(error: Exception) -> ApiError:
    return Unavailable(f"the connection to the container runtime is closed: {error}")

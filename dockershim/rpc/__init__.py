"""runtime.v1.RuntimeService and ImageService: one module per RPC or family of RPCs.

Each RPC is `async def name(shim, request)`; the tables here say which is which. What is not in them answers
UNIMPLEMENTED and says so.

Errors are those of machinery.model.errors, which `machinery.wire` turns into gRPC codes. Any RPC that asks the engine
raises Unavailable where it does not answer and DeadlineExceeded where it does not in time; its own `Raises` names the
others that its caller tells apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Final

from dockershim.rpc import (
    container_create,
    container_exec,
    container_list,
    container_log,
    container_remove,
    container_start,
    container_status,
    container_stop,
    container_update,
    events,
    image_list,
    image_pull,
    image_remove,
    runtime,
    sandbox_list,
    sandbox_remove,
    sandbox_run,
    sandbox_status,
    sandbox_stop,
    stats,
)
from dockershim.shim import Shim
from machinery.wire.cause_headers import CALLER_KEY

Rpc = Callable[[Shim, Any], Awaitable[Any]]
StreamRpc = Callable[[Shim, Any, str], Awaitable[Any]]  # the last one: which component of ours asks, if any

RUNTIME: Final[dict[str, Rpc]] = {
    "Version": runtime.version,
    "Status": runtime.status,
    "RuntimeConfig": runtime.runtime_config,
    "UpdateRuntimeConfig": runtime.update_runtime_config,
    "RunPodSandbox": sandbox_run.run_pod_sandbox,
    "StopPodSandbox": sandbox_stop.stop_pod_sandbox,
    "RemovePodSandbox": sandbox_remove.remove_pod_sandbox,
    "PodSandboxStatus": sandbox_status.pod_sandbox_status,
    "ListPodSandbox": sandbox_list.list_pod_sandbox,
    "CreateContainer": container_create.create_container,
    "StartContainer": container_start.start_container,
    "StopContainer": container_stop.stop_container,
    "RemoveContainer": container_remove.remove_container,
    "ListContainers": container_list.list_containers,
    "ContainerStatus": container_status.container_status,
    "UpdateContainerResources": container_update.update_container_resources,
    "ReopenContainerLog": container_log.reopen_container_log,
    "ExecSync": container_exec.exec_sync,
    "ContainerStats": stats.container_stats,
    "ListContainerStats": stats.list_container_stats,
    "PodSandboxStats": stats.pod_sandbox_stats,
    "ListPodSandboxStats": stats.list_pod_sandbox_stats,
}
STREAMS: Final[dict[str, StreamRpc]] = {
    "Exec": container_exec.exec_,
    "Attach": container_exec.attach,
    "PortForward": container_exec.port_forward,
}
IMAGES: Final[dict[str, Rpc]] = {
    "ListImages": image_list.list_images,
    "ImageStatus": image_list.image_status,
    "ImageFsInfo": image_list.image_fs_info,
    "PullImage": image_pull.pull_image,
    "RemoveImage": image_remove.remove_image,
}


def runtime_service(shim: Shim) -> object:
    """Return the object that `machinery.wire.services.handler` serves as RuntimeService."""
    return SimpleNamespace(
        **_bound(shim, RUNTIME), **_bound_streams(shim), GetContainerEvents=events.get_container_events(shim)
    )


def image_service(shim: Shim) -> object:
    """Return the object that is served as ImageService."""
    return SimpleNamespace(**_bound(shim, IMAGES))


def _bound(shim: Shim, rpcs: dict[str, Rpc]) -> dict[str, Callable[[Any, Any], Awaitable[Any]]]:
    def bind(rpc: Rpc) -> Callable[[Any, Any], Awaitable[Any]]:
        async def method(request: Any, _context: Any) -> Any:
            return await rpc(shim, request)

        return method

    return {name: bind(rpc) for name, rpc in rpcs.items()}


def _bound_streams(shim: Shim) -> dict[str, Callable[[Any, Any], Awaitable[Any]]]:
    def bind(rpc: StreamRpc) -> Callable[[Any, Any], Awaitable[Any]]:
        async def method(request: Any, context: Any) -> Any:
            said = dict(context.invocation_metadata() or ())
            return await rpc(shim, request, str(said.get(CALLER_KEY, "")))

        return method

    return {name: bind(rpc) for name, rpc in STREAMS.items()}

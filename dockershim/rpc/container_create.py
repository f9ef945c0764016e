"""CreateContainer: idempotent by its deterministic name."""

from __future__ import annotations

from typing import Any

from dockershim.cdi_specs import edits_of
from dockershim.core import naming
from dockershim.core.host_config import container_body
from dockershim.core.naming import container_name
from dockershim.core.states import Details
from dockershim.rpc.sandbox_run import read_profile
from dockershim.shim import Shim
from machinery.model.errors import AlreadyExists, BadRequest, Conflict, NotFound
from machinery.pb import cri_pb2 as cri


async def create_container(shim: Shim, request: Any) -> Any:
    """Create a container in a sandbox; the same name and attempt once more returns the same container.

    Raises:
        NotFound: there is no such sandbox, or an image is not here.
        BadRequest: it has no name or no image, a CDI device is not there, or its configuration does not work, an image has not what is to be mounted.
        AlreadyExists: another container has its name and cannot be removed.
        Conflict: the sandbox is not ready, or somebody else makes the container.
        NotImplementedHere: it asks for something that the engine cannot do.
    """
    config, sandbox = request.config, await shim.catalogue.sandbox(request.pod_sandbox_id)
    if not config.metadata.name or not config.image.image:
        raise BadRequest("the container has to have a name and an image")
    if not sandbox.is_running:
        raise Conflict(f"pod sandbox {sandbox.id} is not ready")
    pod = sandbox.sandbox_config()
    cdi = await edits_of([each.name for each in config.CDI_devices], shim.cdi_dirs)
    host, name = await shim.host.get(), container_name(config.metadata, pod.metadata)
    async with shim.image_volumes.unpacked(config.mounts) as image_folders:
        body = container_body(
            config,
            pod,
            sandbox.id,
            scope=shim.catalogue.scope,
            runtime_handler=sandbox.labels.get(naming.HANDLER, ""),
            host=host,
            profile=read_profile(config.linux.security_context),
            image_folders=image_folders,
            cdi=cdi,
        )
        async with shim.locks.held(name):
            container_id = await _ensure(shim, name, body, sandbox)
    return cri.CreateContainerResponse(container_id=container_id)


async def _ensure(shim: Shim, name: str, body: dict[str, Any], sandbox: Details) -> str:
    for _ in range(3):
        try:
            async with shim.creations.asked(name):
                return await shim.engine.create(name, body)
        except Conflict:
            if found := await _left(shim, name, sandbox):
                return found
    raise Conflict(f"container {name} is being made or removed by somebody else")


async def _left(shim: Shim, name: str, sandbox: Details) -> str:
    """Return the container that has the name already, if it is this one; remove one of a sandbox that is no more."""
    try:
        found = await shim.catalogue.find_by_name(name)
    except NotFound as error:
        raise AlreadyExists(error.message) from error
    if found is None or found.sandbox_id == sandbox.id:
        return found.id if found else ""
    if found.is_running:
        raise AlreadyExists(f"container {name} runs in another sandbox, {found.sandbox_id}")
    await shim.logs.forget(found.id)
    await shim.engine.remove(found.id)
    return ""

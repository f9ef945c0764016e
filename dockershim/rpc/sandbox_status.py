"""PodSandboxStatus."""

from __future__ import annotations

import json
from typing import Any

from dockershim.core.states import view_sandbox_status
from dockershim.rpc.container_status import describe_container
from dockershim.shim import Shim
from machinery.pb import cri_pb2 as cri


async def pod_sandbox_status(shim: Shim, request: Any) -> Any:
    """Describe a sandbox. There is no timestamp: it would say that its containers are described, too, and are none.

    Raises:
        NotFound: there is no such sandbox.
    """
    details = await shim.catalogue.sandbox(request.pod_sandbox_id)
    response = cri.PodSandboxStatusResponse(
        status=view_sandbox_status(
            details,
            connected=shim.network.is_connected(details.id),
            addresses=shim.network.addresses(details.id),
        )
    )
    if request.verbose:
        response.info["info"] = json.dumps({"pid": details.pid, "name": details.name})
    return response


async def describe_sandbox(shim: Shim, sandbox_id: str) -> tuple[Any, list[Any]]:
    """Return a sandbox's status and those of its containers.

    Raises:
        NotFound: there is no such sandbox, or a container went meanwhile.
    """
    answer = await pod_sandbox_status(shim, cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id))
    containers = await shim.catalogue.containers_of(sandbox_id)
    return answer.status, [await describe_container(shim, item["Id"]) for item in containers]

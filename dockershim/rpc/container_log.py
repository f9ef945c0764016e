"""ReopenContainerLog."""

from __future__ import annotations

from typing import Any

from dockershim.shim import Shim
from machinery.pb import cri_pb2 as cri


async def reopen_container_log(shim: Shim, request: Any) -> Any:
    """Go on in a new file: the kubelet has renamed the old one."""
    details = await shim.catalogue.container(request.container_id)
    shim.logs.reopen(details.id)
    return cri.ReopenContainerLogResponse()

"""ReopenContainerLog."""

from __future__ import annotations

from typing import Any

from dockershim.shim import Shim
from machinery.pb import cri_pb2 as cri


async def reopen_container_log(shim: Shim, request: Any) -> Any:
    """Go on in a new file under the log's name: the kubelet has renamed the old one.

    Raises:
        NotFound: there is no such container.
        Conflict: nothing is written, since it does not run or has no log.
    """
    details = await shim.catalogue.container(request.container_id)
    shim.logs.reopen(details.id)
    return cri.ReopenContainerLogResponse()

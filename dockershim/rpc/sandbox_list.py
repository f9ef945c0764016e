"""ListPodSandbox."""

from __future__ import annotations

from typing import Any

from dockershim.core.naming import KIND_SANDBOX
from dockershim.core.states import fits, view_sandbox
from dockershim.shim import Shim
from machinery.pb import cri_pb2 as cri


async def list_pod_sandbox(shim: Shim, request: Any) -> Any:
    """List sandboxes, in one call to the engine."""
    found = await shim.catalogue.summaries(KIND_SANDBOX)
    views = (view_sandbox(item, connected=shim.network.is_connected(item["Id"])) for item in found)
    return cri.ListPodSandboxResponse(items=[view for view in views if fits(view, request.filter)])
